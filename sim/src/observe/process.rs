//! Who is what among the processes of a world.

use std::ffi::{OsStr, OsString};

use hermes::name::Profile;

use super::volume;
use crate::machine::process::{OpenKind, Process, ProcessBody};
use crate::machine::world::{Container, ContainerId, ContainerPhase, Pid1, ProcessId, World};

/// The words after the program's name, if the process is `hermes`.
pub fn hermes_args(argv: &[OsString]) -> Option<Vec<&str>> {
    let (program, words) = argv.split_first()?;
    let is_hermes = std::path::Path::new(program).file_name() == Some(OsStr::new("hermes"));
    is_hermes.then(|| words.iter().filter_map(|word| word.to_str()).collect())
}

/// The profile whose gateway these arguments are: `hermes … gateway run …`.
pub fn gateway_of(argv: &[OsString]) -> Option<Profile> {
    let words = hermes_args(argv)?;
    // `boot` may name the container's command in its words.
    let boots = words.first() == Some(&"boot");
    let runs = words.windows(2).any(|pair| pair == ["gateway", "run"]);
    (runs && !boots).then(|| named_profile(&words))
}

/// The profile whose logger these arguments are about to be: `hermes … gateway log`.
pub fn logger_of(argv: &[OsString]) -> Option<Profile> {
    let words = hermes_args(argv)?;
    words.ends_with(&["gateway", "log"]).then(|| named_profile(&words))
}

/// The profile named with `-p`, else `default`.
fn named_profile(words: &[&str]) -> Profile {
    let named = words.iter().enumerate().find_map(|(at, word)| match *word {
        "-p" | "--profile" => words.get(at + 1).copied(),
        word => word
            .strip_prefix("--profile=")
            .or_else(|| word.strip_prefix("-p").filter(|rest| !rest.is_empty())),
    });
    named.and_then(|name| Profile::parse(name).ok()).unwrap_or_else(Profile::default_profile)
}

/// A live process that is a profile's gateway, or waits to be it, or is a container's heartbeat.
pub fn gateways(world: &World) -> impl Iterator<Item = (ProcessId, &Process, Profile)> {
    world
        .processes()
        .filter(|(_, process)| process.is_alive())
        .filter_map(|(who, process)| Some((who, process, gateway_of(&process.argv)?)))
}

/// Does the process do a gateway's work: hold the profile's lock, listen, or have a command running?
pub fn is_working(world: &World, process: &Process, profile: &Profile) -> bool {
    let lock = volume::gateway_lock(world, profile);
    let holds = lock.is_some_and(|lock| process.record_locks.contains(&lock));
    let listens =
        process.open_files.values().any(|open| matches!(open.kind, OpenKind::Listener(_)));
    holds || listens || !process.spawned.is_empty()
}

/// Started by a slot, or by a host's supervisor.
pub fn is_supervised(process: &Process) -> bool {
    let has = |name: &str| process.env.contains_key(OsStr::new(name));
    process.argv.iter().any(|word| word == "--slot")
        || has("HERMES_S6_SUPERVISED_CHILD")
        || has("HERMES_SUPERVISED_CHILD")
}

/// s6-supervise, or a host's supervisor.
pub fn is_supervisor(process: &Process) -> bool {
    process.is_alive()
        && (matches!(process.body, ProcessBody::Supervise(_) | ProcessBody::Manager(_))
            || process.comm == "s6-supervise")
}

/// s6-svscan.
pub fn is_scanner(process: &Process) -> bool {
    process.is_alive()
        && (matches!(process.body, ProcessBody::Svscan(_)) || process.comm == "s6-svscan")
}

/// s6-log, or what is about to become it.
pub fn is_logger(process: &Process) -> bool {
    process.is_alive()
        && (matches!(process.body, ProcessBody::Logger(_))
            || process.comm == "s6-log"
            || logger_of(&process.argv).is_some())
}

/// `hermes boot …`, at work.
pub fn is_booting(world: &World) -> bool {
    world.processes().any(|(_, process)| {
        process.is_alive()
            && hermes_args(&process.argv).is_some_and(|words| words.first() == Some(&"boot"))
            && !is_scanner(process)
    })
}

/// The container that supervises the home. Somebody else's tree takes no lock of ours.
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
