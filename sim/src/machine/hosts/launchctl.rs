//! `launchctl`: `managername`, `list`, `print-disabled`, `enable`, `disable`, `bootstrap`, `bootout`, `kickstart`, `kill`.
//! Codes and texts are those of launchctl(1) and of `launchctl error`.

use std::fmt::Write as _;
use std::path::Path;

use hermes::host::effect::{Finished, Signal, Status};

use super::finished::{failed, succeeded};
use super::manager::{self, Unit, UnitOrder, UnitState};
use super::{HostKind, definition};
use crate::machine::kernel::signals;
use crate::machine::world::{ProcessId, World};

pub(super) fn run(world: &mut World, who: ProcessId, words: &[&str]) -> Finished {
    if world.manager(who.container).is_none_or(|manager| manager.kind != HostKind::Launchd) {
        return failed(1, "Could not connect to launchd");
    }
    let action = words.first().copied().unwrap_or_default();
    let target = words.last().copied().unwrap_or_default();
    let label = target.rsplit('/').next().unwrap_or_default();
    match action {
        "managername" => succeeded("Aqua\n"),
        "list" => list(world, who),
        "print-disabled" => print_disabled(world, who),
        "enable" => {
            world.container_mut(who.container).registry.disabled.remove(label);
            succeeded("")
        }
        "disable" => {
            world.container_mut(who.container).registry.disabled.insert(label.to_owned());
            succeeded("")
        }
        "bootstrap" => bootstrap(world, who, Path::new(target)),
        "bootout" => bootout(world, who, label),
        "kickstart" => kickstart(world, who, label),
        "kill" => kill(world, who, label),
        _ => failed(64, &format!("Unrecognized subcommand: {action}")),
    }
}

fn unit<'a>(world: &'a mut World, who: ProcessId, label: &str) -> Option<&'a mut Unit> {
    world.manager_mut(who.container)?.units.get_mut(label)
}

fn list(world: &World, who: ProcessId) -> Finished {
    let mut text = "PID\tStatus\tLabel\n".to_owned();
    let units = world.manager(who.container).map(|manager| &manager.units);
    for (label, unit) in units.into_iter().flatten() {
        let pid = unit.pid().map_or("-".to_owned(), |pid| pid.to_string());
        let status = match unit.last_status {
            None => 0,
            Some(Status::Exited(code)) => i32::from(code),
            Some(Status::Signalled(signal)) => -signal.0,
        };
        let _ = writeln!(text, "{pid}\t{status}\t{label}"); // a String takes everything
    }
    succeeded(text)
}

fn print_disabled(world: &World, who: ProcessId) -> Finished {
    let mut text = "\tdisabled services = {\n".to_owned();
    for label in &world.container(who.container).registry.disabled {
        let _ = writeln!(text, "\t\t\"{label}\" => disabled");
    }
    succeeded(text + "\t}\n")
}

fn bootstrap(world: &mut World, who: ProcessId, path: &Path) -> Finished {
    let label = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let text = manager::read_text(world, ProcessId { pid: 1, ..who }, path);
    let read = text.and_then(|text| definition::read(HostKind::Launchd, &text).ok());
    let is_disabled = world.container(who.container).registry.disabled.contains(&label);
    match (unit(world, who, &label).map(|unit| unit.unloads_when_down), read) {
        (Some(true), _) => failed(36, "Bootstrap failed: 36: Operation now in progress"),
        (Some(false), _) => failed(37, "Bootstrap failed: 37: Operation already in progress"),
        (None, _) if is_disabled => failed(119, "Bootstrap failed: 119: Service is disabled"),
        (None, None) => failed(5, "Bootstrap failed: 5: Input/output error"),
        (None, Some(definition)) => {
            let mut unit = Unit::new(definition);
            unit.order = Some(UnitOrder::Start);
            if let Some(manager) = world.manager_mut(who.container) {
                manager.units.insert(label, unit);
            }
            succeeded("")
        }
    }
}

fn bootout(world: &mut World, who: ProcessId, label: &str) -> Finished {
    match unit(world, who, label) {
        None => failed(3, "Boot-out failed: 3: No such process"),
        Some(unit) if unit.unloads_when_down => {
            failed(36, "Boot-out failed: 36: Operation now in progress")
        }
        Some(unit) => {
            unit.unloads_when_down = true;
            unit.order = Some(UnitOrder::Stop);
            succeeded("")
        }
    }
}

fn kickstart(world: &mut World, who: ProcessId, label: &str) -> Finished {
    match unit(world, who, label) {
        None => failed(113, &format!("Could not find service \"{label}\" in domain")),
        Some(unit) if unit.unloads_when_down => failed(36, "Operation now in progress"),
        Some(unit) => {
            unit.order = Some(UnitOrder::Start);
            succeeded("")
        }
    }
}

fn kill(world: &mut World, who: ProcessId, label: &str) -> Finished {
    match unit(world, who, label).map(|unit| unit.state) {
        None => failed(113, &format!("Could not find service \"{label}\" in domain")),
        Some(UnitState::Up { pid, .. } | UnitState::Ending { pid, .. }) => {
            signals::deliver(world, ProcessId { pid, ..who }, Signal::TERM);
            succeeded("")
        }
        Some(_) => failed(3, "Could not kill: 3: No such process"),
    }
}
