//! The hunt for one bug: in the named scenario first, then in the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hermes::probe;
use hermes_sim::planted::Planted;
use hermes_sim::scenario::Scenario;
use hermes_sim::search::{Budget, Found};

use super::Args;
use crate::cli::unit::{Kind, Unit};

/// Cells of one crash matrix.
const MATRIX_CELLS: u64 = 200;
/// Pairs of crashes.
const RECOVERY_CELLS: u64 = 1_200;
/// Runs beside each other.
const LAW_RUNS: u64 = 32;
/// Runs with one surprise, of the named scenario. Two or three would never be come to within as much.
const SURPRISE_RUNS: u64 = 40;
/// States of the named scenario's closed search.
const CLOSED_STATES: u64 = 4_000;

/// A bug that was found.
#[derive(Debug)]
pub struct Hunted {
    pub unit: Unit,
    pub found: Found,
    /// Over all searches up to there.
    pub runs: u64,
}

/// The named scenario calmly and by the named search; then all the others calmly; then the named one by every search.
pub fn hunt(
    planted: &Planted,
    scenarios: &[Arc<Scenario>],
    args: &Args,
    control: &Control,
) -> Option<Hunted> {
    let (named, others): (Vec<_>, Vec<_>) =
        scenarios.iter().partition(|scenario| scenario.name == planted.scenario);
    let cheapest = match planted.search {
        "matrix" => Kind::Matrix,
        "recovery" => Kind::Recovery,
        "laws" => Kind::Laws,
        "surprises" => Kind::Surprises,
        "closed" => Kind::Closed,
        _ => Kind::Calm,
    };
    let mut kinds = vec![Kind::Calm, cheapest];
    kinds.dedup();
    let rest = [Kind::Laws, Kind::Matrix, Kind::Surprises, Kind::Closed];
    let rest: Vec<Kind> = rest.into_iter().filter(|kind| !kinds.contains(kind)).collect();
    let mut runs = 0;
    for (group, kinds) in [(&named, kinds), (&others, vec![Kind::Calm]), (&named, rest)] {
        for kind in kinds {
            for scenario in group.iter().filter(|scenario| is_for(kind, scenario)) {
                let unit = Unit {
                    scenario: Arc::clone(scenario),
                    kind,
                    budget: budget(kind, args.seed),
                    is_twice: false,
                };
                let made = unit.make();
                runs += made.tally.runs.max(made.tally.states).max(1);
                if args.tell {
                    tell(planted, &made.unit, &made.tally.found);
                }
                let mut found = made.tally.found.into_iter();
                let is_meant = |found: &Found| {
                    let promise = found.failure.promise.as_str();
                    // What a story expects is about its own hazard.
                    let is_about = promise != "expect" || is_its_own(planted, &made.unit);
                    planted.breaks.contains(&promise)
                        && is_about
                        && !control.breaks(planted, &made.unit, &found.failure.promise)
                };
                if let Some(found) = found.find(is_meant) {
                    return Some(Hunted { unit: made.unit, found, runs });
                }
            }
        }
    }
    None
}

fn is_its_own(planted: &Planted, unit: &Unit) -> bool {
    unit.scenario.name == planted.scenario && unit.kind == Kind::Calm
}

fn is_for(kind: Kind, scenario: &Scenario) -> bool {
    match kind {
        Kind::Matrix | Kind::Recovery => !scenario.search.crash.is_empty(),
        Kind::Closed => scenario.search.closed,
        _ => true,
    }
}

fn budget(kind: Kind, seed: u64) -> Budget {
    let (runs, surprises) = match kind {
        Kind::Calm => (1, 0),
        Kind::Matrix => (MATRIX_CELLS, 0),
        Kind::Recovery => (RECOVERY_CELLS, 0),
        Kind::Laws => (LAW_RUNS, 0),
        Kind::Surprises | Kind::Swarm => (SURPRISE_RUNS, 1),
        Kind::Closed => (u64::MAX, 0),
    };
    Budget { runs, states: CLOSED_STATES, surprises, seed }
}

fn tell(planted: &Planted, unit: &Unit, found: &[Found]) {
    for found in found {
        let (name, search) = (&unit.scenario.name, unit.kind.word());
        let failure = &found.failure;
        let bug = planted.bug;
        eprintln!("  {bug:?}: {name} {search}: {}: {}", failure.promise, failure.what);
    }
}

/// The same searches without a bug: each that found one is made again, once for all.
#[derive(Debug, Default)]
pub struct Control {
    made: Mutex<BTreeMap<(String, &'static str), Checked>>,
}

#[derive(Clone, Debug, Default)]
struct Checked {
    runs: u64,
    millis: u128,
    promises: Vec<String>,
    /// Of these, the ones that a row would have counted.
    counted: Vec<String>,
}

impl Control {
    /// Does this search break this promise without a bug, too?
    fn breaks(&self, planted: &Planted, unit: &Unit, promise: &str) -> bool {
        let key = (unit.scenario.name.clone(), unit.kind.word());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let checked = made.entry(key).or_insert_with(|| check(planted, unit));
        let breaks = checked.promises.iter().any(|other| other == promise);
        if breaks && !checked.counted.iter().any(|other| other == promise) {
            checked.counted.push(promise.to_owned());
        }
        breaks
    }

    /// What broke without a bug though a row would have counted it.
    pub fn broke(&self) -> Vec<String> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let broke = made.iter().flat_map(|((name, search), checked)| {
            checked.counted.iter().map(move |promise| format!("{promise} in {name} {search}"))
        });
        broke.collect()
    }

    /// Searches, their runs, and milliseconds.
    pub fn effort(&self) -> (usize, u64, u128) {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = made.values().map(|checked| checked.runs).sum();
        (made.len(), runs, made.values().map(|checked| checked.millis).sum())
    }
}

fn check(planted: &Planted, unit: &Unit) -> Checked {
    probe::plant(None);
    let start = Instant::now();
    let made = unit.clone().make();
    probe::plant(Some(planted.bug));
    Checked {
        runs: made.tally.runs.max(made.tally.states).max(1),
        millis: start.elapsed().as_millis(),
        promises: made.tally.found.into_iter().map(|found| found.failure.promise).collect(),
        counted: Vec::new(),
    }
}
