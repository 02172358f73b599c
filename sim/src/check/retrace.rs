//! Executes again what a search found, transition by transition: a schedule, or a scenario with its scripted faults.

use std::sync::Arc;

use crate::check::search::crash_matrix::{self, AfterFirstCrash};
use crate::check::search::{Finding, Schedule};
use crate::execution::{Execution, Failure, Transition};
use crate::scenario::{FoundBy, Scenario};

/// An execution with more transitions than this is given up.
const TRANSITIONS_MAX: u64 = 1_000_000;

/// How the execution of a scenario ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayOutcome {
    /// Everything held.
    Held,
    /// This failed.
    Violated(Failure),
    /// A scripted fault never came up: nothing is proved.
    FaultNotReached(Failure),
}

/// Gets each transition before it is taken.
pub type TransitionObserver<'a> = &'a mut dyn FnMut(&Execution, &Transition);

/// Executes the baseline of a scenario, with its scripted faults, settles and checks. The execution records the outcome of
/// each transition. `done` gets the execution when it is over, however it ended.
pub fn retrace_scenario(
    scenario: &Arc<Scenario>,
    observe: TransitionObserver<'_>,
    done: &mut dyn FnMut(&Execution),
) -> ReplayOutcome {
    let mut execution = match Execution::new(scenario) {
        Ok(execution) => execution,
        Err(failure) => return ReplayOutcome::Violated(failure),
    };
    execution.recorded = Some(Vec::new());
    let ended = run_to_outcome(&mut execution, observe);
    done(&execution);
    ended
}

fn run_to_outcome(execution: &mut Execution, observe: TransitionObserver<'_>) -> ReplayOutcome {
    if let Err(failure) = run_schedule(execution, &Schedule::default(), observe) {
        return ReplayOutcome::Violated(failure);
    }
    // A scripted fault may come up in the boots of the settle check.
    let checked = settle_and_check(execution, observe);
    if let (Some(failure), None) = (execution.unreached_fault(), execution.missed_expectation()) {
        return ReplayOutcome::FaultNotReached(failure);
    }
    if let Err(failure) = checked {
        return ReplayOutcome::Violated(failure);
    }
    execution.missed_expectation().cloned().map_or(ReplayOutcome::Held, ReplayOutcome::Violated)
}

/// Executes a finding. The crash matrix skips the remaining steps after its last crash; the others execute them all.
pub fn retrace_finding(
    scenario: &Arc<Scenario>,
    finding: &Finding,
    found_by: Option<FoundBy>,
    observe: TransitionObserver<'_>,
) -> Result<(), Failure> {
    let mut execution = Execution::new(scenario)?;
    if found_by != Some(FoundBy::CrashMatrix) {
        run_schedule(&mut execution, &finding.schedule, observe)?;
        return settle_and_check(&mut execution, observe);
    }
    let after_first = if finding.changed_scenario.is_some() {
        AfterFirstCrash::Continue
    } else {
        AfterFirstCrash::CutOff
    };
    crash_matrix::replay_schedule(&mut execution, &finding.schedule, after_first, observe)
}

fn run_schedule(
    execution: &mut Execution,
    schedule: &Schedule,
    observe: TransitionObserver<'_>,
) -> Result<(), Failure> {
    let mut scheduled = schedule.0.iter().peekable();
    while execution.transition_count < TRANSITIONS_MAX {
        if execution.is_finished() && scheduled.peek().is_none() {
            break;
        }
        let due = scheduled
            .next_if(|(at, _)| *at == execution.transition_count)
            .map(|(_, next)| next.clone());
        let Some(next) = due.or_else(|| execution.baseline_transition()) else { break };
        observe(execution, &next);
        execution.step(&next)?;
    }
    Ok(())
}

fn settle_and_check(
    execution: &mut Execution,
    observe: TransitionObserver<'_>,
) -> Result<(), Failure> {
    execution.skip_remaining_steps();
    Schedule::default().run(execution, true, observe)
}
