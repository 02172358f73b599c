//! The name of a process in a scenario: the name of a run, `init`, `tree c2`, `stop`, `gateway coder`, `log coder`.

use hermes::name::Profile;

use super::Execution;
use crate::machine::process::{Process, ProcessBody};
use crate::machine::world::ProcessId;
use crate::scenario::{ContainerName, ProfileName, TaskAddress};

impl Execution {
    /// The scenario's name of this process, if it runs the product.
    pub fn task_address(&self, who: ProcessId) -> Option<TaskAddress> {
        let process = self.machine.world.process(who)?;
        if !matches!(process.body, ProcessBody::Task(_)) {
            return None;
        }
        if let Some(command) = self.commands.get(&process.serial) {
            return Some(TaskAddress::Run(command.name.clone()));
        }
        let container = ContainerName(who.container.0);
        let words = arguments(process);
        let has = |first: &str, second: &str| words.windows(2).any(|two| two == [first, second]);
        if has("boot", "main") {
            Some(TaskAddress::Main(container))
        } else if has("boot", "stop") {
            Some(TaskAddress::Stop(container))
        } else if has("gateway", "log") {
            profile_of(&words).map(|profile| TaskAddress::Log(ProfileName(profile)))
        } else if has("boot", "init") {
            Some(TaskAddress::Init(container))
        } else if has("boot", "tree") {
            Some(TaskAddress::Tree(container))
        } else if has("gateway", "run") {
            profile_of(&words).map(|profile| TaskAddress::Gateway(ProfileName(profile)))
        } else {
            None
        }
    }
}

pub(super) fn arguments(process: &Process) -> Vec<&str> {
    process.argv.iter().filter_map(|word| word.to_str()).collect()
}

/// The profile that `-p` names, else `default`.
pub(super) fn profile_of(words: &[&str]) -> Option<Profile> {
    let named = words.windows(2).find(|two| two[0] == "-p").map(|two| two[1]);
    match named {
        Some(name) => Profile::parse(name).ok(),
        None => Some(Profile::default_profile()),
    }
}
