//! The kinds of search by name, and which of them a scenario asks for. Searches nothing.

use crate::scenario::{FoundBy, Scenario};

/// A kind of search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SearchKind {
    /// No fault but the scenario's own.
    Baseline,
    /// Each crash and errno at each effect.
    CrashMatrix,
    /// A second crash, inside the recovery.
    Recovery,
    /// Whole executions compared.
    Relations,
    /// At most a few faults, anywhere.
    Bounded,
    /// Every interleaving.
    Exhaustive,
    /// Random walks from a seed.
    Random,
}

impl SearchKind {
    /// Its name on the command line and in regressions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::CrashMatrix => "crash-matrix",
            Self::Recovery => "recovery",
            Self::Relations => "relations",
            Self::Bounded => "bounded",
            Self::Exhaustive => "exhaustive",
            Self::Random => "random",
        }
    }

    /// Its rank if the searches that usually take longest come first.
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

    /// The search that a regression names for it.
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
