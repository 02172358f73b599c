//! Gateways and signals: one live gateway a profile, and signals that reach only their intended process.

use std::collections::BTreeMap;
use std::path::Path;

use hermes::host::effect::{Effect, Handle};
use hermes::name::Profile;

use super::Violation;
use super::command::{ParsedCommand, Scope};
use super::violation::violation;
use crate::machine::image::HOME;
use crate::machine::process::{OpenKind, Process, ProcessBody};
use crate::machine::world::{ProcessId, World};
use crate::observe::process::{self, gateway_of};
use crate::observe::volume;
use crate::scenario::Invariant;

/// S5: two gateways of one profile answer each message twice, and write over each other's files.
pub fn check_one_gateway_per_profile(world: &World) -> Result<(), Violation> {
    let mut at_work: BTreeMap<Profile, ProcessId> = BTreeMap::new();
    for (who, process, profile) in process::gateways(world) {
        if !process::is_working(world, process, &profile) {
            continue;
        }
        if let Some(other) = at_work.insert(profile.clone(), who) {
            return violation(
                Invariant::S5,
                format!(
                    "{profile}: gateways {} and {} both work",
                    describe_process(other),
                    describe_process(who)
                ),
            );
        }
    }
    Ok(())
}

/// L5: a permanent cause is not mended by another try: after exit code 78 only an operator, or a boot, starts it again.
pub fn reject_retry(profile: &Profile) -> Result<(), Violation> {
    violation(
        Invariant::L5,
        format!("{profile}: the gateway ended permanently, and was started again"),
    )
}

/// S14: two commands on one profile are serialized only because a process that changes its intent, or makes, hides or
/// renames it, holds the lock that its name means now.
pub fn check_holds_lock(
    world: &World,
    who: ProcessId,
    from: &Path,
    to: &Path,
) -> Result<(), Violation> {
    let Some(process) = world.process(who) else { return Ok(()) };
    for profile in
        [profile_of_intent_path(to), profile_of_dir(from), profile_of_dir(to)].into_iter().flatten()
    {
        let locks = volume::entry(world, volume::HOME_NODE, ".locks");
        let lock = locks.and_then(|locks| volume::entry(world, locks, profile.as_str()));
        let mut open = process.open_files.values();
        if !open.any(|open| open.flock && lock.map(OpenKind::Node) == Some(open.kind.clone())) {
            let detail =
                format!("{profile}: {} changes it without its lock", describe_process(who));
            return violation(Invariant::S14, detail);
        }
    }
    Ok(())
}

/// The profile whose intent file this path is.
fn profile_of_intent_path(path: &Path) -> Option<Profile> {
    let dir = path.parent().filter(|_| volume::is_intent_path(path))?;
    profile_of_dir(dir).or_else(|| (dir == Path::new(HOME)).then(Profile::default_profile))
}

/// The profile whose directory this path is.
fn profile_of_dir(path: &Path) -> Option<Profile> {
    let name = path.strip_prefix(HOME).ok()?.strip_prefix("profiles").ok()?;
    Profile::parse(name.to_str()?).ok()
}

/// L3: a gateway whose profile is removed while it runs writes into deleted files, and no command can stop it.
pub fn check_gateway_keeps_profile(world: &World, renamed: &Path) -> Result<(), Violation> {
    let renamed = profile_of_dir(renamed).filter(|profile| !volume::profile_exists(world, profile));
    let Some(gone) = renamed else { return Ok(()) };
    let mut gateways = process::gateways(world);
    match gateways.find(|(_, process, of)| *of == gone && !process.record_locks.is_empty()) {
        Some((who, ..)) => violation(
            Invariant::L3,
            format!("{gone} is removed under gateway {}", describe_process(who)),
        ),
        None => Ok(()),
    }
}

fn describe_process(who: ProcessId) -> String {
    format!("{} of container {}", who.pid, who.container.0)
}

/// S8: a number in a file may mean another process by now, and a pid of 1 or less means several.
pub fn check_signal_target(
    world: &World,
    who: ProcessId,
    effect: &Effect,
) -> Result<(), Violation> {
    match effect {
        Effect::SignalProcess { process, .. } => check_signalled_process(world, who, *process),
        Effect::SignalGroup { leader, .. } => {
            let leader = ProcessId { container: who.container, pid: leader.raw() };
            match world.process(leader) {
                Some(process) if process.parent != who.pid => violation(
                    Invariant::S8,
                    format!("{} signals the group of another process", describe_process(who)),
                ),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn check_signalled_process(world: &World, who: ProcessId, handle: Handle) -> Result<(), Violation> {
    let Some(sender) = world.process(who) else { return Ok(()) };
    let Some(OpenKind::Process(target, serial)) =
        sender.open_files.get(&handle.0).map(|open| &open.kind)
    else {
        return Ok(());
    };
    if target.pid <= 1 {
        return violation(
            Invariant::S8,
            format!("{} signals process {}", describe_process(who), target.pid),
        );
    }
    // A process that is gone was signalled, and its arguments can no longer be read.
    let Some(target_process) = world.process(*target).filter(|process| process.serial == *serial)
    else {
        return Ok(());
    };
    match is_legitimate_target(world, who, sender, target_process) {
        true => Ok(()),
        false => {
            let name = match target_process.comm.as_str() {
                "" => "?",
                comm => comm,
            };
            violation(
                Invariant::S8,
                format!("{} signals {} ({name})", describe_process(who), describe_process(*target)),
            )
        }
    }
}

fn is_legitimate_target(world: &World, who: ProcessId, sender: &Process, target: &Process) -> bool {
    let argv: Vec<String> =
        sender.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match (gateway_of(&target.argv), ParsedCommand::parse(&argv)) {
        (Some(_), ParsedCommand::Boot | ParsedCommand::SetIntent(_, Scope::All)) => true,
        (Some(of), command) => command.concerns(&of),
        // A gateway may end a user's program that a dead gateway left.
        (None, ParsedCommand::Run(_)) => {
            matches!(target.body, ProcessBody::User(_)) && !is_of_another(world, who, target)
        }
        (None, _) => false,
    }
}

/// Is it in a group that another live gateway leads?
fn is_of_another(world: &World, who: ProcessId, target: &Process) -> bool {
    process::gateways(world).any(|(other, gateway, _)| {
        other != who && other.container == who.container && gateway.spawned.contains(&target.group)
    })
}
