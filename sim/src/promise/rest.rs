//! When nobody moves any more: what was asked is so, and nothing is left over.

use std::collections::BTreeMap;

use hermes::name::Profile;
use hermes::record::intent::Intent;

use super::name::breach;
use super::{Breach, Name};
use crate::disk::NodeId;
use crate::observe::process::{gateways, is_supervised, is_supervisor, supervising, works};
use crate::observe::slot::{self, Slot};
use crate::observe::volume;
use crate::world::{ContainerId, World};

/// The container whose gateways are supervised, with its scan directory; `None` where all are guests.
pub fn seat(world: &World) -> Option<(ContainerId, NodeId)> {
    let id = supervising(world)?;
    slot::scanned(world).into_iter().find(|(scanned, _)| *scanned == id)
}

/// L1: the operator's word decides, and where it does not, something that `status` shows says why.
pub fn wanted_is_asked(world: &World) -> Result<(), Breach> {
    let Some((id, dir)) = seat(world) else { return Ok(()) };
    for found in slot::visible(world, dir) {
        if volume::exists(world, &found.profile) {
            one_wanted_is_asked(world, id, &found)?;
        }
    }
    Ok(())
}

fn one_wanted_is_asked(world: &World, id: ContainerId, found: &Slot) -> Result<(), Breach> {
    let profile = &found.profile;
    let intent = volume::effective(world, profile);
    let Some((supervisor, _)) = slot::supervisor(world, id, found) else {
        return breach(Name::L1, format!("{profile}: nobody supervises its slot"));
    };
    let Some(record) = slot::record(world, found) else {
        return breach(Name::L1, format!("{profile}: its supervisor says nothing"));
    };
    if record.wants_up != (intent == Intent::Running) {
        // Permanent failure: s6 does not try again, and the record says so.
        if intent == Intent::Running && record.has_failed_permanently() {
            return Ok(());
        }
        let want = if record.wants_up { "up" } else { "down" };
        return breach(Name::L1, format!("{profile}: the intent is {intent}, the want {want}"));
    }
    if intent == Intent::Stopped {
        return Ok(());
    }
    let lives = gateways(world).any(|(who, process, of)| {
        of == *profile && who.container == id && process.parent == supervisor.pid
    });
    // Back-off across starts: the state file counts the failures.
    if lives || volume::state(world, profile).failures > 0 {
        return Ok(());
    }
    breach(Name::L1, format!("{profile}: the intent is running, and no gateway lives in its slot"))
}

/// L2: a profile without a slot cannot be started; a slot without a profile starts what nobody asked for.
pub fn one_slot_each(world: &World) -> Result<(), Breach> {
    let Some((_, dir)) = seat(world) else { return Ok(()) };
    let real = volume::profiles(world);
    let slots: Vec<Slot> = slot::visible(world, dir);
    if let Some(found) = slots.iter().find(|found| !real.contains(&found.profile)) {
        return breach(Name::L2, format!("gateway-{} belongs to no profile", found.profile));
    }
    match real.iter().find(|profile| !slots.iter().any(|found| found.profile == **profile)) {
        Some(profile) => breach(Name::L2, format!("{profile} has no slot")),
        None => Ok(()),
    }
}

/// L3, of processes: whoever has no owner is never ended by anybody.
pub fn nobody_is_ownerless(world: &World) -> Result<(), Breach> {
    if let Some(what) = slot::ownerless(world).first() {
        return breach(Name::L3, what.clone());
    }
    for (who, process, profile) in gateways(world).filter(|(_, it, _)| is_supervised(it)) {
        let parent = world.container(who.container).processes.get(&process.parent);
        if !parent.is_some_and(|parent| is_supervisor(parent)) {
            return breach(Name::L3, format!("{profile}: gateway {} has no supervisor", who.pid));
        }
    }
    Ok(())
}

/// L3, of files, once a boot has swept: what a crash left grows with every crash.
pub fn nothing_is_left(world: &World) -> Result<(), Breach> {
    if let Some(name) = volume::leftovers(world).first() {
        return breach(Name::L3, format!("`{name}` is left"));
    }
    if let Some(profile) = volume::markers(world).first() {
        return breach(Name::L3, format!("{profile}: a planned stop is still noted"));
    }
    for (_, dir) in slot::scanned(world) {
        if let Some(name) = slot::strays(world, dir).first() {
            return breach(Name::L3, format!("`{name}` is left in the scan directory"));
        }
    }
    Ok(())
}

/// L4: "stopped" is a word about the process, not about the request.
pub fn stopped_is_gone(world: &World) -> Result<(), Breach> {
    for (who, process, profile) in gateways(world) {
        if !is_supervised(process) || !volume::exists(world, &profile) {
            continue;
        }
        if volume::effective(world, &profile) == Intent::Stopped && is_wanted_down(world, &profile)
        {
            let does = if works(world, process, &profile) { "works" } else { "lives" };
            return breach(Name::L4, format!("{profile}: was stopped; gateway {} {does}", who.pid));
        }
    }
    Ok(())
}

/// One that its supervisor wants up is L1's.
fn is_wanted_down(world: &World, profile: &Profile) -> bool {
    let slots: BTreeMap<Profile, Slot> = seat(world)
        .map(|(_, dir)| slot::visible(world, dir))
        .unwrap_or_default()
        .into_iter()
        .map(|found| (found.profile.clone(), found))
        .collect();
    let record = slots.get(profile).and_then(|found| slot::record(world, found));
    record.is_none_or(|record| !record.wants_up)
}

/// L6, once a boot has swept: half a profile is neither there nor gone.
pub fn all_is_finished(world: &World) -> Result<(), Breach> {
    match volume::unfinished(world).first() {
        Some(name) => breach(Name::L6, format!("`profiles/{name}` is half made or half deleted")),
        None => Ok(()),
    }
}
