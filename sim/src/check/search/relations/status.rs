//! L7: `hermes gateway status --all --json` runs in a copy of the machine whenever nothing moves, and is compared with the
//! machine.

use super::super::{Explorer, Schedule};
use super::restart_backoff::StartTimes;
use crate::execution::{Execution, Failure, Transition, run_in_copy};
use crate::invariants::quiescence::supervised_scan_dir;
use crate::invariants::{Violation, check_status};
use crate::machine::world::ContainerId;
use crate::scenario::{Invariant, Step};

impl Explorer {
    /// Executes the scenario, and checks it between its steps.
    pub(super) fn check_status_between_steps(&mut self) {
        let mut execution = self.initial.clone();
        let mut starts = StartTimes::default();
        while let Some(next) = execution.baseline_transition().filter(|_| !execution.is_finished())
        {
            starts.record_starts(&execution.machine);
            if let Transition::BeginStep(index) = next {
                self.record_status(&execution);
                if interferes(execution.current_step(index)) {
                    self.record_backoff(&mut starts);
                }
            }
            // The baseline reports this failure.
            if execution.step(&next).is_err() {
                break;
            }
        }
        self.record_backoff(&mut starts);
        if super::settle_check::settle_without_faults(&mut execution).is_ok() {
            self.record_status(&execution);
        }
        self.tally.runs += 1;
        self.tally.effects += execution.effect_count;
        self.tally.mix(execution.digest);
    }

    fn record_backoff(&mut self, starts: &mut StartTimes) {
        for result in starts.check_backoff() {
            self.record_comparison(Invariant::L5, result, &Schedule::default());
        }
    }

    fn record_status(&mut self, execution: &Execution) {
        if let Some(result) = status_agreement(execution) {
            self.record_comparison(Invariant::L7, result, &Schedule::default());
        }
    }
}

/// Does anything but time and the supervisors act in this step?
fn interferes(step: Option<&Step>) -> bool {
    !matches!(step, Some(Step::Pass(_) | Step::Settle(_) | Step::Expect(_)))
}

/// Does the output of status agree with the world? `None` while something moves, or if no container supervises.
fn status_agreement(execution: &Execution) -> Option<Result<(), Violation>> {
    let world = &execution.machine.world;
    let first = ContainerId(1);
    let is_at_rest = supervised_scan_dir(world).is_some_and(|(id, _)| id == first)
        && execution.machine.ready_processes().is_empty();
    if !is_at_rest || execution.commands().any(|command| command.is_running) {
        return None;
    }
    let printed =
        run_in_copy(&execution.machine, &["gateway", "status", "--all", "--json"]).ok()?;
    Some(check_status(world, &printed))
}

/// L7 during the settle check: in each execution that is recorded for a report, and in one of 16 others.
pub(in crate::check::search) fn check_status_at_rest(execution: &Execution) -> Result<(), Failure> {
    const ONE_IN: u128 = 16;
    let is_checked = execution.recorded.is_some() || execution.digest % ONE_IN == 0;
    match is_checked.then(|| status_agreement(execution)).flatten() {
        Some(result) => Ok(result?),
        None => Ok(()),
    }
}
