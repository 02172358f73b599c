//! The exit code decides whether a gateway comes back, under supervisors that cannot be told beforehand.
//!
//! launchd distinguishes only success and failure: it restarts an agent that failed (`KeepAlive` with `SuccessfulExit`
//! false) and leaves one that succeeded. So a gateway that shall stay down exits with success, and any other with
//! failure. Windows' Task Scheduler starts every task that does not run: there a gateway whose configuration is wrong
//! disables its own task.

use std::ffi::OsStr;

use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session;
use crate::gateway::Setup;
use crate::host::Host;
use crate::record::intent::{self, Intent};
use crate::supervisor::{PERMANENT_FAILURE, SupervisorError};

/// The supervisor that started us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RestartRule {
    Launchd,
    Windows,
}

fn restart_rule(setup: &Setup) -> Option<RestartRule> {
    let supervisor = setup.env.get(OsStr::new("HERMES_SUPERVISOR")).filter(|_| setup.supervised)?;
    match supervisor.to_str()? {
        "launchd" => Some(RestartRule::Launchd),
        "windows" => Some(RestartRule::Windows),
        _ => None,
    }
}

/// The code to exit with at once if the gateway shall not run. If that cannot be found out, the gateway is retried.
pub(super) async fn code_if_stopped<H: Host>(host: &H, setup: &Setup) -> Option<u8> {
    restart_rule(setup)?;
    match read_intent(host, setup).await {
        None => Some(Exit::Failed.code()),
        Some(Intent::Stopped) if planted!(IntentNotCheckedAtStart) => None,
        Some(Intent::Stopped) => Some(Exit::Done.code()),
        Some(Intent::Running) => None,
    }
}

/// Translates the gateway's exit code, so that it comes back or stays down as it would under other supervisors.
pub(super) async fn translate_code<H: Host>(output: &Output<'_, H>, setup: &Setup, code: u8) -> u8 {
    match (restart_rule(setup), code) {
        (Some(RestartRule::Launchd), PERMANENT_FAILURE) if planted!(AgentTriesAgain) => code,
        (Some(RestartRule::Launchd), PERMANENT_FAILURE) => Exit::Done.code(),
        (Some(RestartRule::Launchd), 0) if planted!(SuccessIsFinal) => code,
        // Its command ended by itself: s6 and systemd would restart it.
        (Some(RestartRule::Launchd), 0)
            if read_intent(output.host, setup).await != Some(Intent::Stopped) =>
        {
            Exit::RestartAsked.code()
        }
        (Some(RestartRule::Windows), PERMANENT_FAILURE) if !planted!(TaskTriesAgain) => {
            if let Err(error) = disable_task(output.host, setup).await {
                output.print_error(&format!("gateway '{}': {error}\n", setup.profile)).await;
            }
            code
        }
        _ => code,
    }
}

async fn disable_task<H: Host>(host: &H, setup: &Setup) -> Result<(), SupervisorError> {
    session::windows(host, &setup.layout, &setup.env).disable(&setup.profile).await
}

/// The intent; `None` if it cannot be read just now.
async fn read_intent<H: Host>(host: &H, setup: &Setup) -> Option<Intent> {
    intent::read_in_force(host, &setup.layout, &setup.profile)
        .await
        .ok()
        .map(|inferred| inferred.intent)
}
