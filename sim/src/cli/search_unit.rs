//! One search of one scenario. It depends on scenario, budget and seed alone.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hermes::probe;
use hermes_sim::check::search::{Budget, Explorer, Finding, Schedule, SearchKind, SearchResult};
use hermes_sim::execution::{Failure, FailureKind};
use hermes_sim::scenario::Scenario;

/// One search of one scenario, to be run.
#[derive(Clone, Debug)]
pub struct SearchUnit {
    pub scenario: Arc<Scenario>,
    pub kind: SearchKind,
    pub budget: Budget,
    /// Run the search twice and compare.
    pub runs_twice: bool,
}

/// The result of a search unit.
#[derive(Clone, Debug)]
pub struct UnitResult {
    pub unit: SearchUnit,
    pub tally: SearchResult,
    pub elapsed: Duration,
    /// The coverage marks of the protections that the search reached.
    pub marks: BTreeSet<&'static str>,
}

impl UnitResult {
    /// Everything held.
    pub fn holds(&self) -> bool {
        self.tally.findings.is_empty()
    }
}

impl SearchUnit {
    /// Runs the search.
    pub fn run(self) -> UnitResult {
        let start = Instant::now();
        // Marks are kept per thread, and a unit runs on one thread.
        probe::clear_marks();
        let mut tally = self.run_once();
        let elapsed = start.elapsed();
        if self.runs_twice {
            let again = self.run_once();
            if again != tally {
                let detail = format!(
                    "two runs differ: digests {:032x} and {:032x}, {} and {} effects",
                    tally.digest, again.digest, tally.effects, again.effects
                );
                tally.findings.push(failure_without_schedule(FailureKind::Determinism, detail));
            }
        }
        UnitResult { unit: self, tally, elapsed, marks: probe::reached_marks() }
    }

    fn run_once(&self) -> SearchResult {
        let search = || match Explorer::new(&self.scenario, self.budget) {
            Ok(explorer) => match self.kind {
                SearchKind::Baseline => explorer.baseline(),
                SearchKind::CrashMatrix => explorer.crash_matrix(),
                SearchKind::Recovery => explorer.recovery(),
                SearchKind::Relations => explorer.relations(),
                SearchKind::Bounded => explorer.bounded(),
                SearchKind::Exhaustive => explorer.exhaustive(),
                SearchKind::Random => explorer.random(),
            },
            Err(failure) => SearchResult {
                findings: vec![failure_without_schedule(
                    failure.kind,
                    format!("at the first boot: {}", failure.detail),
                )],
                ..SearchResult::default()
            },
        };
        catch_unwind(AssertUnwindSafe(search)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            SearchResult {
                findings: vec![failure_without_schedule(
                    FailureKind::Simulator,
                    format!("it panicked: {text}"),
                )],
                ..SearchResult::default()
            }
        })
    }
}

/// A failure that has no schedule.
fn failure_without_schedule(kind: FailureKind, detail: String) -> Finding {
    let (schedule, failure) = (Schedule::default(), Failure::new(kind, detail));
    Finding { schedule, failure, is_during_settle: false, changed_scenario: None }
}
