//! S9: the story as it is, and without one profile, told beside each other.

use std::sync::Arc;

use hermes::name::Profile;

use super::super::{Explorer, Schedule};
use crate::invariants::check_isolation;
use crate::invariants::command::{ParsedCommand, Scope};
use crate::scenario::step::ProcessAddress;
use crate::scenario::{ProfileName, Scenario, Step};

impl Explorer {
    /// Each profile of the story is left out once.
    pub(super) fn check_without_each_profile(&mut self, story: &Arc<Scenario>) {
        let told: Vec<(Profile, Scenario)> = profiles(story)
            .into_iter()
            .filter_map(|of| Some((of.clone(), without_profile(story, &of)?)))
            .collect();
        let Some(with) = self.run_to_rest(Scenario::clone(story)).filter(|_| !told.is_empty())
        else {
            return;
        };
        for (profile, story) in told {
            let Some(without) = self.run_to_rest(story) else { continue };
            let held = check_isolation(&with.machine.world, &without.machine.world, &profile);
            self.record_comparison("S9", held, &Schedule::default());
        }
    }
}

/// Those that can be left out: the world's own, and those that the story makes.
fn profiles(story: &Scenario) -> Vec<Profile> {
    let own = story.world.profiles.keys().map(|name| name.0.clone());
    let made = story.run_steps().filter_map(|run| match ParsedCommand::parse(&run.words()) {
        ParsedCommand::Create(profile) => Some(profile),
        _ => None,
    });
    let mut all: Vec<Profile> = own.chain(made).filter(|it| !it.is_default()).collect();
    all.sort();
    all.dedup();
    all
}

/// The story without this profile; `None` if what is left would be another story.
fn without_profile(story: &Scenario, profile: &Profile) -> Option<Scenario> {
    let mut told = story.clone();
    told.world.profiles.remove(&ProfileName(profile.clone()));
    told.world.files.retain(|address, _| !is_below(address, profile));
    told.steps = Vec::new();
    for step in &story.steps {
        match step {
            Step::Together(group) => {
                let mut group = group.clone();
                group.steps = remaining_steps(&group.steps, profile)?;
                if !group.steps.is_empty() {
                    told.steps.push(Step::Together(group));
                }
            }
            step => told.steps.extend(remaining_steps(std::slice::from_ref(step), profile)?),
        }
    }
    Some(told)
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

/// Is the step about this profile alone? `None`: about another one, too.
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
                asked => asked.concerns(profile),
            }
        }
        Step::Signal(it) => match &it.to {
            ProcessAddress::Gateway(name) | ProcessAddress::Child(name) => name.0 == *profile,
            ProcessAddress::Supervisor(name) | ProcessAddress::Logger(name) => name.0 == *profile,
            ProcessAddress::Svscan | ProcessAddress::Main | ProcessAddress::Init => false,
        },
        Step::S6Svc(it) => it.profile.0 == *profile,
        Step::HostStop(it) => it.profile.0 == *profile,
        Step::Write(it) => below(&it.write),
        Step::Remove(it) => below(&it.remove),
        Step::Chmod(it) => below(&it.chmod),
        Step::Chown(it) => below(&it.chown),
        Step::Move(it) if below(&it.from) || below(&it.to) => return None,
        Step::Copy(it) if below(&it.copy) || below(&it.to) => return None,
        _ => false,
    })
}

/// Is it a file of this profile's, or of its slot or logs?
fn is_below(address: &str, profile: &Profile) -> bool {
    let parts: Vec<&str> = address.split('/').collect();
    let slot = format!("gateway-{profile}");
    let above = ["profiles", "gateways", ".locks"];
    parts.contains(&slot.as_str())
        || parts.windows(2).any(|two| above.contains(&two[0]) && two[1] == profile.as_str())
}
