//! Makes a scenario that breaks a promise smaller, as long as the same promise breaks, or the same expectation of its own. A scenario that plays its surprises
//! by itself goes in, and one comes out: every step on the way was read back from its own JSON and played to its end.
//!
//! Searches nothing, and never trades one failure for another.

mod candidates;

use std::sync::Arc;

use crate::check::retrace::{self, ReplayOutcome};
use crate::execution::Failure;
use crate::scenario::{Scenario, load};

/// A scenario that breaks a promise, and how much it took to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest found.
    pub scenario: Scenario,
    /// What it breaks.
    pub failure: Failure,
    /// How many runs it took.
    pub runs: u64,
}

/// Shrinks, with at most so many runs. `None`: it does not fail like that when it is told.
pub fn shrink(scenario: &Scenario, found: &Failure, runs_max: u64) -> Option<Shrunk> {
    let failure = reproduces(scenario, found)?;
    let mut shrunk = Shrunk { scenario: scenario.clone(), failure, runs: 1 };
    while shrink_once(&mut shrunk, found, runs_max) {}
    Some(shrunk)
}

/// Takes the first candidate that still fails like that. False: there is none, or no more runs.
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

/// As its own text is read; `None` if the format does not allow it.
fn reread(scenario: &Scenario) -> Option<Scenario> {
    load(&scenario.name, &scenario.to_json()).ok()
}

/// Does it break this promise, or this expectation, with every one of its surprises?
pub fn reproduces(scenario: &Scenario, found: &Failure) -> Option<Failure> {
    let scenario = Arc::new(scenario.clone());
    match retrace::retrace_scenario(&scenario, &mut |_, _| {}, &mut |_| {}) {
        ReplayOutcome::Violated(failure) if failure.is_same_failure(found) => Some(failure),
        _ => None,
    }
}
