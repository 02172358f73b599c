//! `gateway.toml`: the configuration of a profile's gateway. Written by the user; hermes only reads it.
//!
//! An unknown key or a bad value is an error with its line and column: a gateway is never started on a guess.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::file;
use crate::error::{HostError, if_present};
use crate::host::Host;

/// The configuration. The default is the built-in gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The program and its arguments; none means the built-in gateway.
    pub command: Option<CommandLine>,
    /// Variables for the command, besides the few that every command gets.
    pub env: BTreeMap<String, String>,
    /// Variables of the container's environment that the command may see.
    pub pass_env: Vec<String>,
    /// The gateway's port; none means the one derived from the name.
    pub port: Option<Port>,
    /// How the command reports readiness.
    pub ready: ReadinessMethod,
    /// How long the command may take to be ready.
    pub ready_timeout: ReadyTimeout,
    /// How long the gateway may take to finish its work after SIGTERM, before SIGKILL.
    pub drain_timeout: DrainTimeout,
    /// The restart policy.
    pub restart: Restart,
}

impl Config {
    /// From SIGTERM to the supervisor's SIGKILL: the drain, and a second for the gateway to end what did not drain.
    pub fn kill_after(&self) -> Duration {
        self.drain_timeout.0 + Duration::from_secs(1)
    }
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct CommandLine {
    /// The program: a path, or a name looked up in `PATH`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
}

impl TryFrom<Vec<String>> for CommandLine {
    type Error = &'static str;

    fn try_from(parts: Vec<String>) -> Result<Self, Self::Error> {
        let mut parts = parts.into_iter();
        match parts.next() {
            Some(program) if !program.is_empty() => Ok(Self { program, args: parts.collect() }),
            _ => Err(
                "`command` names no program: give at least one word, as in command = [\"my-bot\"]",
            ),
        }
    }
}

/// A port number from 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "i64")]
pub struct Port(pub u16);

impl TryFrom<i64> for Port {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match u16::try_from(number) {
            Ok(port) if port > 0 => Ok(Self(port)),
            _ => Err(format!("port {number} is not between 1 and 65535")),
        }
    }
}

/// How a command reports readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadinessMethod {
    /// `GET /health` on its port answers 200.
    Http,
    /// It writes a newline to descriptor 3.
    Fd,
    /// It is ready as soon as it is started.
    #[default]
    None,
}

