//! One search of one scenario. What it does depends on scenario, budget and seed alone.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hermes::probe;
use hermes_sim::check::search::{Budget, Found, Schedule, Search, Tally};
use hermes_sim::execution::Failure;
use hermes_sim::scenario::{Finder, Scenario};

/// A search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// No surprise but the story's own.
    Calm,
    /// Each crash and errno at each effect.
    Matrix,
    /// The same once more, inside the recovery.
    Recovery,
    /// Whole runs beside each other.
    Laws,
    /// Few surprises, anywhere.
    Surprises,
    /// Every interleaving.
    Closed,
    /// Seeded walks.
    Swarm,
}

impl Kind {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Matrix => "matrix",
            Self::Recovery => "recovery",
            Self::Laws => "laws",
            Self::Surprises => "surprises",
            Self::Closed => "closed",
            Self::Swarm => "swarm",
        }
    }

    /// Where it stands if those that usually take longest come first.
    pub fn rank(self) -> u8 {
        match self {
            Self::Matrix => 0,
            Self::Closed => 1,
            Self::Surprises => 2,
            Self::Swarm => 3,
            Self::Recovery => 4,
            Self::Laws => 5,
            Self::Calm => 6,
        }
    }

    /// What a regression says of it.
    pub fn finder(self) -> Option<Finder> {
        match self {
            Self::Calm => None,
            Self::Laws => Some(Finder::Laws),
            Self::Matrix | Self::Recovery => Some(Finder::CrashMatrix),
            Self::Surprises => Some(Finder::Surprises),
            Self::Closed => Some(Finder::Closed),
            Self::Swarm => Some(Finder::Swarm),
        }
    }

    /// The searches that a scenario asks for.
    pub fn asked(scenario: &Scenario) -> Vec<Self> {
        let search = &scenario.search;
        let mut kinds = vec![Self::Calm, Self::Laws];
        if !search.crash.is_empty() {
            kinds.extend([Self::Matrix, Self::Recovery]);
        }
        kinds.extend((search.surprises > 0).then_some(Self::Surprises));
        kinds.extend(search.closed.then_some(Self::Closed));
        kinds
    }
}

/// One search of one scenario, to be made.
#[derive(Clone, Debug)]
pub struct Unit {
    pub scenario: Arc<Scenario>,
    pub kind: Kind,
    pub budget: Budget,
    /// Made twice, and compared.
    pub is_twice: bool,
}

/// The same, made.
#[derive(Clone, Debug)]
pub struct Made {
    pub unit: Unit,
    pub tally: Tally,
    pub took: Duration,
    /// The protections that it reached.
    pub marks: BTreeSet<&'static str>,
}

impl Made {
    /// Everything held.
    pub fn is_green(&self) -> bool {
        self.tally.found.is_empty()
    }
}

impl Unit {
    /// Makes it.
    pub fn make(self) -> Made {
        let start = Instant::now();
        // Marks are kept by thread, and a unit is made on one.
        probe::clear_marks();
        let mut tally = self.once();
        let took = start.elapsed();
        if self.is_twice {
            let again = self.once();
            if again != tally {
                let what = format!(
                    "two runs differ: digests {:032x} and {:032x}, {} and {} effects",
                    tally.digest, again.digest, tally.effects, again.effects
                );
                tally.found.push(nowhere("determinism", what));
            }
        }
        Made { unit: self, tally, took, marks: probe::marks() }
    }

    fn once(&self) -> Tally {
        let search = || match Search::new(&self.scenario, self.budget) {
            Ok(search) => match self.kind {
                Kind::Calm => search.calm(),
                Kind::Matrix => search.matrix(),
                Kind::Recovery => search.recovery(),
                Kind::Laws => search.laws(),
                Kind::Surprises => search.surprises(),
                Kind::Closed => search.closed(),
                Kind::Swarm => search.swarm(),
            },
            Err(failure) => Tally {
                found: vec![nowhere(
                    &failure.promise,
                    format!("at the first boot: {}", failure.what),
                )],
                ..Tally::default()
            },
        };
        catch_unwind(AssertUnwindSafe(search)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Tally {
                found: vec![nowhere("simulator", format!("it panicked: {text}"))],
                ..Tally::default()
            }
        })
    }
}

/// A failure that no schedule leads to.
fn nowhere(promise: &str, what: String) -> Found {
    let (schedule, failure) = (Schedule::default(), Failure::of(promise, what));
    Found { schedule, failure, is_concluding: false, repeated: None }
}
