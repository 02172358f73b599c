//! One search of one scenario. What it does depends on scenario, budget and seed alone.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hermes::probe;
use hermes_sim::check::search::{Budget, Explorer, Finding, Schedule, SearchResult};
use hermes_sim::execution::Failure;
use hermes_sim::scenario::{FoundBy, Scenario};

/// A search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SearchKind {
    /// No surprise but the story's own.
    Baseline,
    /// Each crash and errno at each effect.
    CrashMatrix,
    /// The same once more, inside the recovery.
    Recovery,
    /// Whole runs beside each other.
    Relations,
    /// Few surprises, anywhere.
    Bounded,
    /// Every interleaving.
    Exhaustive,
    /// Seeded walks.
    Random,
}

impl SearchKind {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "calm",
            Self::CrashMatrix => "matrix",
            Self::Recovery => "recovery",
            Self::Relations => "laws",
            Self::Bounded => "surprises",
            Self::Exhaustive => "closed",
            Self::Random => "swarm",
        }
    }

    /// Where it stands if those that usually take longest come first.
    pub fn rank(self) -> u8 {
        match self {
            Self::CrashMatrix => 0,
            Self::Exhaustive => 1,
            Self::Bounded => 2,
            Self::Random => 3,
            Self::Recovery => 4,
            Self::Relations => 5,
            Self::Baseline => 6,
        }
    }

    /// What a regression says of it.
    pub fn found_by(self) -> Option<FoundBy> {
        match self {
            Self::Baseline => None,
            Self::Relations => Some(FoundBy::Relations),
            Self::CrashMatrix | Self::Recovery => Some(FoundBy::CrashMatrix),
            Self::Bounded => Some(FoundBy::Bounded),
            Self::Exhaustive => Some(FoundBy::Exhaustive),
            Self::Random => Some(FoundBy::Random),
        }
    }

    /// The searches that a scenario asks for.
    pub fn requested_by(scenario: &Scenario) -> Vec<Self> {
        let search = &scenario.search;
        let mut kinds = vec![Self::Baseline, Self::Relations];
        if !search.crash_matrix.is_empty() {
            kinds.extend([Self::CrashMatrix, Self::Recovery]);
        }
        kinds.extend((search.faults_max > 0).then_some(Self::Bounded));
        kinds.extend(search.exhaustive.then_some(Self::Exhaustive));
        kinds
    }
}

/// One search of one scenario, to be made.
#[derive(Clone, Debug)]
pub struct SearchUnit {
    pub scenario: Arc<Scenario>,
    pub kind: SearchKind,
    pub budget: Budget,
    /// Made twice, and compared.
    pub runs_twice: bool,
}

/// The same, made.
#[derive(Clone, Debug)]
pub struct UnitResult {
    pub unit: SearchUnit,
    pub tally: SearchResult,
    pub elapsed: Duration,
    /// The protections that it reached.
    pub marks: BTreeSet<&'static str>,
}

impl UnitResult {
    /// Everything held.
    pub fn holds(&self) -> bool {
        self.tally.findings.is_empty()
    }
}

impl SearchUnit {
    /// Makes it.
    pub fn run(self) -> UnitResult {
        let start = Instant::now();
        // Marks are kept by thread, and a unit is made on one.
        probe::clear_marks();
        let mut tally = self.once();
        let took = start.elapsed();
        if self.runs_twice {
            let again = self.once();
            if again != tally {
                let what = format!(
                    "two runs differ: digests {:032x} and {:032x}, {} and {} effects",
                    tally.digest, again.digest, tally.effects, again.effects
                );
                tally.findings.push(nowhere("determinism", what));
            }
        }
        UnitResult { unit: self, tally, elapsed: took, marks: probe::marks() }
    }

    fn once(&self) -> SearchResult {
        let search = || match Explorer::new(&self.scenario, self.budget) {
            Ok(search) => match self.kind {
                SearchKind::Baseline => search.baseline(),
                SearchKind::CrashMatrix => search.crash_matrix(),
                SearchKind::Recovery => search.recovery(),
                SearchKind::Relations => search.relations(),
                SearchKind::Bounded => search.bounded(),
                SearchKind::Exhaustive => search.exhaustive(),
                SearchKind::Random => search.random(),
            },
            Err(failure) => SearchResult {
                findings: vec![nowhere(
                    &failure.invariant,
                    format!("at the first boot: {}", failure.detail),
                )],
                ..SearchResult::default()
            },
        };
        catch_unwind(AssertUnwindSafe(search)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            SearchResult {
                findings: vec![nowhere("simulator", format!("it panicked: {text}"))],
                ..SearchResult::default()
            }
        })
    }
}

/// A failure that no schedule leads to.
fn nowhere(promise: &str, what: String) -> Finding {
    let (schedule, failure) = (Schedule::default(), Failure::violation(promise, what));
    Finding { schedule, failure, is_during_settle: false, changed_scenario: None }
}
