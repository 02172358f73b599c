//! Exit codes for a supervisor that knows success and failure alone: launchd starts again what failed (`KeepAlive` with
//! `SuccessfulExit` false) and leaves alone what succeeded. So what shall stay down succeeds, and all else fails.

use crate::cli::exit::Exit;
use crate::gateway::Setup;
use crate::host::Host;
use crate::record::intent::{self, Intent};
use crate::supervisor::PERMANENT_FAILURE;

/// Are we the supervised child of such a one?
pub(super) fn is_asked_for(setup: &Setup) -> bool {
    let supervisor = setup.env.get(std::ffi::OsStr::new("HERMES_SUPERVISOR"));
    setup.supervised && supervisor.is_some_and(|word| word == "launchd")
}

/// The code to end with at once, where the gateway shall not run; one that cannot find out is tried again.
pub(super) async fn not_to_run<H: Host>(host: &H, setup: &Setup) -> Option<u8> {
    match intent(host, setup).await {
        None => Some(Exit::Failed.code()),
        Some(Intent::Stopped) => Some(Exit::Done.code()),
        Some(Intent::Running) => None,
    }
}

/// The code that has the gateway come back or stay down, as its own code says under other supervisors.
pub(super) async fn code<H: Host>(host: &H, setup: &Setup, code: u8) -> u8 {
    match code {
        PERMANENT_FAILURE => Exit::Done.code(),
        // Its command ended by itself: s6 and systemd would start it again.
        0 if intent(host, setup).await != Some(Intent::Stopped) => Exit::RestartAsked.code(),
        code => code,
    }
}

/// The operator's word; `None` if it cannot be read just now.
async fn intent<H: Host>(host: &H, setup: &Setup) -> Option<Intent> {
    intent::in_force(host, &setup.layout, &setup.profile).await.ok().map(|prior| prior.intent)
}
