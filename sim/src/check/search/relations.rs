//! Promises that one run alone cannot break: whole runs are laid beside each other, a run is looked at from start to
//! start, and `status` is asked wherever nobody moves.
//!
//! ```text
//!   without   S9    the story with and without one profile: the others do not notice
//!   orders    S14   a group ends like one of its orders; two profiles commute; twice is the same as once
//!   starts    L5    a gateway that keeps failing is started ever more slowly, and comes back when the cause is gone
//!   status    L7    what `status` says is so, at each rest of the story
//! ```
//!
//! No faults here: stories with surprises of their own are only looked at, not told otherwise.

mod orders;
mod restart_backoff;
mod status;
mod without_profile;

use std::sync::Arc;

use super::{Explorer, Schedule, SearchResult, baseline, settle_check};
use crate::execution::{Execution, Failure};
use crate::invariants::Violation;
use crate::scenario::{Invariant, Scenario, Step};

impl Explorer {
    /// Lays beside each other what the budget has runs for.
    pub fn relations(mut self) -> SearchResult {
        let story = Arc::new(without_expectations(self.initial.scenario()));
        let promised = story.required_invariants();
        let has = |promise| promised.contains(&promise);
        if has(Invariant::L5) || has(Invariant::L7) {
            self.check_status_between_steps();
        }
        if story.faults.is_empty() {
            if has(Invariant::S9) {
                self.check_without_each_profile(&story);
            }
            if has(Invariant::S14) {
                self.check_orders(&story);
            }
            if has(Invariant::L5) {
                self.check_recovery_without_cause(&story);
            }
        }
        self.tally
    }

    /// One more comparison, and how it came out. A run that did not come to its end shows nothing.
    fn record_comparison(
        &mut self,
        promise: &'static str,
        held: Result<(), Violation>,
        schedule: &Schedule,
    ) {
        *self.tally.relations_checked.entry(promise).or_default() += 1;
        if let Err(breach) = held {
            self.record_failure(schedule, Failure::from(breach), false);
        }
    }

    /// A story to its end, and until nobody moves. `None`: it does not come to an end by itself.
    fn run_to_rest(&mut self, story: Scenario) -> Option<Execution> {
        let mut play = Execution::new(&Arc::new(story)).ok()?;
        let ended = baseline::run_baseline(&mut play, &mut |_, _| {});
        let settled = ended.and_then(|()| settle_check::settle_without_faults(&mut play));
        self.tally.runs += 1;
        self.tally.effects += play.effect_count;
        self.tally.mix(play.digest);
        settled.ok().filter(|()| play.is_finished()).map(|()| play)
    }
}

/// The story without what it expects: told otherwise, it may come out otherwise.
fn without_expectations(scenario: &Scenario) -> Scenario {
    let mut story = scenario.clone();
    story.steps.retain(|step| !matches!(step, Step::Expect(_)));
    for step in &mut story.steps {
        match step {
            Step::Run(run) => run.expect = Default::default(),
            Step::Container(act) => act.within = None,
            Step::Together(group) => {
                for inner in &mut group.steps {
                    if let Step::Run(run) = inner {
                        run.expect = Default::default();
                    }
                }
            }
            _ => {}
        }
    }
    story
}
