//! How much each search may try. All numbers are here.

use hermes_sim::check::search::Budget;
use hermes_sim::scenario::Scenario;

use super::unit::SearchKind;

/// How long one is willing to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Size {
    /// A commit: minutes.
    Ci,
    /// A night: hours.
    Long,
}

struct Sizes {
    surprises: u8,
    surprise_runs: u64,
    matrix_cells: u64,
    recovery_cells: u64,
    law_runs: u64,
    closed_states: u64,
    swarm_runs: u64,
}

const CI: Sizes = Sizes {
    surprises: 1,
    surprise_runs: 60,
    matrix_cells: 100_000,
    recovery_cells: 100,
    law_runs: 32,
    closed_states: 23_000,
    swarm_runs: 120,
};

const LONG: Sizes = Sizes {
    surprises: 2,
    surprise_runs: 20_000,
    matrix_cells: 10_000_000,
    recovery_cells: u64::MAX,
    law_runs: 20_000,
    closed_states: 20_000_000,
    swarm_runs: 20_000,
};

/// Runs to make one failure small.
pub const SHRINK_RUNS: u64 = 400;
/// Lines of a trace, unless all are asked for.
pub const TRACE_LINES: usize = 60;
/// Failures that are made small and told in full; the others get a line.
pub const REPORTS: usize = 5;

impl Size {
    /// What one search of one scenario may try.
    pub fn budget(self, kind: SearchKind, scenario: &Scenario, seed: u64) -> Budget {
        let sizes = match self {
            Self::Ci => CI,
            Self::Long => LONG,
        };
        let runs = match kind {
            SearchKind::Baseline => 1,
            SearchKind::CrashMatrix => sizes.matrix_cells,
            SearchKind::Recovery => sizes.recovery_cells,
            SearchKind::Relations => sizes.law_runs,
            SearchKind::Bounded => sizes.surprise_runs,
            SearchKind::Exhaustive => u64::MAX,
            SearchKind::Random => sizes.swarm_runs,
        };
        let surprises = scenario.search.faults_max.min(sizes.surprises);
        Budget { runs, states: sizes.closed_states, faults_max: surprises, seed }
    }
}
