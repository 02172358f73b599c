//! Runs `launchctl` and parses its answers. Uses only subcommands that launchctl(1) documents, and no output that it
//! declares to be no interface (`print`).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::super::tool::{self, ToolCall};
use crate::host::effect::{Pid, Program, Signal, Status};
use crate::host::{Host, fs};
use crate::supervisor::{Cause, SupervisorError};

/// Where macOS has it.
const PLACE: &str = "/bin";

/// "No such process": nothing of that name is loaded (`bootout`).
pub(super) const NOT_RUNNING: i32 = 3;
/// "Operation now in progress": the request is being carried out (`bootout`, `bootstrap`).
pub(super) const IN_PROGRESS: i32 = 36;
/// "Operation already in progress": it is loaded (`bootstrap`).
pub(super) const ALREADY: i32 = 37;
/// "Could not find specified service" (`kickstart`, `kill`, `bootout`).
pub(super) const NOT_FOUND: i32 = 113;
/// "Domain does not support specified action": no user is logged in at the screen.
const NO_DOMAIN: i32 = 125;

/// The program, and the user it is run for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Launchctl {
    dir: PathBuf,
    env: BTreeMap<OsString, OsString>,
}

impl Launchctl {
    pub(super) fn new(env: &BTreeMap<OsString, OsString>, bin_dir: Option<PathBuf>) -> Self {
        let home = env.get(OsStr::new("HOME")).map(|home| ("HOME".into(), home.clone()));
        let dir = bin_dir.unwrap_or_else(|| PLACE.into());
        Self { dir, env: home.into_iter().collect() }
    }

    /// `launchctl ACTION ARGS…`: what it printed.
    pub(super) async fn run_action<H: Host>(
        &self,
        host: &H,
        action: &'static str,
        service: &str,
        args: &[&str],
    ) -> Result<String, SupervisorError> {
        let tool = "launchctl";
        let path = self.dir.join(tool);
        let missing = || SupervisorError::NoTool { tool, looked_in: vec![self.dir.clone()] };
        if fs::meta(host, &path).await.is_err() {
            return Err(missing());
        }
        let args = std::iter::once(action).chain(args.iter().copied()).map(OsString::from);
        let program =
            Program { path, args: args.collect(), env: self.env.clone(), ..Program::default() };
        let act = ToolCall { tool, action, service, timeout: tool::TIMEOUT };
        let finished = tool::run(host, act, program, cause).await?;
        Ok(String::from_utf8_lossy(&finished.stdout).into_owned())
    }
}

/// Over ssh there may be no `gui` domain at all; subcommands report that with different codes.
fn cause(code: i32, stderr: &str) -> Cause {
    match code == NO_DOMAIN || stderr.contains("Could not find domain") {
        true => Cause::NoBus,
        false => Cause::Unknown,
    }
}

/// Codes which mean that the requested state is reached already, or is being reached.
pub(super) fn accept_codes(
    codes: &[i32],
    result: Result<String, SupervisorError>,
) -> Result<(), SupervisorError> {
    match result {
        Err(SupervisorError::Command { code, .. }) if codes.contains(&code) => Ok(()),
        other => other.map(drop),
    }
}

/// One line of `launchctl list`: its process, and how it ended the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) pid: Option<Pid>,
    pub(super) last: Status,
}

/// The line of this label, if it is loaded: `PID<tab>Status<tab>Label`, a negative status being a signal.
pub(super) fn parse_job(list: &str, label: &str) -> Result<Option<Job>, String> {
    let line = list.lines().find(|line| line.rsplit('\t').next() == Some(label));
    let Some(line) = line else { return Ok(None) };
    let odd = || format!("launchctl lists it as {line:?}");
    let mut fields = line.split('\t');
    let (pid, status) = (fields.next().ok_or_else(odd)?, fields.next().ok_or_else(odd)?);
    let pid = match pid {
        "-" => None,
        number => Some(number.parse().ok().and_then(Pid::new).ok_or_else(odd)?),
    };
    let status: i32 = status.parse().map_err(|_| odd())?;
    let last = match u8::try_from(status) {
        Ok(code) => Status::Exited(code),
        Err(_) if status < 0 => Status::Signalled(Signal(status.saturating_neg())),
        Err(_) => return Err(odd()),
    };
    Ok(Some(Job { pid, last }))
}

/// Is it disabled? `"LABEL" => disabled` since macOS 13, `=> true` before.
pub(super) fn is_disabled(print_disabled: &str, label: &str) -> bool {
    let quoted = format!("\"{label}\" =>");
    print_disabled.lines().any(|line| {
        line.trim()
            .strip_prefix(&quoted)
            .is_some_and(|state| matches!(state.trim(), "disabled" | "true"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const LIST: &str = "PID\tStatus\tLabel\n-\t0\tcom.apple.x\n42\t0\thermes.gateway.a\n-\t75\thermes.gateway.b\n-\t-9\thermes.gateway.c\n";

    #[rstest]
    #[case("hermes.gateway.a", Some((Some(42), Status::Exited(0))))]
    #[case("hermes.gateway.b", Some((None, Status::Exited(75))))]
    #[case("hermes.gateway.c", Some((None, Status::Signalled(Signal::KILL))))]
    #[case("hermes.gateway", None)]
    fn a_job_is_read_from_the_list(
        #[case] label: &str,
        #[case] expected: Option<(Option<i64>, Status)>,
    ) {
        let expected = expected.map(|(pid, last)| Job { pid: pid.and_then(Pid::new), last });
        assert_eq!(parse_job(LIST, label), Ok(expected));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let expected = "launchctl lists it as \"x\\t0\\tl\"".to_owned();
        assert_eq!(parse_job("x\t0\tl", "l"), Err(expected));
    }

    #[rstest]
    #[case(125, "Bootstrap failed: 125: Domain does not support specified action", Cause::NoBus)]
    #[case(112, "Could not find domain for user gui: 501", Cause::NoBus)]
    #[case(5, "Bootstrap failed: 5: Input/output error", Cause::Unknown)]
    fn a_login_that_is_missing_is_known(
        #[case] code: i32,
        #[case] stderr: &str,
        #[case] expected: Cause,
    ) {
        assert_eq!(cause(code, stderr), expected);
    }

    #[rstest]
    #[case("\t\"hermes.gateway.a\" => disabled\n", true)]
    #[case("\t\"hermes.gateway.a\" => true\n", true)]
    #[case("\t\"hermes.gateway.a\" => enabled\n", false)]
    #[case("\t\"hermes.gateway.ab\" => disabled\n", false)]
    #[case("", false)]
    fn a_disabled_service_is_known(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_disabled(text, "hermes.gateway.a"), expected);
    }
}
