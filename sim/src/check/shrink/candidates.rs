//! Candidates for a smaller scenario, the greatest gain first. Many of them make no sense; the scenario reader rejects those.

use crate::scenario::{FaultKind, FaultSpec, Scenario, SearchSpec, Step};

/// All scenarios that are smaller by one thing.
pub(super) fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    without_faults(scenario, &mut all);
    without_steps(scenario, &mut all);
    smaller_worlds(scenario, &mut all);
    if scenario.search != (SearchSpec { faults_max: 0, ..SearchSpec::default() }) {
        let mut unsearched = scenario.clone();
        unsearched.search = SearchSpec { faults_max: 0, ..SearchSpec::default() };
        all.push(unsearched);
    }
    all
}

fn without_faults(scenario: &Scenario, all: &mut Vec<Scenario>) {
    for index in 0..scenario.faults.len() {
        let mut fewer = scenario.clone();
        fewer.faults.remove(index);
        all.push(fewer);
    }
    for (index, fault) in scenario.faults.iter().enumerate() {
        for weaker in weaker_faults(fault) {
            let mut other = scenario.clone();
            other.faults[index] = weaker;
            all.push(other);
        }
    }
}

/// A persistent error → a single one; power → container → process; the first occurrence instead of a later one.
fn weaker_faults(fault: &FaultSpec) -> Vec<FaultSpec> {
    let mut all = Vec::new();
    let mut change = |change: &dyn Fn(&mut FaultSpec)| {
        let mut other = fault.clone();
        change(&mut other);
        if other != *fault {
            all.push(other);
        }
    };
    let with = |kind: FaultKind| {
        move |other: &mut FaultSpec| {
            other.kind = kind;
            other.outcome = None;
        }
    };
    match fault.kind {
        FaultKind::PowerCut => {
            change(&with(FaultKind::Kill));
            change(&with(FaultKind::ContainerKill));
        }
        FaultKind::ContainerKill | FaultKind::ContainerRestart => change(&with(FaultKind::Kill)),
        _ => {}
    }
    change(&|other| other.sticky = false);
    change(&|other| other.outcome = None);
    change(&|other| other.next = None);
    change(&|other| other.at.nth = 1);
    all
}

fn without_steps(scenario: &Scenario, all: &mut Vec<Scenario>) {
    for index in (0..scenario.steps.len()).rev() {
        let mut fewer = scenario.clone();
        fewer.steps.remove(index);
        all.push(fewer);
    }
    for (index, step) in scenario.steps.iter().enumerate() {
        let Step::Together(group) = step else { continue };
        for inner in (0..group.steps.len()).rev() {
            let mut rest = group.clone();
            rest.steps.remove(inner);
            let mut fewer = scenario.clone();
            fewer.steps[index] = match rest.steps.len() {
                1 => rest.steps.remove(0),
                _ => Step::Together(rest),
            };
            all.push(fewer);
        }
    }
}

fn smaller_worlds(scenario: &Scenario, all: &mut Vec<Scenario>) {
    let mut change = |change: &dyn Fn(&mut Scenario)| {
        let mut other = scenario.clone();
        change(&mut other);
        if other != *scenario {
            all.push(other);
        }
    };
    let world = &scenario.world;
    for name in world.profiles.keys() {
        change(&|other| drop(other.world.profiles.remove(name)));
    }
    for path in world.files.keys() {
        change(&|other| drop(other.world.files.remove(path)));
    }
    for (name, profile) in &world.profiles {
        for path in profile.files.keys() {
            change(&|other| {
                other.world.profiles.entry(name.clone()).and_modify(|own| {
                    own.files.remove(path);
                });
            });
        }
        change(&|other| {
            other.world.profiles.entry(name.clone()).and_modify(|own| own.config = None);
        });
        change(&|other| {
            other.world.profiles.entry(name.clone()).and_modify(|own| own.state = None);
        });
    }
    for variable in world.environment.keys() {
        change(&|other| drop(other.world.environment.remove(variable)));
    }
    for path in world.programs.keys() {
        change(&|other| drop(other.world.programs.remove(path)));
    }
    change(&|other| other.world.command.clear());
    change(&|other| other.world.containers = 1);
}
