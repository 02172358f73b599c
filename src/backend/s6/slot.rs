//! A slot as data: the files of a service directory, rendered from facts.
//!
//! Pure. The home never appears in a script: it is read from the environment when the script runs, so that a container
//! started with another `HERMES_HOME` logs there.

use std::time::Duration;

use super::tools::Tools;
use crate::name::Profile;
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

/// The variables that a slot's `run` exports, sorted by name.
const EXPORTS: [(&str, &str); 1] = [("HERMES_S6_SUPERVISED_CHILD", "1")];

/// All files of a profile's slot.
pub fn render(spec: &ServiceSpec, at_start: TargetState, tools: &Tools) -> Vec<SlotFile> {
    // 0 is for ever.
    let kill_after = if planted!(NeverKilled) { Duration::ZERO } else { spec.kill_after };
    let finish = if planted!(PermanentFailureRetried) { "#!/bin/sh\nexit 0\n" } else { FINISH };
    let mut files = vec![
        SlotFile { path: "type", mode: 0o644, contents: "longrun\n".to_owned() },
        SlotFile { path: "run", mode: 0o755, contents: run(spec, tools) },
        SlotFile { path: "finish", mode: 0o755, contents: finish.to_owned() },
        SlotFile { path: "notification-fd", mode: 0o644, contents: format!("{NOTIFICATION_FD}\n") },
        SlotFile {
            path: "timeout-kill",
            mode: 0o644,
            contents: format!("{}\n", kill_after.as_millis()),
        },
        SlotFile { path: "log/type", mode: 0o644, contents: "longrun\n".to_owned() },
        SlotFile { path: "log/run", mode: 0o755, contents: log_run(&spec.profile, tools) },
    ];
    if at_start == TargetState::Down {
        files.push(SlotFile { path: DOWN, mode: 0o644, contents: String::new() });
    }
    files
}

fn shebang(tools: &Tools) -> &'static str {
    if tools.with_contenv { "#!/command/with-contenv sh" } else { "#!/bin/sh" }
}

/// One process from `run` to the gateway: every line that starts something is an `exec`. What it says on either stream
/// goes to its logger.
fn run(spec: &ServiceSpec, tools: &Tools) -> String {
    let program = quote(&spec.program.to_string_lossy());
    let profile = match spec.profile.is_default() {
        true => String::new(),
        false => format!(" -p {}", spec.profile),
    };
    let gateway = format!("{program}{profile} gateway run --notify-fd {NOTIFICATION_FD}");
    let exports: String =
        EXPORTS.iter().map(|(name, value)| format!("export {name}={}\n", quote(value))).collect();
    let setuidgid = quote(&tools.dir_for_scripts().join("s6-setuidgid").to_string_lossy());
    format!(
        "{shebang}\n\
         # The gateway of profile '{name}'. Made by hermes, and made anew at every boot.\n\
         exec 2>&1\n\
         {exports}\
         if test \"$(id -u)\" = 0; then\n\
         \x20 exec {setuidgid} hermes {gateway}\n\
         fi\n\
         exec {gateway}\n",
        shebang = shebang(tools),
        name = spec.profile,
    )
}

/// 78 says that the configuration is wrong: 125 tells s6-supervise not to try again.
const FINISH: &str = "#!/bin/sh\nif test \"$1\" = 78; then\n  exit 125\nfi\nexit 0\n";

/// The lines go to the profile's log directory and to the container's log. Where that directory cannot be written, they
/// go to the container's log alone: a logger that dies would block the gateway as soon as the pipe is full.
fn log_run(profile: &Profile, tools: &Tools) -> String {
    let bin = tools.dir_for_scripts();
    let setuidgid = quote(&bin.join("s6-setuidgid").to_string_lossy());
    let s6_log = quote(&bin.join("s6-log").to_string_lossy());
    format!(
        "{shebang}\n\
         # The logger of profile '{profile}'. Made by hermes, and made anew at every boot.\n\
         root=${{HERMES_HOME:?}}\n\
         above=${{root%/*}}\n\
         if test \"${{above##*/}}\" = profiles; then\n\
         \x20 root=${{above%/*}}\n\
         fi\n\
         dir=$root/logs/gateways/{profile}\n\
         drop=\n\
         if test \"$(id -u)\" = 0; then\n\
         \x20 drop={drop}\n\
         {hand_over}\
         fi\n\
         if $drop mkdir -p -- \"$dir\" && $drop test -w \"$dir\"; then\n\
         \x20 exec $drop {s6_log} 1 n10 s1000000 T \"$dir\"\n\
         fi\n\
         echo \"hermes: cannot write $dir: gateway '{profile}' logs to the container's log only\" >&2\n\
         exec $drop {s6_log} 1\n",
        shebang = shebang(tools),
        drop = quote(&format!("{setuidgid} hermes")),
        hand_over = HAND_OVER,
    )
}

/// Where the tree is root's, nobody but root can let hermes speak to the slot's supervisors, and a logger always starts.
/// Root keeps what it follows by name: hermes may look and tell, and make event FIFOs. The directory that all of it lies
/// in comes last, so that whoever can look can tell, too.
const HAND_OVER: &str = r#"  hand_over() {
    chgrp "$group" "$1/supervise/control" "$1/event" &&
      chmod 0620 "$1/supervise/control" && chmod 3730 "$1/event" &&
      chgrp "$group" "$1/supervise" && chmod 0710 "$1/supervise"
  }
  group=$(id -g hermes)
  looks=0
  until hand_over .. && hand_over . || test "$looks" = 100; do
    looks=$((looks + 1))
    sleep 0.05
  done 2>/dev/null
"#;

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
}
