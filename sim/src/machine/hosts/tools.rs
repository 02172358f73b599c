//! `systemctl`, `loginctl`, `launchctl`, `schtasks`: one step each, with their known texts and exit codes.

use std::ffi::OsString;

use hermes::host::effect::{Finished, Status};
use hermes::name::Profile;

use super::finished::succeeded;
use super::{HostKind, launchctl, schtasks, systemctl};
use crate::machine::footprint;
use crate::machine::world::{ContainerId, ProcessId, World};

/// Runs a tool for a process; `None` for one that this world does not have.
pub fn run(world: &mut World, who: ProcessId, name: &str, args: &[OsString]) -> Option<Finished> {
    if matches!(name, "systemctl" | "loginctl" | "launchctl" | "schtasks") {
        footprint::record_everything();
    }
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    match name {
        "systemctl" => Some(systemctl::run(world, who, &words)),
        "loginctl" => Some(succeeded("Linger=yes\n")),
        "launchctl" => Some(launchctl::run(world, who, &words)),
        "schtasks" => Some(schtasks::run(world, who, &words)),
        _ => None,
    }
}

/// Ends a gateway and keeps it down with the host's own tool, as an operator would; returns whether the tool succeeded.
pub fn stop_service(world: &mut World, id: ContainerId, profile: &Profile) -> bool {
    let Some(kind) = world.manager(id).map(|manager| manager.kind) else {
        return false;
    };
    let name = kind.service_name(profile);
    let target = format!("gui/10000/{name}");
    let lines: Vec<(&str, Vec<&str>)> = match kind {
        HostKind::Systemd => vec![("systemctl", vec!["--user", "stop", &name])],
        HostKind::Launchd => vec![("launchctl", vec!["bootout", &target])],
        HostKind::Windows => vec![
            ("schtasks", vec!["/Change", "/TN", &name, "/DISABLE"]),
            ("schtasks", vec!["/End", "/TN", &name]),
        ],
    };
    let who = ProcessId { container: id, pid: 1 };
    lines.into_iter().all(|(tool, words)| {
        let args: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        run(world, who, tool, &args).is_some_and(|ran| ran.status == Status::Exited(0))
    })
}
