//! What the scenario calls a process: the name of a run, `init`, `tree c2`, `stop`, `gateway coder`, `log coder`.

use hermes::name::Profile;

use super::Play;
use crate::process::{Body, Process};
use crate::scenario::{Container, Name, Task};
use crate::world::Who;

impl Play {
    /// What the story calls this process, if it runs our program.
    pub fn task(&self, who: Who) -> Option<Task> {
        let process = self.machine.world.process(who)?;
        if !matches!(process.body, Body::Task(_)) {
            return None;
        }
        if let Some(command) = self.commands.get(&process.serial) {
            return Some(Task::Run(command.name.clone()));
        }
        let container = Container(who.container.0);
        let words = words(process);
        let has = |first: &str, second: &str| words.windows(2).any(|two| two == [first, second]);
        if has("boot", "main") {
            Some(Task::Main(container))
        } else if has("boot", "stop") {
            Some(Task::Stop(container))
        } else if has("gateway", "log") {
            profile_of(&words).map(|profile| Task::Log(Name(profile)))
        } else if has("boot", "init") {
            Some(Task::Init(container))
        } else if has("boot", "tree") {
            Some(Task::Tree(container))
        } else if has("gateway", "run") {
            profile_of(&words).map(|profile| Task::Gateway(Name(profile)))
        } else {
            None
        }
    }
}

pub(super) fn words(process: &Process) -> Vec<&str> {
    process.argv.iter().filter_map(|word| word.to_str()).collect()
}

/// Whom `-p` names, else `default`.
pub(super) fn profile_of(words: &[&str]) -> Option<Profile> {
    let named = words.windows(2).find(|two| two[0] == "-p").map(|two| two[1]);
    match named {
        Some(name) => Profile::parse(name).ok(),
        None => Some(Profile::default_profile()),
    }
}
