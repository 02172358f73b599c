//! Gateways and signals: one live gateway a profile, and signals that meet whom they are meant for.

use std::collections::BTreeMap;
use std::path::Path;

use hermes::host::effect::{Effect, Handle};
use hermes::name::Profile;

use super::command::{Asked, Scope};
use super::name::breach;
use super::{Breach, Name};
use crate::machine::image::HOME;
use crate::machine::process::{Body, Process, What};
use crate::machine::world::{Who, World};
use crate::observe::process::{self as who_is, gateway_of};
use crate::observe::volume;

/// S5: two gateways of one profile answer each message twice, and write over each other's files.
pub fn is_one_gateway(world: &World) -> Result<(), Breach> {
    let mut at_work: BTreeMap<Profile, Who> = BTreeMap::new();
    for (who, process, profile) in who_is::gateways(world) {
        if !who_is::works(world, process, &profile) {
            continue;
        }
        if let Some(other) = at_work.insert(profile.clone(), who) {
            return breach(
                Name::S5,
                format!("{profile}: gateways {} and {} both work", name(other), name(who)),
            );
        }
    }
    Ok(())
}

/// L5: a cause that lasts is not mended by trying: after 78 nobody but an operator, or a boot, starts it again.
pub fn is_not_retried(profile: &Profile) -> Result<(), Breach> {
    breach(Name::L5, format!("{profile}: it ended for good, and was started again"))
}

/// S14: two commands on one profile come one after the other only because whoever changes its word, or makes it, hides
/// it or renames it, holds the lock that its name means now.
pub fn holds_the_lock(world: &World, who: Who, from: &Path, to: &Path) -> Result<(), Breach> {
    let Some(process) = world.process(who) else { return Ok(()) };
    for profile in [of_word(to), of_dir(from), of_dir(to)].into_iter().flatten() {
        let locks = volume::entry(world, volume::HOME_NODE, ".locks");
        let lock = locks.and_then(|locks| volume::entry(world, locks, profile.as_str()));
        let mut open = process.open.values();
        if !open.any(|open| open.flock && lock.map(What::Node) == Some(open.what.clone())) {
            let what = format!("{profile}: {} changes it without its lock", name(who));
            return breach(Name::S14, what);
        }
    }
    Ok(())
}

/// Whose word is written here.
fn of_word(path: &Path) -> Option<Profile> {
    let dir = path.parent().filter(|_| volume::is_intent(path))?;
    of_dir(dir).or_else(|| (dir == Path::new(HOME)).then(Profile::default_profile))
}

/// Whose directory it is.
fn of_dir(path: &Path) -> Option<Profile> {
    let name = path.strip_prefix(HOME).ok()?.strip_prefix("profiles").ok()?;
    Profile::parse(name.to_str()?).ok()
}

/// L3: a gateway whose profile was taken away from under it writes into what is deleted, and nobody can stop it.
pub fn keep_their_profiles(world: &World, renamed: &Path) -> Result<(), Breach> {
    let renamed = of_dir(renamed).filter(|profile| !volume::exists(world, profile));
    let Some(gone) = renamed else { return Ok(()) };
    let mut everybody = who_is::gateways(world);
    match everybody.find(|(_, process, of)| *of == gone && !process.record_locks.is_empty()) {
        Some((who, ..)) => {
            breach(Name::L3, format!("{gone} is taken away under gateway {}", self::name(who)))
        }
        None => Ok(()),
    }
}

fn name(who: Who) -> String {
    format!("{} of container {}", who.pid, who.container.0)
}

/// S8: a number in a file may by now mean a stranger, and a pid of 1 or less means many.
pub fn signal_is_meant(world: &World, who: Who, effect: &Effect) -> Result<(), Breach> {
    match effect {
        Effect::SignalProcess { process, .. } => meets_its_target(world, who, *process),
        Effect::SignalGroup { leader, .. } => {
            let leader = Who { container: who.container, pid: leader.raw() };
            match world.process(leader) {
                Some(process) if process.parent != who.pid => {
                    breach(Name::S8, format!("{} signals the group of a stranger", name(who)))
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn meets_its_target(world: &World, who: Who, handle: Handle) -> Result<(), Breach> {
    let Some(sender) = world.process(who) else { return Ok(()) };
    let Some(What::Process(target, serial)) = sender.open.get(&handle.0).map(|open| &open.what)
    else {
        return Ok(());
    };
    if target.pid <= 1 {
        return breach(Name::S8, format!("{} signals process {}", name(who), target.pid));
    }
    // Whoever is gone by now was met, and cannot be asked who it was.
    let Some(met) = world.process(*target).filter(|met| met.serial == *serial) else {
        return Ok(());
    };
    match is_meant(world, who, sender, met) {
        true => Ok(()),
        false => {
            let met_name = if met.comm.is_empty() { "?" } else { &met.comm };
            breach(Name::S8, format!("{} signals {} ({met_name})", name(who), name(*target)))
        }
    }
}

fn is_meant(world: &World, who: Who, sender: &Process, met: &Process) -> bool {
    let argv: Vec<String> =
        sender.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match (gateway_of(&met.argv), Asked::read(&argv)) {
        (Some(_), Asked::Boot | Asked::Say(_, Scope::All)) => true,
        (Some(of), asked) => asked.concerns(&of),
        // Of users' programs a gateway may end those that a dead gateway left.
        (None, Asked::Run(_)) => {
            matches!(met.body, Body::User(_)) && !is_of_another(world, who, met)
        }
        (None, _) => false,
    }
}

/// Is it of a group that another live gateway leads?
fn is_of_another(world: &World, who: Who, met: &Process) -> bool {
    who_is::gateways(world).any(|(other, gateway, _)| {
        other != who && other.container == who.container && gateway.spawned.contains(&met.group)
    })
}
