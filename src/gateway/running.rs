//! A ready gateway: it reports readiness, serves or watches its command, and forgets old failures once it has run long
//! enough.
//!
//! Nothing here ends the work: a signal leads to `drain.rs`.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use super::environment::NOTIFY_SOCKET;
use super::exit_reason::ExitReason;
use super::server::ServeState;
use super::state_file::{self, GatewayState};
use super::{Core, Phase, Step, TurnContext, Work, drain, server, stop};
use crate::error::HostError;
use crate::host::effect::{Event, Interests};
use crate::host::{Host, fs, net, proc, time};

/// Retry interval for a state file that could not be written.
const STATE_FILE_RETRY: Duration = Duration::from_secs(10);

/// The gateway is ready from now on.
pub(super) async fn enter<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    work: Work,
) -> Result<Step, HostError> {
    core.tally.reason = None;
    state_file::write_ready(context, core).await;
    notify_ready(context, core).await;
    context.add_note(format_args!("running on port {}", core.port));
    let stable_at = time::boot(context.host).await? + core.config.restart.stable_after.0;
    Ok(Step::To(Phase::Running { work, stable_at: Some(stable_at) }))
}

/// One newline on the descriptor that s6 gave us, one datagram to the socket that systemd named.
async fn notify_ready<H: Host>(context: &mut TurnContext<'_, H>, core: &mut Core) {
    if let Some(path) = context.setup.env.get(OsStr::new(NOTIFY_SOCKET)) {
        let written = send_sd_notify(context.host, Path::new(path)).await;
        context.record_failure(written);
    }
    let Some(notify) = core.notify.take() else { return };
    let written = fs::write(context.host, &notify, b"\n").await.map(drop);
    let closed = fs::close(context.host, notify).await;
    context.record_failure(written.and(closed));
}

/// The whole of `sd_notify(3)` that a gateway needs. The crates that do it read the environment and hide three system
/// calls behind one function; through the door each of them can be cut, failed and simulated.
async fn send_sd_notify(host: &impl Host, path: &Path) -> Result<(), HostError> {
    let socket = net::connect_local(host, path).await?;
    let written = fs::write(host, &socket, b"READY=1").await.map(drop);
    let closed = fs::close(host, socket).await;
    written.and(closed)
}

pub(super) async fn turn<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    mut work: Work,
    mut stable_at: Option<Duration>,
) -> Result<Step, HostError> {
    let mut interests = work.interests(context.host).await?;
    interests.until =
        time::earliest([interests.until, stable_at, state_file_retry(context, core).await?]);
    let event = proc::wait(context.host, interests).await?;
    let now = time::boot(context.host).await?;
    if stable_at.is_some_and(|at| now >= at) {
        stable_at = None;
        core.tally.reset();
        state_file::write_live_state(context, core, GatewayState::Running).await;
    } else if event == Event::Deadline && core.state_file_error.is_some() {
        state_file::write_live_state(context, core, GatewayState::Running).await;
    }
    match event {
        Event::Signal(signal) => {
            let stop = stop::classify(context, core, signal).await;
            return drain::begin(context, core, work, ExitReason::Asked(stop), signal).await;
        }
        Event::Child(status) => {
            let ending = ExitReason::from_command_status(status, GatewayState::Running);
            return drain::drain_remaining(context, core, work, ending).await;
        }
        Event::Readable(_) | Event::Deadline => {}
    }
    if let Work::BuiltIn(server) = &mut work {
        server::handle_event(context, core, server, ServeState::Open, event, now).await;
    }
    Ok(Step::To(Phase::Running { work, stable_at }))
}

impl Work {
    /// The events that this work waits for.
    pub(super) async fn interests(&self, host: &impl Host) -> Result<Interests, HostError> {
        match self {
            Self::Command(child) => Ok(Interests { child: Some(*child), ..Interests::default() }),
            Self::RemainingGroup { next_check: look_at, .. } => {
                Ok(Interests { until: *look_at, ..Interests::default() })
            }
            Self::BuiltIn(server) => server.interests(host).await,
        }
    }
}

async fn state_file_retry<H: Host>(
    context: &TurnContext<'_, H>,
    core: &Core,
) -> Result<Option<Duration>, HostError> {
    match core.state_file_error {
        None => Ok(None),
        Some(_) => Ok(Some(time::boot(context.host).await? + STATE_FILE_RETRY)),
    }
}
