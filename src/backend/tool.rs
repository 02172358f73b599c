//! Runs a supervisor's own program for one act on one service, and turns a failure into the seam's error type.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Errno;
use crate::host::effect::{Finished, Program, Status};
use crate::host::{Host, proc};
use crate::supervisor::{Cause, SupervisorError};

/// For hosts: an answer comes in milliseconds, a reload of many units in a second.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// The program, the action and the service.
#[derive(Clone, Copy, Debug)]
pub(super) struct ToolCall<'a> {
    pub(super) tool: &'static str,
    pub(super) action: &'static str,
    pub(super) service: &'a str,
    /// A program that takes longer is hung.
    pub(super) timeout: Duration,
}

/// Runs it to its end; `cause` interprets the exit code and stderr of a failure.
pub(super) async fn run<H: Host>(
    host: &H,
    act: ToolCall<'_>,
    program: Program,
    cause: impl Fn(i32, &str) -> Cause,
) -> Result<Finished, SupervisorError> {
    let ToolCall { tool, action, service, timeout } = act;
    let service = service.to_owned();
    let looked_in: Vec<PathBuf> = program.path.parent().map(PathBuf::from).into_iter().collect();
    let finished = match proc::run(host, program, timeout).await {
        Ok(finished) => finished,
        Err(error) if error.errno == Errno::TIMEDOUT => {
            mark!("H29");
            return Err(SupervisorError::Hung { tool, action, service, waited: timeout });
        }
        Err(error) if error.is_absent() => {
            return Err(SupervisorError::NoTool { tool, looked_in });
        }
        Err(error) => return Err(error.into()),
    };
    let code = match finished.status {
        Status::Exited(0) => return Ok(finished),
        Status::Exited(code) => i32::from(code),
        Status::Signalled(signal) => 128 + signal.0,
    };
    let stderr = String::from_utf8_lossy(&finished.stderr).trim().replace('\n', "; ");
    let cause = cause(code, &stderr);
    Err(SupervisorError::Command { tool, action, service, code, stderr, cause })
}
