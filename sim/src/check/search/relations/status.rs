//! L7: `hermes gateway status --all --json` runs in a copy of the machine whenever nothing moves, and is compared with the
//! machine.

use super::super::{Explorer, Schedule};
use super::restart_backoff::StartTimes;
use crate::check::search::status_check::status_agreement;
use crate::execution::{Execution, Transition};
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
