//! The end itself: the last word is written, the failure counted, and the process exits, at once or held back.
//!
//! Whatever worked has been told to end before; what is still there of a command is killed here.

use std::time::Duration;

use super::diary::{self, Word};
use super::ending::{Ending, Failure};
use super::stop::{self, Stop};
use super::{Context, Core, Phase, Step, child};
use crate::error::HostError;
use crate::host::effect::{Event, Interests};
use crate::host::{Host, proc, time};
use crate::supervisor::PERMANENT_FAILURE;

/// Writes the last word and ends the process.
pub(super) async fn finish<H: Host>(
    context: &mut Context<'_, H>,
    core: &mut Core,
    ending: Ending,
) -> Step {
    child::release(context, core).await;
    let counts = core.tally.unproven && ending.counts();
    core.tally.unproven = false;
    let asked = match &ending {
        Ending::Asked(stop) => Some(stop.reason()),
        Ending::Failed(_) => None,
    };
    let (word, code) = match ending {
        Ending::Asked(stop) => {
            // A stop that nobody planned does not hide why the starts before it failed.
            if stop == Stop::Planned || core.tally.failures == 0 {
                core.tally.reason = Some(stop.reason());
            }
            (stop.word(), stop.code())
        }
        Ending::Failed(failure) if counts => count(context, core, failure).await,
        Ending::Failed(failure) => {
            core.tally.reason = Some(failure.reason);
            (failure.word, failure.code)
        }
    };
    let reason = asked.or_else(|| core.tally.reason.clone()).unwrap_or_default();
    context.note(format_args!("ends with code {code}, {}: {reason}", word.text()));
    if core.lock.is_some() {
        diary::write_last(context, core, word).await;
        diary::remove_pid(context).await;
    }
    if counts && core.diary_trouble.is_some() && context.setup.supervised {
        return hold_back(context, core, code).await;
    }
    Step::Exit(code)
}

/// One failure more; the last one that is allowed is permanent.
async fn count<H: Host>(
    context: &mut Context<'_, H>,
    core: &mut Core,
    failure: Failure,
) -> (Word, u8) {
    // Without a clock the pause is measured from 1970, that is none: the count itself is what matters.
    let wall = time::wall(context.host).await.unwrap_or_default();
    core.tally.count(&core.config.restart, wall, failure.reason);
    if core.tally.is_exhausted(&core.config.restart) {
        (Word::StartupFailed, PERMANENT_FAILURE)
    } else {
        (failure.word, failure.code)
    }
}

/// A failure that could not be noted cannot slow the next start, so the exit waits in its place.
async fn hold_back<H: Host>(context: &mut Context<'_, H>, core: &Core, code: u8) -> Step {
    let pause = core.config.restart.delay_max.0;
    match time::boot(context.host).await {
        Ok(now) if code != PERMANENT_FAILURE && !pause.is_zero() => {
            context.note(format_args!("holds its exit back for {} s", pause.as_secs_f32()));
            Step::To(Phase::Parting { code, until: now + pause })
        }
        _ => Step::Exit(code),
    }
}

/// Waits until the exit is due, or a signal wants it now.
pub(super) async fn part<H: Host>(
    context: &mut Context<'_, H>,
    core: &Core,
    code: u8,
    until: Duration,
) -> Result<Step, HostError> {
    match proc::wait(context.host, Interests { until: Some(until), ..Interests::default() }).await {
        Ok(Event::Signal(signal)) => {
            Ok(Step::Exit(stop::classify(context, core, signal).await.code()))
        }
        _ => Ok(Step::Exit(code)),
    }
}
