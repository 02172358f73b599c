//! Shrinks a failing scenario, as long as the same invariant, or the same expectation of its own, fails. Input and output are
//! scenarios whose scripted faults reproduce the failure; every candidate is read back from its own JSON and executed to its
//! end. A greedy form of delta debugging (Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input").
//!
//! Searches nothing, and never trades one failure for another.

mod candidates;

use std::sync::Arc;

use crate::check::retrace::{self, ReplayOutcome};
use crate::execution::Failure;
use crate::scenario::{Scenario, load};

/// A smaller failing scenario, and the effort that it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest found.
    pub scenario: Scenario,
    /// Its failure.
    pub failure: Failure,
    /// The number of runs.
    pub runs: u64,
}

/// Shrinks, with at most this number of runs. `None`: the scenario does not reproduce the failure.
pub fn shrink(scenario: &Scenario, found: &Failure, runs_max: u64) -> Option<Shrunk> {
    let failure = reproduces(scenario, found)?;
    let mut shrunk = Shrunk { scenario: scenario.clone(), failure, runs: 1 };
    while shrink_once(&mut shrunk, found, runs_max) {}
    Some(shrunk)
}

/// Takes the first candidate that still fails the same way. False: there is none, or there are no more runs.
fn shrink_once(shrunk: &mut Shrunk, found: &Failure, runs_max: u64) -> bool {
    for candidate in candidates::smaller(&shrunk.scenario) {
        if shrunk.runs >= runs_max {
            return false;
        }
        let Some(candidate) = reread(&candidate) else { continue };
        shrunk.runs += 1;
        if let Some(failure) = reproduces(&candidate, found) {
            shrunk.scenario = candidate;
            shrunk.failure = failure;
            return true;
        }
    }
    false
}

/// The scenario as it is read back from its text; `None` if the format does not allow it.
fn reread(scenario: &Scenario) -> Option<Scenario> {
    load(&scenario.name, &scenario.to_json()).ok()
}

/// Does the scenario fail the same way, with every one of its scripted faults injected?
pub fn reproduces(scenario: &Scenario, found: &Failure) -> Option<Failure> {
    let scenario = Arc::new(scenario.clone());
    match retrace::retrace_scenario(&scenario, &mut |_, _| {}, &mut |_| {}) {
        ReplayOutcome::Violated(failure) if failure.is_same_failure(found) => Some(failure),
        _ => None,
    }
}
