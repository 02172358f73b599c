//! Relations between executions: invariants that one execution alone cannot violate. Whole executions are compared, starts
//! of gateways are compared with earlier ones, and the output of `status` with the world. (The method is metamorphic
//! testing: Chen, Cheung and Yiu 1998.)
//!
//! ```text
//!   without_profile   S9    the scenario with and without one profile: the others do not notice
//!   orders            S14   a group ends like one of its orders; two profiles commute; twice is the same as once
//!   restart_backoff   L5    a gateway that keeps failing is started ever more slowly, and comes back without the cause
//!   status            L7    `status` agrees with the world whenever nothing moves
//! ```
//!
//! Without faults: a scenario that scripts faults of its own is checked as it is, and not changed.

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
    /// Compares as many executions as the budget has runs for.
    pub fn relations(mut self) -> SearchResult {
        let scenario = Arc::new(without_expectations(self.initial.scenario()));
        let required = scenario.required_invariants();
        let is_required = |invariant| required.contains(&invariant);
        if is_required(Invariant::L5) || is_required(Invariant::L7) {
            self.check_status_between_steps();
        }
        if scenario.faults.is_empty() {
            if is_required(Invariant::S9) {
                self.check_without_each_profile(&scenario);
            }
            if is_required(Invariant::S14) {
                self.check_orders(&scenario);
            }
            if is_required(Invariant::L5) {
                self.check_recovery_without_cause(&scenario);
            }
        }
        self.tally
    }

    /// Records one comparison and its result. A run that did not reach its end is not compared.
    fn record_comparison(
        &mut self,
        invariant: Invariant,
        result: Result<(), Violation>,
        schedule: &Schedule,
    ) {
        *self.tally.relations_checked.entry(invariant).or_default() += 1;
        if let Err(violation) = result {
            self.record_failure(schedule, Failure::from(violation), false);
        }
    }

    /// Executes a scenario to its end, and until nothing moves. `None`: it does not reach an end by itself.
    fn run_to_rest(&mut self, scenario: Scenario) -> Option<Execution> {
        let mut execution = Execution::new(&Arc::new(scenario)).ok()?;
        let ended = baseline::run_baseline(&mut execution, &mut |_, _| {});
        let settled = ended.and_then(|()| settle_check::settle_without_faults(&mut execution));
        self.tally.runs += 1;
        self.tally.effects += execution.effect_count;
        self.tally.mix(execution.digest);
        settled.ok().filter(|()| execution.is_finished()).map(|()| execution)
    }
}

/// The scenario without its expectations: a changed scenario may end in another way.
fn without_expectations(scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.steps.retain(|step| !matches!(step, Step::Expect(_)));
    for step in &mut scenario.steps {
        match step {
            Step::Run(run) => run.expect = Default::default(),
            Step::Container(step) => step.within = None,
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
    scenario
}
