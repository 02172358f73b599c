//! Renders a profile's unit. Pure.
//!
//! The gateway itself reports readiness, limits its start and delays its retries. The unit repeats the same numbers for
//! systemd, so that a program that cannot even be executed is retried ever more slowly, too.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::detect::Scope;
use crate::supervisor::{PERMANENT_FAILURE, ServiceSpec};

/// What a unit depends on besides the service's specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitParams {
    /// Which systemd reads it.
    pub scope: Scope,
    /// The version of that systemd.
    pub version: u32,
    /// The owner of the home: the user that the machine's systemd runs the gateway as.
    pub owner: u32,
}

/// The first version with growing pauses between restarts.
const STEPS_SINCE: u32 = 254;

/// Exit codes that are no failure: a planned restart (75), and a SIGTERM that hermes did not send (143).
const FINE_ENDS: &str = "75 143";

/// Sandboxing: things that no gateway needs. Settings that need a mount namespace are used in the machine's units only:
/// a user's systemd may be refused one, and the gateway would not start.
const HARDENING: &str = "\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
";

const SYSTEM_HARDENING: &str = "\
PrivateTmp=yes
ProtectSystem=full
ProtectControlGroups=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
";

/// The whole unit.
pub fn render(spec: &ServiceSpec, terms: UnitParams) -> String {
    let UnitParams { scope, version, owner } = terms;
    let name = &spec.profile;
    let mut unit = format!(
        "# The gateway of profile '{name}'. Made by hermes: `hermes -p {name} gateway install` makes it anew.\n\
         [Unit]\n\
         Description=Gateway of profile {name}\n"
    );
    if scope == Scope::System {
        unit.push_str("Wants=network-online.target\nAfter=network-online.target\n");
    }
    // `failures_max` limits restarts; a start that an operator requests is never refused.
    unit.push_str("StartLimitIntervalSec=0\n\n[Service]\nType=notify\n");
    let _ = writeln!(unit, "{}", home_line(&spec.home)); // a String takes everything
    unit.push_str("Environment=HERMES_SUPERVISOR=systemd HERMES_SUPERVISED_CHILD=1\n");
    if scope == Scope::System && !(planted!(UnitLosesItsOwner) && owner == 0) {
        let _ = writeln!(unit, "User={owner}");
    }
    let profile = if name.is_default() { String::new() } else { format!(" -p {name}") };
    let program = quote_word(&spec.program.to_string_lossy());
    let drain = seconds(spec.kill_after);
    let pauses = pauses(spec, version);
    let last_code = if planted!(UnitTriesAgain) { 0 } else { PERMANENT_FAILURE };
    let output = match scope {
        Scope::User => {
            format!("append:{}", specifiers(&spec.log_dir.join(LOG).to_string_lossy()))
        }
        // The machine's systemd would open the file as root, through whatever links the home's owner has laid there.
        Scope::System => "journal".to_owned(),
    };
    let _ = write!(
        unit,
        "ExecCondition={program}{profile} gateway intended\n\
         ExecStart={program}{profile} gateway run\n\
         Restart=always\n\
         {pauses}\
         RestartPreventExitStatus={last_code}\n\
         SuccessExitStatus={FINE_ENDS}\n\
         KillMode=mixed\n\
         TimeoutStartSec=infinity\n\
         TimeoutStopSec={drain}\n\
         StandardOutput={output}\n\
         StandardError=inherit\n\
         {HARDENING}"
    );
    if scope == Scope::System {
        let home = quote_word(&format!("-{}", spec.home.display()));
        let _ = writeln!(unit, "{SYSTEM_HARDENING}ReadWritePaths={home}");
    }
    let target = target(scope);
    let _ = write!(unit, "\n[Install]\nWantedBy={target}\n");
    unit
}

/// The log file's name, the same as under s6.
const LOG: &str = "current";

/// The target that is reached at a boot and wants the enabled units.
pub(super) fn target(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "default.target",
        Scope::System => "multi-user.target",
    }
}

/// The line that says which home the unit serves: two homes may have profiles of the same name.
pub(super) fn home_line(home: &Path) -> String {
    format!("Environment={}", quoted(&format!("HERMES_HOME={}", home.display())))
}

/// Can a unit name this path at all? Its lines end at a newline, and a carriage return is white space to it.
pub(super) fn is_expressible(path: &Path) -> bool {
    path.to_str().is_some_and(|text| !text.contains(|c: char| c.is_control()))
}

/// The same for a program: systemd starts no program whose name has a quote or a backslash, however it is escaped.
pub(super) fn can_start(program: &Path) -> bool {
    is_expressible(program) && !program.to_string_lossy().contains(['"', '\'', '\\'])
}

/// The first pause and, if systemd supports it, the steps to the longest pause, doubled at each step.
fn pauses(spec: &ServiceSpec, version: u32) -> String {
    let (first, longest) = (spec.restart.delay.0, spec.restart.delay_max.0);
    let mut lines = format!("RestartSec={}\n", seconds(first));
    if version >= STEPS_SINCE && !first.is_zero() && longest > first {
        let mut steps = 1;
        while first.saturating_mul(1 << steps) < longest {
            steps += 1;
        }
        let longest = seconds(longest);
        let _ = write!(lines, "RestartSteps={steps}\nRestartMaxDelaySec={longest}\n");
    }
    lines
}

fn seconds(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

/// A path or program, as systemd reads it back unchanged. It replaces variables in a program's arguments alone.
fn quote_word(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+=:,@".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    quoted(text)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", specifiers(text).replace('\\', r"\\").replace('"', "\\\""))
}

fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/usr/bin/hermes", "/usr/bin/hermes")]
    #[case("/srv/a b", "\"/srv/a b\"")]
    #[case("100%", "\"100%%\"")]
    #[case("$HOME", "\"$HOME\"")]
    #[case("a\"b\\c", r#""a\"b\\c""#)]
    #[case("", "\"\"")]
    fn a_word_is_quoted_when_systemd_would_change_it(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(quote_word(text), expected);
    }

    #[rstest]
    #[case(9000, "9s")]
    #[case(1500, "1500ms")]
    #[case(0, "0s")]
    fn times_are_said_in_their_unit(#[case] millis: u64, #[case] expected: &str) {
        assert_eq!(seconds(Duration::from_millis(millis)), expected);
    }

    #[rstest]
    #[case("/srv/data", true)]
    #[case("/srv/two\nlines", false)]
    fn a_path_that_no_unit_can_name_is_known(#[case] path: &str, #[case] expected: bool) {
        assert_eq!(is_expressible(Path::new(path)), expected);
    }

    #[rstest]
    #[case("/opt/my hermes/100%", true)]
    #[case("/opt/it's/hermes", false)]
    fn a_program_that_systemd_would_not_start_is_known(#[case] path: &str, #[case] expected: bool) {
        assert_eq!(can_start(Path::new(path)), expected);
    }
}
