//! The exit: the final state is written, a failure is counted, and the process exits, at once or delayed.
//!
//! The work has been told to end before; remaining processes of a command are killed here.

use std::time::Duration;

use super::exit_reason::{ExitFailure, ExitReason};
use super::state_file::{self, GatewayState};
use super::stop::{self, SignalMeaning};
use super::{Core, Phase, Step, TurnContext, child};
use crate::error::HostError;
use crate::host::effect::{Event, Interests};
use crate::host::{Host, proc, time};
use crate::supervisor::PERMANENT_FAILURE;

/// Writes the final state and ends the process.
pub(super) async fn finish<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    ending: ExitReason,
) -> Step {
    child::kill_group_and_reap(context, core).await;
    let counts = core.tally.unproven && ending.counts();
    core.tally.unproven = false;
    let asked = match &ending {
        ExitReason::Asked(stop) => Some(stop.reason()),
        ExitReason::Failed(_) => None,
    };
    let (final_state, code) = match ending {
        ExitReason::Asked(stop) => {
            // An unplanned stop does not hide why the starts before it failed.
            if stop == SignalMeaning::Planned || core.tally.failures == 0 {
                core.tally.reason = Some(stop.reason());
            }
            (stop.final_state(), stop.exit_code())
        }
        ExitReason::Failed(failure) if counts => count(context, core, failure).await,
        ExitReason::Failed(failure) => {
            core.tally.reason = Some(failure.reason);
            (failure.final_state, failure.code)
        }
    };
    let reason = asked.or_else(|| core.tally.reason.clone()).unwrap_or_default();
    context.add_note(format_args!("ends with code {code}, {}: {reason}", final_state.as_str()));
    if core.lock.is_some() {
        state_file::write_final_state(context, core, final_state).await;
        state_file::remove_pidfile(context).await;
    }
    if counts && core.state_file_error.is_some() && context.setup.supervised {
        return hold_back(context, core, code).await;
    }
    Step::Exit(code)
}

/// Counts one more failure; the last allowed one is permanent.
async fn count<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    failure: ExitFailure,
) -> (GatewayState, u8) {
    // Without a clock the pause is measured from 1970, so there is none: only the count matters.
    let wall = time::wall(context.host).await.unwrap_or_default();
    core.tally.add_failure(&core.config.restart, wall, failure.reason);
    if core.tally.is_exhausted(&core.config.restart) {
        (GatewayState::StartupFailed, PERMANENT_FAILURE)
    } else {
        (failure.final_state, failure.code)
    }
}

/// A failure that could not be recorded cannot slow the next start, so the exit is delayed instead.
async fn hold_back<H: Host>(context: &mut TurnContext<'_, H>, core: &Core, code: u8) -> Step {
    let pause = core.config.restart.delay_max.0;
    match time::boot(context.host).await {
        Ok(now) if code != PERMANENT_FAILURE && !pause.is_zero() => {
            context.add_note(format_args!("holds its exit back for {} s", pause.as_secs_f32()));
            Step::To(Phase::HoldingExit { code, until: now + pause })
        }
        _ => Step::Exit(code),
    }
}

/// Waits until the exit is due, or a signal asks for it now.
pub(super) async fn part<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &Core,
    code: u8,
    until: Duration,
) -> Result<Step, HostError> {
    match proc::wait(context.host, Interests { until: Some(until), ..Interests::default() }).await {
        Ok(Event::Signal(signal)) => {
            Ok(Step::Exit(stop::classify(context, core, signal).await.exit_code()))
        }
        _ => Ok(Step::Exit(code)),
    }
}
