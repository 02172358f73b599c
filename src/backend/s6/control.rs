//! Control commands to s6: `s6-svc` for one slot, `s6-svscanctl` for the scan directory. Exit 0 means only that the
//! bytes are in a FIFO; a caller that needs more waits for the state.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::super::tool::{self, ToolCall};
use super::S6;
use crate::host::Host;
use crate::host::effect::{Finished, Program};
use crate::name::{Profile, Slot};
use crate::record::file;
use crate::supervisor::{Cause, SupervisorError};

/// The tools answer in a millisecond; one that does not is hung.
const TOOL_TIMEOUT: Duration = Duration::from_secs(10);

/// After a slot was published its supervisor needs a moment before it listens; on a busy machine a long one.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// A container that is just starting reconciles its profiles before its s6-svscan listens.
const SCANNER_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends control letters to a profile's slot, and gives its supervisor a moment to appear.
pub(super) async fn send_control<H: Host>(
    s6: &S6<'_, H>,
    profile: &Profile,
    action: &'static str,
    letters: &'static str,
) -> Result<(), SupervisorError> {
    let slot = Slot::for_profile(profile);
    let dir = s6.slot_dir(profile);
    retry_until_listening(s6, slot.as_str(), LISTEN_TIMEOUT, async || {
        send_control_to_dir(s6, &dir, slot.as_str(), action, letters).await
    })
    .await
}

/// Has the scan directory's s6-svscan look for new slots, giving it a moment to appear: a container may just be starting.
pub(super) async fn rescan<H: Host>(s6: &S6<'_, H>) -> Result<(), SupervisorError> {
    let service = s6.scan_dir.display().to_string();
    retry_until_listening(s6, &service, SCANNER_TIMEOUT, async || {
        send_scanner_control(s6, "rescan", "-a").await
    })
    .await
}

async fn retry_until_listening<H: Host>(
    s6: &S6<'_, H>,
    service: &str,
    timeout: Duration,
    mut send: impl AsyncFnMut() -> Result<(), SupervisorError>,
) -> Result<(), SupervisorError> {
    let sent = file::poll(s6.host, timeout, async || match send().await {
        Err(SupervisorError::Command { cause: Cause::NotListening, .. }) => {
            mark!("H28");
            Ok(None)
        }
        other => other.map(Some),
    });
    sent.await?.ok_or_else(|| SupervisorError::NotListening(service.to_owned()))
}

/// Sends control letters to the service in this directory, once.
pub(super) async fn send_control_to_dir<H: Host>(
    s6: &S6<'_, H>,
    dir: &Path,
    service: &str,
    action: &'static str,
    letters: &'static str,
) -> Result<(), SupervisorError> {
    run_tool(s6, "s6-svc", action, service, [OsString::from(letters), dir.into()]).await.map(drop)
}

/// Sends control letters to the scan directory's s6-svscan. Never stop letters: combined with a scan they hang it (s6
/// 2.12 on).
pub(super) async fn send_scanner_control<H: Host>(
    s6: &S6<'_, H>,
    action: &'static str,
    letters: &'static str,
) -> Result<(), SupervisorError> {
    let service = s6.scan_dir.display().to_string();
    let args = [OsString::from(letters), s6.scan_dir.clone().into()];
    run_tool(s6, "s6-svscanctl", action, &service, args).await.map(drop)
}

/// Runs one of s6's tools, with an empty environment, and reads its failure.
pub(super) async fn run_tool<H: Host>(
    s6: &S6<'_, H>,
    tool: &'static str,
    action: &'static str,
    service: &str,
    args: impl IntoIterator<Item = OsString>,
) -> Result<Finished, SupervisorError> {
    let path = s6.tools.path(tool)?;
    let program = Program { path, args: args.into_iter().collect(), ..Program::default() };
    let act = ToolCall { tool, action, service, timeout: TOOL_TIMEOUT };
    match tool::run(s6.host, act, program, cause).await {
        Err(SupervisorError::NoTool { .. }) => Err(s6.tools.missing(tool)),
        ran => ran,
    }
}

/// "Not listening" is exit 100 with this text before s6 2.14, and exit 102 since. A supervisor that is just starting
/// has made its directory and not its control FIFO yet: exit 100, since 2.14 exit 1.
fn cause(code: i32, stderr: &str) -> Cause {
    let no_fifo_yet = stderr.contains("something is wrong with the")
        && stderr.contains("No such file or directory");
    if code == 111 && stderr.contains("Permission denied") {
        mark!("R4");
        Cause::Forbidden
    } else if code == 102
        || (code == 100 && stderr.contains("supervisor not listening"))
        || (matches!(code, 1 | 100) && no_fifo_yet)
    {
        Cause::NotListening
    } else {
        Cause::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(111, "s6-svc: fatal: unable to control x: Permission denied", Cause::Forbidden)]
    #[case(
        100,
        "s6-svc: fatal: : unable to control x: supervisor not listening",
        Cause::NotListening
    )]
    #[case(
        102,
        "s6-svc: warning: unable to control x: supervisor not listening",
        Cause::NotListening
    )]
    #[case(
        100,
        "s6-svscanctl: fatal: something is wrong with the x/.s6-svscan directory. errno reported: No such file or directory",
        Cause::NotListening
    )]
    #[case(
        1,
        "s6-svc: warning: something is wrong with the x/supervise directory: No such file or directory",
        Cause::NotListening
    )]
    #[case(100, "s6-svc: usage: s6-svc ...", Cause::Unknown)]
    #[case(111, "s6-svc: fatal: unable to control x: No such file or directory", Cause::Unknown)]
    fn the_cause_is_read_from_every_version(
        #[case] code: i32,
        #[case] stderr: &str,
        #[case] expected: Cause,
    ) {
        assert_eq!(cause(code, stderr), expected);
    }
}