macro_rules! durations {
    ($($(#[$doc:meta])* $name:ident = $default:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
        #[serde(try_from = "DurationText")]
        pub struct $name(pub Duration);

        impl Default for $name {
            fn default() -> Self {
                Self($default)
            }
        }

        impl TryFrom<DurationText> for $name {
            type Error = String;

            fn try_from(text: DurationText) -> Result<Self, String> {
                text.read().map(Self)
            }
        }
    )*};
}

durations! {
    /// How long a drain may take. With the second that SIGKILL waits beyond it, the default fits Docker's grace of 10 s.
    DrainTimeout = Duration::from_secs(8);
    /// How long a start may take.
    ReadyTimeout = Duration::from_secs(60);
    /// The pause after the first failure; doubled after each further one.
    Delay = Duration::from_secs(1);
    /// The longest pause.
    DelayMax = Duration::from_secs(60);
    /// A gateway that ran this long has not failed to start: the count of failures is reset.
    StableAfter = Duration::from_secs(60);
}

/// A duration as users write it: `"1m 30s"`, `"500ms"`, or whole seconds.
#[derive(Deserialize)]
#[serde(untagged)]
enum DurationText {
    Seconds(u64),
    Text(String),
}

impl DurationText {
    fn read(self) -> Result<Duration, String> {
        let longest = Duration::from_secs(24 * 60 * 60);
        let duration = match &self {
            Self::Seconds(seconds) => Some(Duration::from_secs(*seconds)),
            Self::Text(text) => text
                .parse::<jiff::SignedDuration>()
                .ok()
                .and_then(|duration| Duration::try_from(duration).ok()),
        };
        duration.filter(|duration| *duration <= longest).ok_or_else(|| {
            let given = match self {
                Self::Seconds(seconds) => seconds.to_string(),
                Self::Text(text) => format!("{text:?}"),
            };
            format!("{given} is not a duration up to 24 h: write seconds, or text like \"1m 30s\" or \"500ms\"")
        })
    }
}

/// The restart policy: what happens when the gateway fails.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Restart {
    /// The pause after the first failure.
    pub delay: Delay,
    /// The longest pause.
    pub delay_max: DelayMax,
    /// This many failures one after the other are a permanent failure; 0 means never.
    pub failures_max: u32,
    /// Running this long counts as success.
    pub stable_after: StableAfter,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text is invalid.
    #[error("`{}` line {line}, column {column}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Reads the configuration; an absent file is the default.
pub async fn read(host: &impl Host, path: &Path) -> Result<Config, ConfigError> {
    match if_present(file::read(host, path, file::RECORD_BYTES_MAX).await)? {
        None => Ok(Config::default()),
        Some(contents) => parse(path, &contents),
    }
}

fn parse(path: &Path, contents: &[u8]) -> Result<Config, ConfigError> {
    let invalid = |offset: usize, message: String| {
        let before = String::from_utf8_lossy(&contents[..offset.min(contents.len())]).into_owned();
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        ConfigError::Invalid {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: last_line.chars().count() + 1,
            message,
        }
    };
    let text = std::str::from_utf8(contents)
        .map_err(|error| invalid(error.valid_up_to(), "it is not UTF-8".to_owned()))?;
    toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        invalid(offset, error.message().lines().collect::<Vec<_>>().join("; "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn check(text: &str) -> Result<Config, String> {
        parse(Path::new("gateway.toml"), text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_is_the_built_in_gateway() {
        assert_eq!(check(""), Ok(Config::default()));
    }

    #[test]
    fn every_key_is_read() {
        let config = check(
            "command = [\"bot\", \"-v\"]\nenv = { TOKEN = \"x\" }\npass_env = [\"LANG\"]\nport = 9000\n\
             ready = \"http\"\nready_timeout = 5\ndrain_timeout = \"1m 30s\"\n\
             [restart]\ndelay = \"500ms\"\ndelay_max = 10\nfailures_max = 3\nstable_after = \"2m\"\n",
        )
        .expect("legal");
        assert_eq!(config.command.map(|command| command.args), Some(vec!["-v".to_owned()]));
        assert_eq!(config.drain_timeout.0, Duration::from_secs(90));
        assert_eq!(config.restart.delay.0, Duration::from_millis(500));
        assert_eq!(config.restart.failures_max, 3);
    }

    #[test]
    fn a_day_is_the_longest_duration() {
        let config = check("drain_timeout = \"24h\"").expect("legal");
        assert_eq!(config.drain_timeout.0, Duration::from_secs(86_400));
    }

    #[rstest]
    #[case("port = 1\nprot = 2\n", "`gateway.toml` line 2, column 1: unknown field `prot`")]
    #[case("port = 0", "`gateway.toml` line 1, column 8: port 0 is not between 1 and 65535")]
    #[case("ready = \"soon\"", "`gateway.toml` line 1, column 9: unknown variant `soon`")]
    #[case("command = []", "`gateway.toml` line 1, column 11: `command` names no program")]
    #[case("command = [\"\"]", "`gateway.toml` line 1, column 11: `command` names no program")]
    #[case("drain_timeout = 86401", "`gateway.toml` line 1, column 17: 86401 is not a duration")]
    #[case(
        "drain_timeout = \"-3s\"",
        "`gateway.toml` line 1, column 17: \"-3s\" is not a duration"
    )]
    #[case("port = ", "`gateway.toml` line 1, column 8: ")]
    fn a_bad_key_or_value_is_named_with_its_place(#[case] text: &str, #[case] beginning: &str) {
        let error = check(text).unwrap_err();
        assert!(error.starts_with(beginning), "{error}");
    }
}
