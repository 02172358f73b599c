//! Commands on a machine, as an operator types them, and their results.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::namespace::Namespace;

/// The user of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// uid 10000, no other groups.
    Hermes,
    /// uid 0.
    Root,
}

/// Where the program lies inside.
pub(super) const HERMES: &str = "/run/image/hermes";

/// What a command printed, and its exit code.
#[derive(Clone, Debug)]
pub(crate) struct CommandOutcome {
    pub(crate) line: String,
    /// `None`: a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl CommandOutcome {
    pub(super) fn of(line: String, output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("hermes prints UTF-8");
        let (out, err) = (text(output.stdout), text(output.stderr));
        Self { line, code: output.status.code(), out, err }
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code of {self}");
        self
    }

    /// Checks that stderr holds all of these.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "stderr lacks {word:?}: {self}");
        }
        assert!(!self.err.contains("panicked"), "a panic: {self}");
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not JSON, {error}: {self}"))
    }
}

impl std::fmt::Display for CommandOutcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, code, out, err } = self;
        write!(formatter, "`{line}` (exit {code:?})\n--- stdout\n{out}--- stderr\n{err}---")
    }
}

/// A program inside, its environment made of what is given alone.
pub(super) fn inside(
    namespace: &Namespace,
    user: User,
    home: &Path,
    env: &[(&str, &str)],
    argv: &[&str],
) -> Command {
    let mut command = Command::new("nsenter");
    command
        .args(["--target", &namespace.init().to_string()])
        .args(["--pid", "--mount", "--net", "--"]);
    if user == User::Hermes {
        command.args(["setpriv", "--reuid", "10000", "--regid", "10000", "--clear-groups"]);
    }
    command
        .args(argv)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HERMES_HOME", home)
        .envs(env.iter().copied())
        .current_dir("/")
        .stdin(Stdio::null());
    command
}
