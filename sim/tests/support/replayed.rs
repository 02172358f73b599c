//! Replays a scenario with scripted faults and records where they are injected.

use std::sync::Arc;

use hermes_sim::check::retrace::{self, ReplayOutcome};
use hermes_sim::execution::{Execution, Transition};
use hermes_sim::scenario::Scenario;

/// The number of transitions before each injected fault, in order, and the outcome.
pub(crate) fn injections(scenario: Scenario) -> (Vec<u64>, ReplayOutcome) {
    let mut injections = Vec::new();
    let record = &mut |execution: &Execution, next: &Transition| {
        if matches!(next, Transition::InjectScripted(..)) {
            injections.push(execution.transition_count);
        }
    };
    let outcome = retrace::retrace_scenario(&Arc::new(scenario), record, &mut |_| {});
    (injections, outcome)
}
