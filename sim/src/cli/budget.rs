//! How much each search may try. All these numbers are here.

use hermes_sim::check::search::Budget;
use hermes_sim::scenario::Scenario;

use hermes_sim::check::search::SearchKind;

/// How long the whole run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Size {
    /// Minutes: for a commit
    Ci,
    /// Hours: for a night
    Long,
}

struct SizeLimits {
    faults_max: u8,
    bounded_runs: u64,
    crash_points_max: u64,
    crash_pairs_max: u64,
    relation_runs: u64,
    exhaustive_states_max: u64,
    random_runs: u64,
}

const CI: SizeLimits = SizeLimits {
    faults_max: 1,
    bounded_runs: 60,
    crash_points_max: 100_000,
    crash_pairs_max: 100,
    relation_runs: 32,
    exhaustive_states_max: 23_000,
    random_runs: 120,
};

const LONG: SizeLimits = SizeLimits {
    faults_max: 2,
    bounded_runs: 20_000,
    crash_points_max: 10_000_000,
    crash_pairs_max: u64::MAX,
    relation_runs: 20_000,
    exhaustive_states_max: 20_000_000,
    random_runs: 20_000,
};

/// Runs to shrink one failure.
pub const SHRINK_RUNS: u64 = 400;
/// Lines of a trace, unless `--full` is given.
pub const TRACE_LINES: usize = 60;
/// Failures that are shrunk and reported in full; the others get one line.
pub const REPORTS: usize = 5;

impl Size {
    /// What one search of one scenario may try.
    pub fn budget(self, kind: SearchKind, scenario: &Scenario, seed: u64) -> Budget {
        let limits = match self {
            Self::Ci => CI,
            Self::Long => LONG,
        };
        let runs = match kind {
            SearchKind::Baseline => 1,
            SearchKind::CrashMatrix => limits.crash_points_max,
            SearchKind::Recovery => limits.crash_pairs_max,
            SearchKind::Relations => limits.relation_runs,
            SearchKind::Bounded => limits.bounded_runs,
            SearchKind::Exhaustive => u64::MAX,
            SearchKind::Random => limits.random_runs,
        };
        let faults_max = scenario.search.faults_max.min(limits.faults_max);
        Budget { runs, states: limits.exhaustive_states_max, faults_max, seed }
    }
}
