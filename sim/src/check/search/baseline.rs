//! The baseline: one execution without any fault but the scenario's own. Counts, and gives the golden digest.

use super::{Explorer, Schedule, SearchResult, settle_check};
use crate::execution::{Execution, Failure, Transition};

/// A scenario that takes more transitions is given up.
pub(super) const TRANSITIONS_MAX: u64 = 1_000_000;

impl Explorer {
    /// Executes the scenario once, settles and checks.
    pub fn baseline(mut self) -> SearchResult {
        let mut execution = self.initial.clone();
        let ran = run_baseline(&mut execution, &mut |_, _| {});
        let is_during_settle = ran.is_ok();
        self.tally.runs = 1;
        // A scripted fault may come up in the boots of the settle check.
        let ended = ran
            .and_then(|()| settle_check::settle_and_check(&mut execution))
            .and_then(|()| check_faults_reached(&execution));
        if let Err(failure) = ended {
            self.record_failure(&Schedule::default(), failure, is_during_settle);
        }
        self.record_missed_expectation(&Schedule::default(), &execution);
        self.tally.effects = execution.effect_count;
        self.tally.mix(execution.digest);
        self.tally
    }
}

/// Fails if a scripted fault never came up. If an expectation did not hold before, that failure is the cause and counts.
fn check_faults_reached(execution: &Execution) -> Result<(), Failure> {
    execution
        .unreached_fault()
        .filter(|_| execution.missed_expectation().is_none())
        .map_or(Ok(()), Err)
}

/// Takes baseline transitions to the end of the steps. `observe` gets each transition before it is taken.
pub(super) fn run_baseline(
    execution: &mut Execution,
    observe: &mut dyn FnMut(&Execution, &Transition),
) -> Result<(), Failure> {
    let transitions_max = execution.transition_count + TRANSITIONS_MAX;
    while !execution.is_finished() && execution.transition_count < transitions_max {
        let Some(next) = execution.baseline_transition() else { break };
        observe(execution, &next);
        execution.step(&next)?;
    }
    Ok(())
}
