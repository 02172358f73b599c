//! Whether a gateway comes back, where its supervisor cannot be told beforehand.
//!
//! launchd knows success and failure alone: it starts again what failed (`KeepAlive` with `SuccessfulExit` false) and
//! leaves alone what succeeded. So what shall stay down succeeds, and all else fails. Windows' Task Scheduler starts
//! whatever does not run: there a gateway whose configuration is wrong disables its own task.

use std::ffi::OsStr;

use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session;
use crate::gateway::Setup;
use crate::host::Host;
use crate::record::intent::{self, Intent};
use crate::supervisor::{PERMANENT_FAILURE, SupervisorError};

/// Whose supervised child we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Launchd,
    Windows,
}

fn by(setup: &Setup) -> Option<By> {
    let word = setup.env.get(OsStr::new("HERMES_SUPERVISOR")).filter(|_| setup.supervised)?;
    match word.to_str()? {
        "launchd" => Some(By::Launchd),
        "windows" => Some(By::Windows),
        _ => None,
    }
}

/// The code to end with at once, where the gateway shall not run; one that cannot find out is tried again.
pub(super) async fn not_to_run<H: Host>(host: &H, setup: &Setup) -> Option<u8> {
    by(setup)?;
    match intent(host, setup).await {
        None => Some(Exit::Failed.code()),
        Some(Intent::Stopped) if planted!(WordNotAskedAtStart) => None,
        Some(Intent::Stopped) => Some(Exit::Done.code()),
        Some(Intent::Running) => None,
    }
}

/// The code that has the gateway come back or stay down, as its own code says under other supervisors.
pub(super) async fn code<H: Host>(output: &Output<'_, H>, setup: &Setup, code: u8) -> u8 {
    match (by(setup), code) {
        (Some(By::Launchd), PERMANENT_FAILURE) if planted!(AgentTriesAgain) => code,
        (Some(By::Launchd), PERMANENT_FAILURE) => Exit::Done.code(),
        (Some(By::Launchd), 0) if planted!(SuccessIsFinal) => code,
        // Its command ended by itself: s6 and systemd would start it again.
        (Some(By::Launchd), 0) if intent(output.host, setup).await != Some(Intent::Stopped) => {
            Exit::RestartAsked.code()
        }
        (Some(By::Windows), PERMANENT_FAILURE) if !planted!(TaskTriesAgain) => {
            if let Err(error) = rest(output.host, setup).await {
                output.err(&format!("gateway '{}': {error}\n", setup.profile)).await;
            }
            code
        }
        _ => code,
    }
}

async fn rest<H: Host>(host: &H, setup: &Setup) -> Result<(), SupervisorError> {
    session::windows(host, &setup.layout, &setup.env).rest(&setup.profile).await
}

/// The operator's word; `None` if it cannot be read just now.
async fn intent<H: Host>(host: &H, setup: &Setup) -> Option<Intent> {
    intent::in_force(host, &setup.layout, &setup.profile).await.ok().map(|prior| prior.intent)
}
