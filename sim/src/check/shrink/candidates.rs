//! What a smaller scenario could be, the greatest gain first. Many of them make no sense; the reader says which.

use crate::scenario::{Deed, Scenario, Search, Step, Surprise};

/// All scenarios that are one thing smaller.
pub(super) fn of(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    surprises(scenario, &mut all);
    steps(scenario, &mut all);
    world(scenario, &mut all);
    if scenario.search != (Search { surprises: 0, ..Search::default() }) {
        let mut calm = scenario.clone();
        calm.search = Search { surprises: 0, ..Search::default() };
        all.push(calm);
    }
    all
}

fn surprises(scenario: &Scenario, all: &mut Vec<Scenario>) {
    for index in 0..scenario.surprises.len() {
        let mut fewer = scenario.clone();
        fewer.surprises.remove(index);
        all.push(fewer);
    }
    for (index, surprise) in scenario.surprises.iter().enumerate() {
        for weaker in weaker(surprise) {
            let mut other = scenario.clone();
            other.surprises[index] = weaker;
            all.push(other);
        }
    }
}

/// For good → once; the power → the container → the process; the first of its kind instead of the fifth.
fn weaker(surprise: &Surprise) -> Vec<Surprise> {
    let mut all = Vec::new();
    let mut change = |change: &dyn Fn(&mut Surprise)| {
        let mut other = surprise.clone();
        change(&mut other);
        if other != *surprise {
            all.push(other);
        }
    };
    let with = |deed: Deed| {
        move |other: &mut Surprise| {
            other.deed = deed;
            other.keeps = None;
        }
    };
    match surprise.deed {
        Deed::PowerCut => {
            change(&with(Deed::Kill));
            change(&with(Deed::ContainerKill));
        }
        Deed::ContainerKill | Deed::ContainerRestart => change(&with(Deed::Kill)),
        _ => {}
    }
    change(&|other| other.sticky = false);
    change(&|other| other.keeps = None);
    change(&|other| other.to = None);
    change(&|other| other.at.nth = 1);
    all
}

fn steps(scenario: &Scenario, all: &mut Vec<Scenario>) {
    for index in (0..scenario.story.len()).rev() {
        let mut fewer = scenario.clone();
        fewer.story.remove(index);
        all.push(fewer);
    }
    for (index, step) in scenario.story.iter().enumerate() {
        let Step::Together(group) = step else { continue };
        for inner in (0..group.together.len()).rev() {
            let mut rest = group.clone();
            rest.together.remove(inner);
            let mut fewer = scenario.clone();
            fewer.story[index] = match rest.together.len() {
                1 => rest.together.remove(0),
                _ => Step::Together(rest),
            };
            all.push(fewer);
        }
    }
}

fn world(scenario: &Scenario, all: &mut Vec<Scenario>) {
    let mut change = |change: &dyn Fn(&mut Scenario)| {
        let mut other = scenario.clone();
        change(&mut other);
        if other != *scenario {
            all.push(other);
        }
    };
    let world = &scenario.world;
    for name in world.profiles.keys() {
        change(&|it| drop(it.world.profiles.remove(name)));
    }
    for path in world.files.keys() {
        change(&|it| drop(it.world.files.remove(path)));
    }
    for (name, profile) in &world.profiles {
        for path in profile.files.keys() {
            change(&|it| {
                it.world.profiles.entry(name.clone()).and_modify(|own| {
                    own.files.remove(path);
                });
            });
        }
        change(&|it| {
            it.world.profiles.entry(name.clone()).and_modify(|own| own.config = None);
        });
        change(&|it| {
            it.world.profiles.entry(name.clone()).and_modify(|own| own.state = None);
        });
    }
    for variable in world.environment.keys() {
        change(&|it| drop(it.world.environment.remove(variable)));
    }
    for path in world.programs.keys() {
        change(&|it| drop(it.world.programs.remove(path)));
    }
    change(&|it| it.world.command.clear());
    change(&|it| it.world.containers = 1);
}
