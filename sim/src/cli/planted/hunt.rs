//! The hunt for one planted bug: first in the scenario that its row names, then in the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hermes::probe;
use hermes_sim::check::planted::PlantedBug;
use hermes_sim::check::search::{Budget, Finding};
use hermes_sim::execution::FailureKind;
use hermes_sim::scenario::Scenario;

use super::PlantedArgs;
use crate::cli::search_unit::SearchUnit;
use hermes_sim::check::search::SearchKind;

/// Crash points of one crash matrix.
const CRASH_POINTS_MAX: u64 = 200;
/// Pairs of crashes: one in the scenario, one in the recovery.
const CRASH_PAIRS_MAX: u64 = 1_200;
/// Runs of the relations between runs.
const RELATION_RUNS: u64 = 32;
/// Runs with one fault, of the named scenario. This budget never reaches two or three faults.
const BOUNDED_RUNS: u64 = 160;
/// Approximate effects of one search.
const EFFECTS_MAX: u64 = 2_000_000;
/// If a bug makes a scenario longer than this, only its baseline runs.
const SCENARIO_EFFECTS_MAX: u64 = 200_000;
/// States of the named scenario's exhaustive search.
const EXHAUSTIVE_STATES_MAX: u64 = 4_000;

/// A hunt ends after this many effects. Effects and not time: the result does not depend on the speed of the machine.
const HUNT_EFFECTS_MAX: u64 = 2_500_000;

/// The finding that counts for a planted bug.
#[derive(Debug)]
pub struct HuntResult {
    pub unit: SearchUnit,
    pub finding: Finding,
    /// Runs of all searches up to the finding.
    pub runs: u64,
}

/// Searches the named scenario by baseline and by the named search, then the baseline of every other scenario, then the
/// named scenario by the remaining searches.
///
/// The hunt ends at the first violated invariant that the bug must violate. A failed expectation of the scenario counts
/// only where the row lists it, and only if no invariant is violated until all is searched.
pub fn hunt(
    planted: &PlantedBug,
    scenarios: &[Arc<Scenario>],
    args: &PlantedArgs,
    control: &ControlRuns,
) -> Option<HuntResult> {
    let (mut runs, mut effects) = (0, 0);
    let mut expected = None;
    let mut baseline_effects = 1;
    for (kind, scenario) in search_order(planted, scenarios) {
        // A bug that makes scenarios long does not run in all of them once it is found.
        let is_enough = baseline_effects > SCENARIO_EFFECTS_MAX || !violates_invariant(planted);
        if effects > HUNT_EFFECTS_MAX || (expected.is_some() && is_enough) {
            break;
        }
        if kind != SearchKind::Baseline && baseline_effects > SCENARIO_EFFECTS_MAX {
            continue;
        }
        let budget = Budget { runs: runs_of(kind, baseline_effects), ..budget(kind, args.seed) };
        let unit = SearchUnit { scenario: Arc::clone(scenario), kind, budget, runs_twice: false };
        let result = unit.run();
        runs += result.tally.runs.max(result.tally.states).max(1);
        effects += result.tally.effects;
        if kind == SearchKind::Baseline && scenario.name == planted.scenario {
            baseline_effects = result.tally.effects.max(1);
        }
        if args.verbose {
            print_findings(planted, &result.unit, &result.tally.findings);
        }
        for finding in result.tally.findings {
            if !is_expected_failure(planted, &result.unit, &finding, control) {
                continue;
            }
            let is_invariant = finding.failure.kind != FailureKind::Expectation;
            let hunted = HuntResult { unit: result.unit.clone(), finding, runs };
            if is_invariant {
                return Some(hunted);
            }
            expected.get_or_insert(hunted);
        }
    }
    expected
}

/// The searches, in order.
fn search_order<'a>(
    planted: &PlantedBug,
    scenarios: &'a [Arc<Scenario>],
) -> Vec<(SearchKind, &'a Arc<Scenario>)> {
    let (named, others): (Vec<_>, Vec<_>) =
        scenarios.iter().partition(|scenario| scenario.name == planted.scenario);
    let mut kinds = vec![SearchKind::Baseline, planted.search];
    kinds.dedup();
    let rest = [
        SearchKind::Relations,
        SearchKind::CrashMatrix,
        SearchKind::Bounded,
        SearchKind::Exhaustive,
    ];
    let rest: Vec<SearchKind> = rest.into_iter().filter(|kind| !kinds.contains(kind)).collect();
    let groups = [(&named, kinds), (&others, vec![SearchKind::Baseline]), (&named, rest)];
    let mut order = Vec::new();
    for (group, kinds) in groups {
        for kind in kinds {
            let applicable = group.iter().filter(|scenario| is_applicable(kind, scenario));
            order.extend(applicable.map(|scenario| (kind, *scenario)));
        }
    }
    order
}

