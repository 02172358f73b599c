//! The roles of the processes of a world: gateways, supervisors, scanners, loggers, boots.

use std::ffi::OsStr;

use hermes::name::Profile;

use super::volume;
pub use crate::machine::command_line::{gateway_of, hermes_args, logger_of};
use crate::machine::process::{OpenKind, Process, ProcessBody};
use crate::machine::world::{Container, ContainerId, ContainerPhase, Pid1, ProcessId, World};

/// Live processes that are a profile's gateway, wait to become it, or are a container's heartbeat.
pub fn gateways(world: &World) -> impl Iterator<Item = (ProcessId, &Process, Profile)> {
    world
        .processes()
        .filter(|(_, process)| process.is_alive())
        .filter_map(|(who, process)| Some((who, process, gateway_of(&process.argv)?)))
}

/// Does the process work as a gateway: does it hold the profile's lock, listen, or have a command running?
pub fn is_working(world: &World, process: &Process, profile: &Profile) -> bool {
    let lock = volume::gateway_lock(world, profile);
    let holds = lock.is_some_and(|lock| process.record_locks.contains(&lock));
    let listens =
        process.open_files.values().any(|open| matches!(open.kind, OpenKind::Listener(_)));
    holds || listens || !process.spawned.is_empty()
}

/// Was it started by a slot, or by a host's supervisor?
pub fn is_supervised(process: &Process) -> bool {
    let has = |name: &str| process.env.contains_key(OsStr::new(name));
    process.argv.iter().any(|word| word == "--slot")
        || has("HERMES_S6_SUPERVISED_CHILD")
        || has("HERMES_SUPERVISED_CHILD")
}

/// Is it s6-supervise, or a host's supervisor?
pub fn is_supervisor(process: &Process) -> bool {
    process.is_alive()
        && (matches!(process.body, ProcessBody::Supervise(_) | ProcessBody::Manager(_))
            || process.comm == "s6-supervise")
}

/// Is it s6-svscan?
pub fn is_scanner(process: &Process) -> bool {
    process.is_alive()
        && (matches!(process.body, ProcessBody::Svscan(_)) || process.comm == "s6-svscan")
}

/// Is it s6-log, or a process that is about to become it?
pub fn is_logger(process: &Process) -> bool {
    process.is_alive()
        && (matches!(process.body, ProcessBody::Logger(_))
            || process.comm == "s6-log"
            || logger_of(&process.argv).is_some())
}

/// Does a `hermes boot …` run?
pub fn is_booting(world: &World) -> bool {
    world.processes().any(|(_, process)| {
        process.is_alive()
            && hermes_args(&process.argv).is_some_and(|words| words.first() == Some(&"boot"))
            && !is_scanner(process)
    })
}

/// The container that supervises the home. A tree that is not hermes' own takes no lock of hermes.
pub fn supervising_container(world: &World) -> Option<ContainerId> {
    let lock = volume::entry(world, volume::HOME_NODE, ".supervisor.lock");
    let holds = |process: &Process| lock.is_some_and(|lock| process.record_locks.contains(&lock));
    let holder = world.processes().find(|(_, process)| holds(process));
    let is_foreign = |container: &Container| {
        container.settings.init == Pid1::Foreign && container.phase == ContainerPhase::Running
    };
    let mut foreign = world.containers.iter().filter(|(_, container)| is_foreign(container));
    holder.map(|(who, _)| who.container).or_else(|| foreign.next().map(|(&id, _)| id))
}
