//! A profile's service, as its supervisor has it: a slot of s6, or a unit of a host. Facts only.

use std::path::Path;

use hermes::host::effect::Status;
use hermes::name::Profile;

use super::slot::{self, SupervisorRecord};
use super::volume;
use crate::machine::hosts::units_dir;
use crate::machine::registry::HostKind;
use crate::machine::state::manager::{Manager, Unit, UnitState};
use crate::machine::world::{ContainerId, World};

/// One service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// A supervisor process is there for it.
    pub is_supervised: bool,
    /// It starts with its supervisor.
    pub starts_at_boot: bool,
    /// Its supervisor keeps it up: it was not told to stop it.
    pub is_kept_up: bool,
    /// The supervisor's status record.
    pub record: Option<SupervisorRecord>,
}

impl Service {
    /// Its configuration is wrong, and it is not started again.
    pub fn has_failed_permanently(&self) -> bool {
        self.record.is_some_and(|record| record.has_failed_permanently())
    }
}

/// The service of a profile; `None` if there is none.
pub fn find_service(world: &World, profile: &Profile) -> Option<Service> {
    match running_host(world) {
        Some((id, manager)) => host_service(world, id, manager, profile),
        None => slot::scanned_dirs(world).into_iter().find_map(|(id, dir)| {
            let found = slot::visible_slots(world, dir)
                .into_iter()
                .find(|slot| slot.profile == *profile)?;
            Some(Service {
                is_supervised: slot::supervisor(world, id, &found).is_some(),
                starts_at_boot: !found.has_down_file,
                is_kept_up: slot::supervisor_record(world, &found)
                    .is_some_and(|record| record.wants_up),
                record: slot::supervisor_record(world, &found),
            })
        }),
    }
}

/// The host, if the machine is one and runs.
pub fn running_host(world: &World) -> Option<(ContainerId, &Manager)> {
    world.containers.keys().find_map(|&id| Some((id, world.manager(id)?)))
}

/// Profiles that a host has a service for.
pub fn host_profiles(world: &World) -> Vec<Profile> {
    let Some((id, manager)) = running_host(world) else { return Vec::new() };
    let parse = |name: &str, before: &str, after: &str| {
        Profile::parse(name.strip_prefix(before)?.strip_suffix(after)?).ok()
    };
    if manager.kind == HostKind::Windows {
        let tasks = world.container(id).registry.tasks.keys();
        return tasks.filter_map(|name| parse(name, r"\hermes\gateway-", "")).collect();
    }
    let dir = node_at(world, id, &units_dir(manager.kind));
    let names = dir.map(|dir| volume::names(world, dir)).unwrap_or_default();
    let named = names.iter().filter_map(|name| match manager.kind {
        HostKind::Systemd => parse(name, "hermes-gateway-", ".service"),
        _ => parse(name, "hermes.gateway.", ".plist"),
    });
    named.collect()
}

fn node_at(world: &World, id: ContainerId, path: &Path) -> Option<crate::machine::disk::NodeId> {
    let container = world.container(id);
    world.disk.peek(container.root, &container.mounts, path)
}

fn host_service(
    world: &World,
    id: ContainerId,
    manager: &Manager,
    profile: &Profile,
) -> Option<Service> {
    let name = manager.kind.service_name(profile);
    let registry = &world.container(id).registry;
    if !host_profiles(world).contains(profile) {
        return None;
    }
    let starts = match manager.kind {
        HostKind::Systemd => {
            let link = units_dir(HostKind::Systemd).join("default.target.wants");
            let wants = node_at(world, id, &link);
            wants.is_some_and(|wants| volume::entry(world, wants, &name).is_some())
        }
        HostKind::Launchd => !registry.disabled.contains(&name),
        HostKind::Windows => {
            registry.tasks.get(&name).is_some_and(|task| crate::machine::hosts::is_enabled(task))
        }
    };
    let unit = manager.units.get(&name);
    let is_kept = unit.is_some_and(Unit::is_wanted);
    let record =
        host_record(world, manager.kind, profile, unit, starts, registry.results.get(&name));
    Some(Service {
        is_supervised: true,
        starts_at_boot: starts,
        is_kept_up: is_kept,
        record: Some(record),
    })
}

fn host_record(
    world: &World,
    kind: HostKind,
    profile: &Profile,
    unit: Option<&Unit>,
    starts: bool,
    result: Option<&i64>,
) -> SupervisorRecord {
    let state = unit.map(|unit| unit.state);
    let gateway_state = volume::gateway_state(world, profile).gateway_state;
    let (pid, is_ready) = match state {
        Some(UnitState::Up { pid, ready }) => (pid, ready),
        Some(UnitState::Ending { pid, .. }) => (pid, true),
        _ => (0, false),
    };
    let last = unit.and_then(|unit| unit.last_status);
    let code = match (kind, last) {
        // A permanent failure is reported as success, so that launchd leaves the gateway down.
        (HostKind::Launchd, Some(Status::Exited(0))) => 78,
        (HostKind::Windows, _) => result.and_then(|&code| u16::try_from(code).ok()).unwrap_or(0),
        (_, Some(Status::Exited(code))) => u16::from(code),
        _ => 0,
    };
    let wanted = unit.is_some_and(Unit::is_wanted);
    SupervisorRecord {
        wants_up: match kind {
            HostKind::Systemd => wanted,
            HostKind::Launchd => wanted && starts,
            HostKind::Windows => starts,
        },
        pid,
        is_finishing: false,
        is_ready: if kind == HostKind::Systemd {
            is_ready
        } else {
            gateway_state.as_deref() == Some("running")
        },
        wait_status: code << 8,
    }
}
