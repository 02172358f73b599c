//! S9: the end of the scenario is compared with its end without one profile.

use std::sync::Arc;

use hermes::name::Profile;

use super::super::{Explorer, Schedule};
use crate::invariants::check_isolation;
use crate::invariants::command::{ParsedCommand, Scope};
use crate::scenario::step::ProcessAddress;
use crate::scenario::{Invariant, ProfileName, Scenario, Step};

impl Explorer {
    /// Leaves out each profile of the scenario once.
    pub(super) fn check_without_each_profile(&mut self, scenario: &Arc<Scenario>) {
        let reduced: Vec<(Profile, Scenario)> = profiles(scenario)
            .into_iter()
            .filter_map(|of| Some((of.clone(), without_profile(scenario, &of)?)))
            .collect();
        let Some(with) =
            self.run_to_rest(Scenario::clone(scenario)).filter(|_| !reduced.is_empty())
        else {
            return;
        };
        for (profile, scenario) in reduced {
            let Some(without) = self.run_to_rest(scenario) else { continue };
            let result = check_isolation(&with.machine.world, &without.machine.world, &profile);
            self.record_comparison(Invariant::S9, result, &Schedule::default());
        }
    }
}

/// The profiles that can be left out: those of the world, and those that the scenario creates.
fn profiles(scenario: &Scenario) -> Vec<Profile> {
    let existing = scenario.world.profiles.keys().map(|name| name.0.clone());
    let created = scenario.run_steps().filter_map(|run| match ParsedCommand::parse(&run.words()) {
        ParsedCommand::Create(profile) => Some(profile),
        _ => None,
    });
    let mut all: Vec<Profile> =
        existing.chain(created).filter(|profile| !profile.is_default()).collect();
    all.sort();
    all.dedup();
    all
}

/// The scenario without this profile; `None` if a step concerns another profile, too, and cannot be left out.
fn without_profile(scenario: &Scenario, profile: &Profile) -> Option<Scenario> {
    let mut reduced = scenario.clone();
    reduced.world.profiles.remove(&ProfileName(profile.clone()));
    reduced.world.files.retain(|address, _| !is_below(address, profile));
    reduced.steps = Vec::new();
    for step in &scenario.steps {
        match step {
            Step::Together(group) => {
                let mut group = group.clone();
                group.steps = remaining_steps(&group.steps, profile)?;
                if !group.steps.is_empty() {
                    reduced.steps.push(Step::Together(group));
                }
            }
            step => reduced.steps.extend(remaining_steps(std::slice::from_ref(step), profile)?),
        }
    }
    Some(reduced)
}

fn remaining_steps(steps: &[Step], profile: &Profile) -> Option<Vec<Step>> {
    let mut kept = Vec::new();
    for step in steps {
        if !concerns_only(step, profile)? {
            kept.push(step.clone());
        }
    }
    Some(kept)
}

/// Does the step concern this profile alone? `None`: another one, too.
fn concerns_only(step: &Step, profile: &Profile) -> Option<bool> {
    let below = |address: &str| is_below(address, profile);
    Some(match step {
        Step::Run(run) => {
            let words = run.words();
            match ParsedCommand::parse(&words) {
                ParsedCommand::Rename(old, new) if old == *profile || new == *profile => {
                    return None;
                }
                ParsedCommand::SetIntent(_, Scope::All) | ParsedCommand::Boot => false,
                ParsedCommand::ReadOnly | ParsedCommand::Other => {
                    words.iter().any(|word| word == profile.as_str())
                }
                command => command.concerns(profile),
            }
        }
        Step::Signal(step) => match &step.to {
            ProcessAddress::Gateway(name) | ProcessAddress::Child(name) => name.0 == *profile,
            ProcessAddress::Supervisor(name) | ProcessAddress::Logger(name) => name.0 == *profile,
            ProcessAddress::Svscan | ProcessAddress::Main | ProcessAddress::Init => false,
        },
        Step::S6Svc(step) => step.profile.0 == *profile,
        Step::HostStop(step) => step.profile.0 == *profile,
        Step::Write(step) => below(&step.write),
        Step::Remove(step) => below(&step.remove),
        Step::Chmod(step) => below(&step.chmod),
        Step::Chown(step) => below(&step.chown),
        Step::Move(step) if below(&step.from) || below(&step.to) => return None,
        Step::Copy(step) if below(&step.copy) || below(&step.to) => return None,
        _ => false,
    })
}

/// Is it a file of this profile, of its slot or of its logs?
fn is_below(address: &str, profile: &Profile) -> bool {
    let parts: Vec<&str> = address.split('/').collect();
    let slot = format!("gateway-{profile}");
    let above = ["profiles", "gateways", ".locks"];
    parts.contains(&slot.as_str())
        || parts.windows(2).any(|two| above.contains(&two[0]) && two[1] == profile.as_str())
}
