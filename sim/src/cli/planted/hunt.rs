//! The hunt for one bug: in the named scenario first, then in the others.

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

/// Cells of one crash matrix.
const CRASH_POINTS_MAX: u64 = 200;
/// Pairs of crashes.
const CRASH_PAIRS_MAX: u64 = 1_200;
/// Runs beside each other.
const RELATION_RUNS: u64 = 32;
/// Runs with one surprise, of the named scenario. Two or three would never be come to within as much.
const BOUNDED_RUNS: u64 = 160;
/// Effects of one search, about.
const EFFECTS_MAX: u64 = 2_000_000;
/// A story that a bug made longer than this is played calmly and no more.
const STORY_EFFECTS_MAX: u64 = 200_000;
/// States of the named scenario's closed search.
const EXHAUSTIVE_STATES_MAX: u64 = 4_000;

/// No hunt goes on after so many effects; what it finds does not depend on how fast the machine is.
const HUNT_EFFECTS_MAX: u64 = 2_500_000;

/// A bug that was found.
#[derive(Debug)]
pub struct HuntResult {
    pub unit: SearchUnit,
    pub finding: Finding,
    /// Over all searches up to there.
    pub runs: u64,
}

/// The named scenario calmly and by the named search; then all the others calmly; then the named one by every search.
///
/// It ends with the first promise that means the bug. What a story expects counts where the row says so, and only if no
/// promise spoke until all was searched.
pub fn hunt(
    planted: &PlantedBug,
    scenarios: &[Arc<Scenario>],
    args: &PlantedArgs,
    control: &ControlRuns,
) -> Option<HuntResult> {
    let (mut runs, mut effects) = (0, 0);
    let mut expected = None;
    let mut calm_effects = 1;
    for (kind, scenario) in search_order(planted, scenarios) {
        // A bug that makes stories long is not played in all of them once it is found.
        let is_enough = calm_effects > STORY_EFFECTS_MAX || !violates_invariant(planted);
        if effects > HUNT_EFFECTS_MAX || (expected.is_some() && is_enough) {
            break;
        }
        if kind != SearchKind::Baseline && calm_effects > STORY_EFFECTS_MAX {
            continue;
        }
        let budget = Budget { runs: runs_of(kind, calm_effects), ..budget(kind, args.seed) };
        let unit = SearchUnit { scenario: Arc::clone(scenario), kind, budget, runs_twice: false };
        let made = unit.run();
        runs += made.tally.runs.max(made.tally.states).max(1);
        effects += made.tally.effects;
        if kind == SearchKind::Baseline && scenario.name == planted.scenario {
            calm_effects = made.tally.effects.max(1);
        }
        if args.verbose {
            print_findings(planted, &made.unit, &made.tally.findings);
        }
        for found in made.tally.findings {
            if !is_expected_failure(planted, &made.unit, &found, control) {
                continue;
            }
            let is_promise = found.failure.kind != FailureKind::Expectation;
            let hunted = HuntResult { unit: made.unit.clone(), finding: found, runs };
            if is_promise {
                return Some(hunted);
            }
            expected.get_or_insert(hunted);
        }
    }
    expected
}

/// Searches in the order in which they are made.
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
            let fit = group.iter().filter(|scenario| is_for(kind, scenario));
            order.extend(fit.map(|scenario| (kind, *scenario)));
        }
    }
    order
}

/// Does this failure mean the bug, and is it not there without it?
fn is_expected_failure(
    planted: &PlantedBug,
    unit: &SearchUnit,
    found: &Finding,
    control: &ControlRuns,
) -> bool {
    let kind = found.failure.kind;
    // What a story expects is about its own hazard.
    let is_about = kind != FailureKind::Expectation || is_named_scenario(planted, unit);
    planted.violates.contains(&kind) && is_about && !control.breaks(planted, unit, kind)
}

fn violates_invariant(planted: &PlantedBug) -> bool {
    planted.violates.iter().any(|kind| *kind != FailureKind::Expectation)
}

