//! L7: `hermes gateway status --all --json` is asked of a copy of the machine wherever nobody moves, and laid beside it.

use super::super::{Explorer, Schedule};
use super::restart_backoff::StartTimes;
use crate::check::search::status_check::status_agreement;
use crate::execution::{Execution, Transition};
use crate::scenario::Step;

impl Explorer {
    /// The story as it is, looked at between its steps.
    pub(super) fn check_status_between_steps(&mut self) {
        let mut play = self.initial.clone();
        let mut starts = StartTimes::default();
        while let Some(next) = play.baseline_transition().filter(|_| !play.is_finished()) {
            starts.record_starts(&play.machine);
            if let Transition::BeginStep(index) = next {
                self.record_status(&play);
                if interferes(play.current_step(index)) {
                    self.record_backoff(&mut starts);
                }
            }
            // What breaks here is the calm run's to tell.
            if play.step(&next).is_err() {
                break;
            }
        }
        self.record_backoff(&mut starts);
        if super::settle_check::settle_without_faults(&mut play).is_ok() {
            self.record_status(&play);
        }
        self.tally.runs += 1;
        self.tally.effects += play.effect_count;
        self.tally.mix(play.digest);
    }

    fn record_backoff(&mut self, starts: &mut StartTimes) {
        for held in starts.check_backoff() {
            self.record_comparison("L5", held, &Schedule::default());
        }
    }

    fn record_status(&mut self, play: &Execution) {
        if let Some(held) = status_agreement(play) {
            self.record_comparison("L7", held, &Schedule::default());
        }
    }
}

/// Does anybody but time and the supervisors act?
fn interferes(step: Option<&Step>) -> bool {
    !matches!(step, Some(Step::Pass(_) | Step::Settle(_) | Step::Expect(_)))
}
