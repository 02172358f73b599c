//! Gateways and signals: one live gateway a profile, and signals that meet whom they are meant for.

use std::collections::BTreeMap;

use hermes::host::effect::{Effect, Handle};
use hermes::name::Profile;

use super::command::{Asked, Scope};
use super::name::breach;
use super::{Breach, Name};
use crate::observe::process::{self as who_is, gateway_of};
use crate::process::{Body, Process, What};
use crate::world::{Who, World};

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
