//! Gateways and signals: one live gateway a profile, and signals that meet whom they are meant for.

use std::collections::BTreeMap;
use std::path::Path;

use hermes::host::effect::{Effect, Handle};
use hermes::name::Profile;

use super::command::{ParsedCommand, Scope};
use super::violation::violation;
use super::{Name, Violation};
use crate::machine::image::HOME;
use crate::machine::process::{OpenKind, Process, ProcessBody};
use crate::machine::world::{ProcessId, World};
use crate::observe::process::{self as who_is, gateway_of};
use crate::observe::volume;

/// S5: two gateways of one profile answer each message twice, and write over each other's files.
pub fn check_one_gateway_per_profile(world: &World) -> Result<(), Violation> {
    let mut at_work: BTreeMap<Profile, ProcessId> = BTreeMap::new();
    for (who, process, profile) in who_is::gateways(world) {
        if !who_is::is_working(world, process, &profile) {
            continue;
        }
        if let Some(other) = at_work.insert(profile.clone(), who) {
            return violation(
                Name::S5,
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

/// L5: a cause that lasts is not mended by trying: after 78 nobody but an operator, or a boot, starts it again.
pub fn reject_retry(profile: &Profile) -> Result<(), Violation> {
    violation(Name::L5, format!("{profile}: it ended for good, and was started again"))
}

/// S14: two commands on one profile come one after the other only because whoever changes its word, or makes it, hides
/// it or renames it, holds the lock that its name means now.
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
            let what = format!("{profile}: {} changes it without its lock", describe_process(who));
            return violation(Name::S14, what);
        }
    }
    Ok(())
}

/// Whose word is written here.
fn profile_of_intent_path(path: &Path) -> Option<Profile> {
    let dir = path.parent().filter(|_| volume::is_intent_path(path))?;
    profile_of_dir(dir).or_else(|| (dir == Path::new(HOME)).then(Profile::default_profile))
}

/// Whose directory it is.
fn profile_of_dir(path: &Path) -> Option<Profile> {
    let name = path.strip_prefix(HOME).ok()?.strip_prefix("profiles").ok()?;
    Profile::parse(name.to_str()?).ok()
}

/// L3: a gateway whose profile was taken away from under it writes into what is deleted, and nobody can stop it.
pub fn check_gateway_keeps_profile(world: &World, renamed: &Path) -> Result<(), Violation> {
    let renamed = profile_of_dir(renamed).filter(|profile| !volume::profile_exists(world, profile));
    let Some(gone) = renamed else { return Ok(()) };
    let mut everybody = who_is::gateways(world);
    match everybody.find(|(_, process, of)| *of == gone && !process.record_locks.is_empty()) {
        Some((who, ..)) => violation(
            Name::L3,
            format!("{gone} is taken away under gateway {}", self::describe_process(who)),
        ),
        None => Ok(()),
    }
}

fn describe_process(who: ProcessId) -> String {
    format!("{} of container {}", who.pid, who.container.0)
}

/// S8: a number in a file may by now mean a stranger, and a pid of 1 or less means many.
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
                    Name::S8,
                    format!("{} signals the group of a stranger", describe_process(who)),
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
            Name::S8,
            format!("{} signals process {}", describe_process(who), target.pid),
        );
    }
    // Whoever is gone by now was met, and cannot be asked who it was.
    let Some(met) = world.process(*target).filter(|met| met.serial == *serial) else {
        return Ok(());
    };
    match is_legitimate_target(world, who, sender, met) {
        true => Ok(()),
        false => {
            let met_name = if met.comm.is_empty() { "?" } else { &met.comm };
            violation(
                Name::S8,
                format!(
                    "{} signals {} ({met_name})",
                    describe_process(who),
                    describe_process(*target)
                ),
            )
        }
    }
}

fn is_legitimate_target(world: &World, who: ProcessId, sender: &Process, met: &Process) -> bool {
    let argv: Vec<String> =
        sender.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match (gateway_of(&met.argv), ParsedCommand::parse(&argv)) {
        (Some(_), ParsedCommand::Boot | ParsedCommand::SetIntent(_, Scope::All)) => true,
        (Some(of), asked) => asked.concerns(&of),
        // Of users' programs a gateway may end those that a dead gateway left.
        (None, ParsedCommand::Run(_)) => {
            matches!(met.body, ProcessBody::User(_)) && !is_of_another(world, who, met)
        }
        (None, _) => false,
    }
}

/// Is it of a group that another live gateway leads?
fn is_of_another(world: &World, who: ProcessId, met: &Process) -> bool {
    who_is::gateways(world).any(|(other, gateway, _)| {
        other != who && other.container == who.container && gateway.spawned.contains(&met.group)
    })
}