fn is_named_scenario(planted: &PlantedBug, unit: &SearchUnit) -> bool {
    unit.scenario.name == planted.scenario && unit.kind == SearchKind::Baseline
}

fn is_for(kind: SearchKind, scenario: &Scenario) -> bool {
    match kind {
        SearchKind::CrashMatrix | SearchKind::Recovery => !scenario.search.crash_matrix.is_empty(),
        SearchKind::Exhaustive => scenario.search.exhaustive,
        _ => true,
    }
}

fn budget(kind: SearchKind, seed: u64) -> Budget {
    let surprises = u8::from(matches!(kind, SearchKind::Bounded | SearchKind::Random));
    Budget { runs: 1, states: EXHAUSTIVE_STATES_MAX, faults_max: surprises, seed }
}

/// A bug can make a story a thousand times longer; the fewer runs are made of it then.
fn runs_of(kind: SearchKind, calm_effects: u64) -> u64 {
    let affordable = (EFFECTS_MAX / calm_effects).max(1);
    match kind {
        SearchKind::Baseline => 1,
        SearchKind::CrashMatrix => CRASH_POINTS_MAX.min(affordable),
        SearchKind::Recovery => CRASH_PAIRS_MAX.min(affordable),
        SearchKind::Relations => RELATION_RUNS.min(affordable),
        SearchKind::Bounded | SearchKind::Random => BOUNDED_RUNS.min(affordable),
        SearchKind::Exhaustive => u64::MAX,
    }
}

fn print_findings(planted: &PlantedBug, unit: &SearchUnit, found: &[Finding]) {
    for found in found {
        let (name, search) = (&unit.scenario.name, unit.kind.name());
        let failure = &found.failure;
        let bug = planted.bug;
        eprintln!("  {bug:?}: {name} {search}: {}: {}", failure.kind, failure.detail);
    }
}

/// The same searches without a bug: each that found one is made again, once for all.
#[derive(Debug, Default)]
pub struct ControlRuns {
    results: Mutex<BTreeMap<(String, &'static str), ControlResult>>,
}

#[derive(Clone, Debug, Default)]
struct ControlResult {
    runs: u64,
    millis: u128,
    failures: Vec<FailureKind>,
    /// Of these, the ones that a row would have counted.
    counted: Vec<FailureKind>,
}

impl ControlRuns {
    /// Does this search break this promise without a bug, too?
    fn breaks(&self, planted: &PlantedBug, unit: &SearchUnit, kind: FailureKind) -> bool {
        let key = (unit.scenario.name.clone(), unit.kind.name());
        let mut made = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let checked = made.entry(key).or_insert_with(|| check(planted, unit));
        let breaks = checked.failures.contains(&kind);
        if breaks && !checked.counted.contains(&kind) {
            checked.counted.push(kind);
        }
        breaks
    }

    /// What broke without a bug though a row would have counted it.
    pub fn broke(&self) -> Vec<String> {
        let made = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let broke = made.iter().flat_map(|((name, search), checked)| {
            checked.counted.iter().map(move |kind| format!("{kind} in {name} {search}"))
        });
        broke.collect()
    }

    /// Searches, their runs, and milliseconds.
    pub fn effort(&self) -> (usize, u64, u128) {
        let made = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = made.values().map(|checked| checked.runs).sum();
        (made.len(), runs, made.values().map(|checked| checked.millis).sum())
    }
}

fn check(planted: &PlantedBug, unit: &SearchUnit) -> ControlResult {
    probe::plant(None);
    let start = Instant::now();
    let made = unit.clone().run();
    probe::plant(Some(planted.bug));
    // What was remembered meanwhile is of the program without the bug.
    hermes_sim::replay::clear_replay_cache();
    ControlResult {
        runs: made.tally.runs.max(made.tally.states).max(1),
        millis: start.elapsed().as_millis(),
        failures: made.tally.findings.into_iter().map(|found| found.failure.kind).collect(),
        counted: Vec::new(),
    }
}
