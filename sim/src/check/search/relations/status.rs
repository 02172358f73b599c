//! L7: `hermes gateway status --all --json` is asked of a copy of the machine wherever nobody moves, and laid beside it.

use super::super::{Explorer, Schedule};
use super::restart_backoff::StartTimes;
use crate::execution::{Execution, Failure, Transition, run_in_copy};
use crate::invariants::quiescence::supervised_scan_dir;
use crate::invariants::{Violation, check_status};
use crate::machine::world::ContainerId;
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

/// What status says, if somebody moves, or nobody is there to be asked: nothing.
fn status_agreement(play: &Execution) -> Option<Result<(), Violation>> {
    let world = &play.machine.world;
    let first = ContainerId(1);
    let is_asked = supervised_scan_dir(world).is_some_and(|(id, _)| id == first)
        && play.machine.ready_processes().is_empty();
    if !is_asked || play.commands().any(|command| command.is_running) {
        return None;
    }
    let said = run_in_copy(&play.machine, &["gateway", "status", "--all", "--json"]).ok()?;
    Some(check_status(world, &said))
}

/// L7 while a run is concluded: asked of each that is told to people, and of one in so many others.
pub(in crate::check::search) fn check_status_at_rest(play: &Execution) -> Result<(), Failure> {
    const ONE_IN: u128 = 16;
    let is_asked = play.recorded.is_some() || play.digest % ONE_IN == 0;
    match is_asked.then(|| status_agreement(play)).flatten() {
        Some(held) => Ok(held?),
        None => Ok(()),
    }
}