/// Must the bug violate this invariant, and does the invariant hold without the bug?
fn is_expected_failure(
    planted: &PlantedBug,
    unit: &SearchUnit,
    finding: &Finding,
    control: &ControlRuns,
) -> bool {
    let kind = finding.failure.kind;
    // The expectations of a scenario are about its own hazard only.
    let is_about = kind != FailureKind::Expectation || is_named_scenario(planted, unit);
    planted.violates.contains(&kind) && is_about && !control.fails(planted, unit, kind)
}

fn violates_invariant(planted: &PlantedBug) -> bool {
    planted.violates.iter().any(|kind| *kind != FailureKind::Expectation)
}

fn is_named_scenario(planted: &PlantedBug, unit: &SearchUnit) -> bool {
    unit.scenario.name == planted.scenario && unit.kind == SearchKind::Baseline
}

fn is_applicable(kind: SearchKind, scenario: &Scenario) -> bool {
    match kind {
        SearchKind::CrashMatrix | SearchKind::Recovery => !scenario.search.crash_matrix.is_empty(),
        SearchKind::Exhaustive => scenario.search.exhaustive,
        _ => true,
    }
}

fn budget(kind: SearchKind, seed: u64) -> Budget {
    let faults_max = u8::from(matches!(kind, SearchKind::Bounded | SearchKind::Random));
    Budget { runs: 1, states: EXHAUSTIVE_STATES_MAX, faults_max, seed }
}

/// A bug can make a scenario a thousand times longer; then the scenario gets fewer runs.
fn runs_of(kind: SearchKind, baseline_effects: u64) -> u64 {
    let affordable = (EFFECTS_MAX / baseline_effects).max(1);
    match kind {
        SearchKind::Baseline => 1,
        SearchKind::CrashMatrix => CRASH_POINTS_MAX.min(affordable),
        SearchKind::Recovery => CRASH_PAIRS_MAX.min(affordable),
        SearchKind::Relations => RELATION_RUNS.min(affordable),
        SearchKind::Bounded | SearchKind::Random => BOUNDED_RUNS.min(affordable),
        SearchKind::Exhaustive => u64::MAX,
    }
}

fn print_findings(planted: &PlantedBug, unit: &SearchUnit, findings: &[Finding]) {
    for finding in findings {
        let (name, search) = (&unit.scenario.name, unit.kind.name());
        let failure = &finding.failure;
        let bug = planted.bug;
        eprintln!("  {bug:?}: {name} {search}: {}: {}", failure.kind, failure.detail);
    }
}

/// The control: each search that found a bug runs once more without a bug. Its result is kept for all bugs.
#[derive(Debug, Default)]
pub struct ControlRuns {
    results: Mutex<BTreeMap<(String, &'static str), ControlResult>>,
}

#[derive(Clone, Debug, Default)]
struct ControlResult {
    runs: u64,
    millis: u128,
    failures: Vec<FailureKind>,
    /// Those of the failures that a row would have counted.
    counted: Vec<FailureKind>,
}

impl ControlRuns {
    /// Does this search find a failure of this kind without a bug, too?
    fn fails(&self, planted: &PlantedBug, unit: &SearchUnit, kind: FailureKind) -> bool {
        let key = (unit.scenario.name.clone(), unit.kind.name());
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let checked = results.entry(key).or_insert_with(|| check(planted, unit));
        let fails = checked.failures.contains(&kind);
        if fails && !checked.counted.contains(&kind) {
            checked.counted.push(kind);
        }
        fails
    }

    /// Violations without a bug that a row would have counted.
    pub fn violations(&self) -> Vec<String> {
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let violations = results.iter().flat_map(|((name, search), checked)| {
            checked.counted.iter().map(move |kind| format!("{kind} in {name} {search}"))
        });
        violations.collect()
    }

    /// The number of control searches, their runs, and their milliseconds.
    pub fn effort(&self) -> (usize, u64, u128) {
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = results.values().map(|checked| checked.runs).sum();
        (results.len(), runs, results.values().map(|checked| checked.millis).sum())
    }
}

fn check(planted: &PlantedBug, unit: &SearchUnit) -> ControlResult {
    probe::plant(None);
    let start = Instant::now();
    let result = unit.clone().run();
    probe::plant(Some(planted.bug));
    // The replay cache now holds reactions of the program without the bug.
    hermes_sim::replay::clear_replay_cache();
    let findings = result.tally.findings.into_iter();
    let failures = findings.map(|finding| finding.failure.kind);
    ControlResult {
        runs: result.tally.runs.max(result.tally.states).max(1),
        millis: start.elapsed().as_millis(),
        failures: failures.collect(),
        counted: Vec::new(),
    }
}
