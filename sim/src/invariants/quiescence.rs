//! Invariants of a world at rest: the target states follow the intents, and nothing is left over.

use std::collections::BTreeMap;

use hermes::name::Profile;
use hermes::record::intent::Intent;

use super::violation::violation;
use super::{Violation, host};
use crate::machine::disk::NodeId;
use crate::machine::world::{ContainerId, ProcessId, World};
use crate::observe::process::{
    gateways, is_supervised, is_supervisor, is_working, supervising_container,
};
use crate::observe::slot::{self, Slot};
use crate::observe::{service, volume};
use crate::scenario::Invariant;

/// The container whose gateways are supervised, with its scan directory; `None` if no container supervises.
pub fn supervised_scan_dir(world: &World) -> Option<(ContainerId, NodeId)> {
    let id = supervising_container(world)?;
    slot::scanned_dirs(world).into_iter().find(|(scanned, _)| *scanned == id)
}

/// L1: the operator's intent decides, and where it does not, `status` shows why.
pub fn check_wants(world: &World, counts: impl Fn(&Profile) -> bool) -> Result<(), Violation> {
    let Some((id, dir)) = supervised_scan_dir(world) else {
        return host::check_host_wants(world, counts);
    };
    for found in slot::visible_slots(world, dir) {
        if volume::profile_exists(world, &found.profile) && counts(&found.profile) {
            check_one_want(world, id, &found)?;
        }
    }
    Ok(())
}

fn check_one_want(world: &World, id: ContainerId, found: &Slot) -> Result<(), Violation> {
    let profile = &found.profile;
    let intent = volume::effective_intent(world, profile);
    let Some((supervisor, _)) = slot::supervisor(world, id, found) else {
        return violation(Invariant::L1, format!("{profile}: its slot has no supervisor"));
    };
    let Some(record) = slot::supervisor_record(world, found) else {
        return violation(Invariant::L1, format!("{profile}: its supervisor has no status record"));
    };
    if record.wants_up != (intent == Intent::Running) {
        // Permanent failure: s6 does not start it again, and the record says so.
        if intent == Intent::Running && record.has_failed_permanently() {
            return Ok(());
        }
        let target = if record.wants_up { "up" } else { "down" };
        let detail = format!("{profile}: the intent is {intent}, the target state is {target}");
        return violation(Invariant::L1, detail);
    }
    if intent == Intent::Stopped {
        return Ok(());
    }
    let lives = gateways(world).any(|(who, process, of)| {
        of == *profile && who.container == id && process.parent == supervisor.pid
    });
    // Back-off across starts: the state file counts the failures.
    if lives || volume::gateway_state(world, profile).failures > 0 {
        return Ok(());
    }
    violation(
        Invariant::L1,
        format!("{profile}: the intent is running, and no gateway lives in its slot"),
    )
}

/// L2: a profile without a slot cannot be started; a slot without a profile starts a gateway without an intent.
pub fn check_one_slot_per_profile(
    world: &World,
    counts: impl Fn(&Profile) -> bool,
) -> Result<(), Violation> {
    check_one_supervising_container(world)?;
    let Some((_, dir)) = supervised_scan_dir(world) else {
        return host::check_no_stranger_services(world, counts);
    };
    let real = volume::profiles(world);
    let slots: Vec<Slot> = slot::visible_slots(world, dir);
    let mut strangers = slots.iter().filter(|found| !real.contains(&found.profile));
    if let Some(found) = strangers.find(|found| counts(&found.profile)) {
        return violation(
            Invariant::L2,
            format!("gateway-{} belongs to no profile", found.profile),
        );
    }
    let has_slot = |profile: &Profile| slots.iter().any(|slot| slot.profile == *profile);
    let mut without_slot = real.iter().filter(|profile| !has_slot(profile));
    match without_slot.find(|profile| counts(profile)) {
        Some(profile) => violation(Invariant::L2, format!("{profile} has no slot")),
        None => Ok(()),
    }
}

/// L2, of containers that share a home: two that supervise one profile would both start its gateway.
fn check_one_supervising_container(world: &World) -> Result<(), Violation> {
    let mut supervised: BTreeMap<Profile, ContainerId> = BTreeMap::new();
    for (id, dir) in slot::scanned_dirs(world) {
        for found in slot::visible_slots(world, dir) {
            if slot::supervisor(world, id, &found).is_none() {
                continue;
            }
            if let Some(other) = supervised.insert(found.profile.clone(), id) {
                let (one, two) = (other.0, id.0);
                let detail = format!("{} has slots in containers {one} and {two}", found.profile);
                return violation(Invariant::L2, detail);
            }
        }
    }
    Ok(())
}

