//! Plays again what a search found, move by move: a schedule as it was found, or a scenario with its own surprises.

use std::sync::Arc;

use crate::check::search::crash_matrix::{self, AfterFirstCrash};
use crate::check::search::{Finding, Schedule};
use crate::execution::{Execution, Failure, Transition};
use crate::scenario::{FoundBy, Scenario};

/// A story that makes more moves than this is given up.
const TRANSITIONS_MAX: u64 = 1_000_000;

/// How a scenario that was told came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayOutcome {
    /// Everything held.
    Held,
    /// This was broken.
    Violated(Failure),
    /// A surprise never came up: nothing is proved.
    FaultNotReached(Failure),
}

/// Told of each move before it is taken.
pub type TransitionObserver<'a> = &'a mut dyn FnMut(&Execution, &Transition);

/// Plays a scenario calmly, with its own surprises, and concludes it. What each move did is in `heard` of the play.
/// `done` is told of the play when it is over, however it ended.
pub fn retrace_scenario(
    scenario: &Arc<Scenario>,
    see: TransitionObserver<'_>,
    done: &mut dyn FnMut(&Execution),
) -> ReplayOutcome {
    let mut play = match Execution::new(scenario) {
        Ok(play) => play,
        Err(failure) => return ReplayOutcome::Violated(failure),
    };
    play.recorded = Some(Vec::new());
    let ended = run_to_outcome(&mut play, see);
    done(&play);
    ended
}

fn run_to_outcome(play: &mut Execution, see: TransitionObserver<'_>) -> ReplayOutcome {
    if let Err(failure) = run_schedule(play, &Schedule::default(), see) {
        return ReplayOutcome::Violated(failure);
    }
    // A surprise may come up in the boots that conclude the run.
    let concluded = settle_and_check(play, see);
    if let (Some(failure), None) = (play.unreached_fault(), play.missed_expectation()) {
        return ReplayOutcome::FaultNotReached(failure);
    }
    if let Err(failure) = concluded {
        return ReplayOutcome::Violated(failure);
    }
    play.missed_expectation().cloned().map_or(ReplayOutcome::Held, ReplayOutcome::Violated)
}

/// Plays what a search found. The crash matrix cuts the story off after its last crash; the others play it to the end.
pub fn retrace_finding(
    scenario: &Arc<Scenario>,
    found: &Finding,
    by: Option<FoundBy>,
    see: TransitionObserver<'_>,
) -> Result<(), Failure> {
    let mut play = Execution::new(scenario)?;
    if by != Some(FoundBy::CrashMatrix) {
        run_schedule(&mut play, &found.schedule, see)?;
        return settle_and_check(&mut play, see);
    }
    let goes_on = if found.changed_scenario.is_some() {
        AfterFirstCrash::Continue
    } else {
        AfterFirstCrash::CutOff
    };
    crash_matrix::replay_schedule(&mut play, &found.schedule, goes_on, see)
}

fn run_schedule(
    play: &mut Execution,
    schedule: &Schedule,
    see: TransitionObserver<'_>,
) -> Result<(), Failure> {
    let mut surprises = schedule.0.iter().peekable();
    while play.transition_count < TRANSITIONS_MAX {
        if play.is_finished() && surprises.peek().is_none() {
            break;
        }
        let due =
            surprises.next_if(|(at, _)| *at == play.transition_count).map(|(_, next)| next.clone());
        let Some(next) = due.or_else(|| play.baseline_transition()) else { break };
        see(play, &next);
        play.step(&next)?;
    }
    Ok(())
}

fn settle_and_check(play: &mut Execution, see: TransitionObserver<'_>) -> Result<(), Failure> {
    play.skip_remaining_steps();
    Schedule::default().run(play, true, see)
}
