//! A slot as data: the files of a service directory, rendered from facts.
//!
//! Pure. Each script is one `exec` line: what it comes to is a command of ours (`cli/gateway`), typed and simulated. The
//! home never appears in a script: it is read from the environment when the script runs, so that a container started with
//! another `HERMES_HOME` logs there.

use std::time::Duration;

use super::tools::Tools;
use crate::supervisor::{ServiceSpec, TargetState};

/// One file of a slot, by its path below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotFile {
    /// `run`, `log/run`.
    pub path: &'static str,
    /// Permission bits.
    pub mode: u32,
    /// The whole text.
    pub contents: String,
}

/// The descriptor on which the gateway says that it is ready.
const NOTIFICATION_FD: i32 = 3;

/// The file whose presence keeps s6-supervise from starting the service by itself.
pub(super) const DOWN: &str = "down";

/// All files of a profile's slot.
pub fn render(spec: &ServiceSpec, at_start: TargetState, tools: &Tools) -> Vec<SlotFile> {
    // 0 is for ever.
    let kill_after = if planted!(NeverKilled) { Duration::ZERO } else { spec.kill_after };
    let mut files = vec![
        SlotFile { path: "type", mode: 0o644, contents: "longrun\n".to_owned() },
        SlotFile { path: "run", mode: 0o755, contents: run(spec, tools) },
        SlotFile { path: "finish", mode: 0o755, contents: finish(spec) },
        SlotFile { path: "notification-fd", mode: 0o644, contents: format!("{NOTIFICATION_FD}\n") },
        SlotFile {
            path: "timeout-kill",
            mode: 0o644,
            contents: format!("{}\n", kill_after.as_millis()),
        },
        SlotFile { path: "log/type", mode: 0o644, contents: "longrun\n".to_owned() },
        SlotFile { path: "log/run", mode: 0o755, contents: log_run(spec, tools) },
    ];
    if at_start == TargetState::Down {
        files.push(SlotFile { path: DOWN, mode: 0o644, contents: String::new() });
    }
    files
}

fn shebang(tools: &Tools) -> &'static str {
    if tools.with_contenv { "#!/command/with-contenv sh" } else { "#!/bin/sh" }
}

/// One process from `run` to the gateway. What it says on either stream goes to its logger.
fn run(spec: &ServiceSpec, tools: &Tools) -> String {
    format!(
        "{shebang}\n\
         # The gateway of profile '{name}'. Made by hermes, and made anew at every boot.\n\
         exec {hermes} gateway run --slot --notify-fd {NOTIFICATION_FD} 2>&1\n",
        shebang = shebang(tools),
        name = spec.profile,
        hermes = hermes(spec),
    )
}

/// Tells s6-supervise which ends are for good.
fn finish(spec: &ServiceSpec) -> String {
    format!(
        "#!/bin/sh\n\
         # How the gateway of profile '{name}' ended. Made by hermes, and made anew at every boot.\n\
         exec {hermes} gateway finish \"$@\"\n",
        name = spec.profile,
        hermes = hermes(spec),
    )
}

/// The lines go to the profile's log directory and to the container's log.
fn log_run(spec: &ServiceSpec, tools: &Tools) -> String {
    format!(
        "{shebang}\n\
         # The logger of profile '{name}'. Made by hermes, and made anew at every boot.\n\
         exec {hermes} gateway log\n",
        shebang = shebang(tools),
        name = spec.profile,
        hermes = hermes(spec),
    )
}

/// The program, for this profile.
fn hermes(spec: &ServiceSpec) -> String {
    let program = quote(&spec.program.to_string_lossy());
    match spec.profile.is_default() {
        true => program,
        false => format!("{program} -p {}", spec.profile),
    }
}

/// A word as the shell reads it back unchanged.
fn quote(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+=:,@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/usr/bin/hermes", "/usr/bin/hermes")]
    #[case("", "''")]
    #[case("a b", "'a b'")]
    #[case("it's", r"'it'\''s'")]
    #[case("$(rm)", "'$(rm)'")]
    fn a_word_is_quoted_when_the_shell_would_change_it(#[case] word: &str, #[case] expected: &str) {
        assert_eq!(quote(word), expected);
    }

    #[test]
    fn every_script_is_one_line_that_becomes_a_command_of_ours() {
        let spec = ServiceSpec {
            profile: crate::name::Profile::parse("coder").expect("legal"),
            program: "/opt/a b/hermes".into(),
            home: "/home".into(),
            log_dir: "/home/logs".into(),
            restart: crate::record::config::Restart::default(),
            kill_after: Duration::from_secs(9),
        };
        let files = render(&spec, TargetState::Up, &Tools::at("/command"));
        let scripts: Vec<(&str, Vec<&str>)> = files
            .iter()
            .filter(|file| file.mode == 0o755)
            .map(|file| {
                (file.path, file.contents.lines().filter(|it| !it.starts_with('#')).collect())
            })
            .collect();
        let line = |words: &str| format!("exec '/opt/a b/hermes' -p coder gateway {words}");
        let (run, finish, log) =
            (line("run --slot --notify-fd 3 2>&1"), line("finish \"$@\""), line("log"));
        let expected = [("run", vec![&*run]), ("finish", vec![&*finish]), ("log/run", vec![&*log])];
        assert_eq!(scripts, expected);
    }
}