/// L3, of processes: a process without an owner is never ended.
pub fn check_no_ownerless_processes(world: &World) -> Result<(), Violation> {
    if let Some(ownerless) = slot::ownerless_processes(world).first() {
        return violation(Invariant::L3, ownerless.clone());
    }
    for (who, process, profile) in gateways(world).filter(|(_, gateway, _)| is_supervised(gateway))
    {
        let parent = world.container(who.container).processes.get(&process.parent);
        if !parent.is_some_and(|parent| is_supervisor(parent)) {
            return violation(
                Invariant::L3,
                format!("{profile}: gateway {} has no supervisor", who.pid),
            );
        }
    }
    Ok(())
}

/// L3, of files, once a boot has swept: otherwise leftovers grow with every crash. The command that stops a gateway
/// removes the files of one that had to be killed; if no command of hermes stopped it, the next boot removes them.
pub fn check_no_leftovers(
    world: &World,
    is_ours: impl Fn(&Profile) -> bool,
) -> Result<(), Violation> {
    if let Some(name) = volume::leftovers(world).first() {
        return violation(Invariant::L3, format!("`{name}` is left"));
    }
    if let Some(profile) = volume::planned_stop_markers(world).first() {
        return violation(
            Invariant::L3,
            format!("{profile}: the marker of a planned stop is left"),
        );
    }
    let is_excused = |profile: &Profile| !is_ours(profile) && was_killed(world, profile);
    let mut stale =
        volume::profiles(world).into_iter().filter(|profile| has_stale_pidfile(world, profile));
    if let Some(profile) = stale.find(|profile| !is_excused(profile)) {
        return violation(
            Invariant::L3,
            format!("{profile}: `gateway.pid` names no gateway that lives"),
        );
    }
    for (_, dir) in slot::scanned_dirs(world) {
        if let Some(name) = slot::leftover_slots(world, dir).first() {
            return violation(Invariant::L3, format!("`{name}` is left in the scan directory"));
        }
    }
    Ok(())
}

/// Does `gateway.pid` name no live gateway? Its number would mean another process one day.
fn has_stale_pidfile(world: &World, profile: &Profile) -> bool {
    let Some(recorded) = volume::pidfile_pid(world, profile) else { return false };
    let is_recorded = |who: ProcessId| u32::try_from(who.pid) == Ok(recorded);
    !gateways(world).any(|(who, _, of)| of == *profile && is_recorded(who))
}

/// L4: a stop that waited, and exited 0, has ended the gateway wherever it lived.
pub fn check_stopped(world: &World, profile: &Profile) -> Result<(), Violation> {
    let mut alive = gateways(world).filter(|(_, process, of)| {
        of == profile && is_supervised(process) && is_working(world, process, of)
    });
    match alive.next() {
        Some((who, ..)) => violation(
            Invariant::L4,
            format!("{profile}: the stop exited 0, and gateway {} still works", who.pid),
        ),
        None => Ok(()),
    }
}

/// L4: "stopped" is a statement about the process, not about the request.
pub fn check_stopped_gateways_gone(
    world: &World,
    counts: impl Fn(&Profile) -> bool,
) -> Result<(), Violation> {
    for (who, process, profile) in gateways(world) {
        if !is_supervised(process) || !volume::profile_exists(world, &profile) {
            continue;
        }
        // A supervisor that wants its gateway down ends it, even if the command that asked for it failed.
        let parent = world.container(who.container).processes.get(&process.parent);
        if !counts(&profile) && !parent.is_some_and(|parent| is_supervisor(parent)) {
            continue;
        }
        if volume::effective_intent(world, &profile) == Intent::Stopped
            && is_wanted_down(world, &profile)
        {
            let does = if is_working(world, process, &profile) { "works" } else { "lives" };
            return violation(
                Invariant::L4,
                format!("{profile}: was stopped; gateway {} {does}", who.pid),
            );
        }
    }
    Ok(())
}

/// Is it wanted down? L1 checks a gateway that its supervisor wants up.
fn is_wanted_down(world: &World, profile: &Profile) -> bool {
    if service::running_host(world).is_some() {
        return service::find_service(world, profile).is_none_or(|service| !service.is_kept_up);
    }
    profile_record(world, profile).is_none_or(|record| !record.wants_up)
}

fn was_killed(world: &World, profile: &Profile) -> bool {
    profile_record(world, profile).is_some_and(|record| record.wait_status & 0x7f == KILL)
}

/// SIGKILL in a wait status (`waitpid(2)`).
const KILL: u16 = 9;

/// The status record of the profile's slot.
fn profile_record(world: &World, profile: &Profile) -> Option<slot::SupervisorRecord> {
    let (_, dir) = supervised_scan_dir(world)?;
    let found =
        slot::visible_slots(world, dir).into_iter().find(|found| found.profile == *profile)?;
    slot::supervisor_record(world, &found)
}

/// L6, once a boot has swept: no profile is half made or half deleted.
pub fn check_no_unfinished_profiles(world: &World) -> Result<(), Violation> {
    match volume::unfinished_profiles(world).first() {
        Some(name) => {
            violation(Invariant::L6, format!("`profiles/{name}` is half made or half deleted"))
        }
        None => Ok(()),
    }
}
