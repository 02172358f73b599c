//! `systemctl --user`: `show`, `start`, `stop`, `restart`, `enable`, `disable`, `daemon-reload`, `reset-failed`. Texts and
//! codes are those of systemd 257.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use hermes::host::effect::{Effect, Finished, Place, Status};

use super::finished::{failed, succeeded};
use super::manager::{self, Manager, Unit, UnitOrder, UnitState};
use super::{HostKind, definition, units_dir};
use crate::machine::kernel::OwnedView;
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, World};

const WANTS: &str = "default.target.wants";

pub(super) fn run(world: &mut World, who: ProcessId, words: &[&str]) -> Finished {
    if world.manager(who.container).is_none_or(|manager| manager.kind != HostKind::Systemd) {
        let why = "System has not been booted with systemd as init system (PID 1). Can't operate.";
        return failed(1, why);
    }
    unload_unused(world, who);
    let mut plain = words.iter().copied().filter(|word| !word.starts_with("--"));
    let (action, name) = (plain.next().unwrap_or_default(), plain.next().unwrap_or_default());
    match (action, name) {
        ("daemon-reload", _) => reload(world, who),
        ("show", "systemd") => succeeded("Version=257\n"),
        ("show", _) => show(world, who, name),
        ("enable", _) => enable(world, who, name),
        ("disable", _) => disable(world, who, name),
        ("reset-failed", _) => reset(world, who, name),
        ("start" | "stop" | "restart", _) => order(world, who, action, name),
        _ => failed(1, &format!("Unknown command verb '{action}'.")),
    }
}

/// A unit that is down, did not fail and is not enabled is unloaded, and its last end is lost.
fn unload_unused(world: &mut World, who: ProcessId) {
    let wants = units_dir(HostKind::Systemd).join(WANTS);
    let units = world.manager(who.container).map(|manager| manager.units.iter());
    let is_unused = |unit: &Unit| unit.state == UnitState::Down && unit.order.is_none();
    let unused = units.into_iter().flatten().filter(|(_, unit)| is_unused(unit));
    let names: Vec<String> = unused.map(|(name, _)| name.clone()).collect();
    for name in names {
        if syscalls::exists(world, who, &wants.join(&name)) {
            continue;
        }
        if let Some(manager) = world.manager_mut(who.container) {
            manager.units.remove(&name);
        }
    }
}

/// The manager with this unit loaded, if there is a unit file that can be read.
fn load<'a>(world: &'a mut World, who: ProcessId, name: &str) -> Option<&'a mut Unit> {
    let is_loaded = world.manager(who.container)?.units.contains_key(name);
    if !is_loaded {
        let first = ProcessId { pid: 1, ..who };
        let text = manager::read_text(world, first, &units_dir(HostKind::Systemd).join(name))?;
        let definition = definition::read(HostKind::Systemd, &text).ok()?;
        let units = &mut world.manager_mut(who.container)?.units;
        units.insert(name.to_owned(), Unit::new(definition));
    }
    world.manager_mut(who.container)?.units.get_mut(name)
}

fn order(world: &mut World, who: ProcessId, action: &str, name: &str) -> Finished {
    match (load(world, who, name), action) {
        (None, "stop") => failed(5, &format!("Failed to stop {name}: Unit {name} not loaded.")),
        (None, _) => failed(5, &format!("Failed to {action} {name}: Unit {name} not found.")),
        (Some(unit), _) => {
            unit.order = Some(match action {
                "start" => UnitOrder::Start,
                "stop" => UnitOrder::Stop,
                _ => UnitOrder::Restart,
            });
            succeeded("")
        }
    }
}

/// Reads the files again; a unit without a file that does not run is unloaded.
fn reload(world: &mut World, who: ProcessId) -> Finished {
    let first = ProcessId { pid: 1, ..who };
    let units = world.manager(who.container).map(|manager| manager.units.clone());
    for (name, unit) in units.unwrap_or_default() {
        let text = manager::read_text(world, first, &units_dir(HostKind::Systemd).join(&name));
        let read = text.and_then(|text| definition::read(HostKind::Systemd, &text).ok());
        let Some(Manager { units, .. }) = world.manager_mut(who.container) else {
            continue;
        };
        match read {
            Some(definition) => units.get_mut(&name).expect("cloned above").definition = definition,
            None if unit.state == UnitState::Down => drop(units.remove(&name)),
            None => {}
        }
    }
    succeeded("")
}

fn enable(world: &mut World, who: ProcessId, name: &str) -> Finished {
    let dir = units_dir(HostKind::Systemd);
    if !syscalls::exists(world, who, &dir.join(name)) {
        return failed(1, &format!("Failed to enable unit: Unit file {name} does not exist."));
    }
    let wants = dir.join(WANTS);
    let made = syscalls::make_dir(world, who, &wants.to_string_lossy(), 0o755);
    let view = OwnedView::for_process(world, who);
    let link = world.disk.make_link(&view.view(), None, &wants.join(name), dir.join(name));
    match (made, link) {
        (Ok(_), Ok(_) | Err(hermes::error::Errno::EXIST)) => succeeded(""),
        (made, link) => {
            let errno = made.err().or(link.err()).map(syscalls::strerror).unwrap_or_default();
            failed(1, &format!("Failed to enable unit: {errno}"))
        }
    }
}

/// The directory is removed with its last link.
fn disable(world: &mut World, who: ProcessId, name: &str) -> Finished {
    let dir = units_dir(HostKind::Systemd);
    if !syscalls::exists(world, who, &dir.join(name)) {
        return failed(1, &format!("Failed to disable unit: Unit file {name} does not exist."));
    }
    let gone = |world: &mut World, path: &Path, is_dir: bool| {
        let place = Place::from(path);
        let effect = if is_dir { Effect::RemoveDir { place } } else { Effect::Unlink { place } };
        syscalls::perform(world, who, &effect)
    };
    match gone(world, &dir.join(WANTS).join(name), false) {
        Ok(_) | Err(hermes::error::Errno::NOENT) => {
            // It stays if there are other links in it.
            let _ = gone(world, &dir.join(WANTS), true);
            succeeded("")
        }
        Err(errno) => failed(1, &format!("Failed to disable unit: {}", syscalls::strerror(errno))),
    }
}

fn reset(world: &mut World, who: ProcessId, name: &str) -> Finished {
    let unit = world.manager_mut(who.container).and_then(|own| own.units.get_mut(name));
    match unit {
        None => failed(
            1,
            &format!("Failed to reset failed state of unit {name}: Unit {name} not loaded."),
        ),
        Some(unit) => {
            if unit.state == UnitState::Failed {
                unit.state = UnitState::Down;
            }
            succeeded("")
        }
    }
}

fn show(world: &mut World, who: ProcessId, name: &str) -> Finished {
    let path = units_dir(HostKind::Systemd).join(name);
    let is_enabled =
        syscalls::exists(world, who, &units_dir(HostKind::Systemd).join(WANTS).join(name));
    let there = syscalls::exists(world, who, &path);
    let unit = load(world, who, name).map(|unit| unit.clone());
    let load = match (&unit, there) {
        (Some(_), _) => "loaded",
        (None, true) => "bad-setting",
        (None, false) => "not-found",
    };
    let file = match (there, is_enabled) {
        (false, _) => "",
        (true, true) => "enabled",
        (true, false) => "disabled",
    };
    let (active, sub) = unit.as_ref().map_or(("inactive", "dead"), |unit| words(unit.state));
    let mut text = format!("LoadState={load}\nActiveState={active}\nSubState={sub}\n");
    let pid = match unit.as_ref().map(|unit| unit.state) {
        Some(UnitState::Up { pid, .. } | UnitState::Ending { pid, .. }) => pid,
        _ => 0,
    };
    let (code, status) = match unit.as_ref().and_then(|unit| unit.last_status) {
        None => (0, 0),
        Some(Status::Exited(code)) => (1, i32::from(code)),
        Some(Status::Signalled(signal)) => (2, signal.0),
    };
    let has_job = unit.as_ref().is_some_and(|unit| {
        let waits = matches!(
            unit.state,
            UnitState::Asking(_) | UnitState::Up { ready: false, .. } | UnitState::Ending { .. }
        );
        unit.order.is_some() || waits
    });
    let stamp = unit.map(|unit| unit.changed_at).filter(|at| !at.is_zero()).map(stamp);
    // A String takes everything.
    let _ = write!(
        text,
        "UnitFileState={file}\nFragmentPath={}\nMainPID={pid}\nExecMainCode={code}\nExecMainStatus={status}\nStateChangeTimestamp={}\nJob={}\n",
        if there { path.display().to_string() } else { String::new() },
        stamp.unwrap_or_default(),
        if has_job { "7" } else { "" },
    );
    succeeded(text)
}

/// ActiveState and SubState.
fn words(state: UnitState) -> (&'static str, &'static str) {
    match state {
        UnitState::Down => ("inactive", "dead"),
        UnitState::Failed => ("failed", "failed"),
        UnitState::Asking(_) => ("activating", "condition"),
        UnitState::Up { ready: false, .. } => ("activating", "start"),
        UnitState::Up { .. } => ("active", "running"),
        UnitState::Ending { .. } => ("deactivating", "stop-sigterm"),
        UnitState::Pausing(_) => ("activating", "auto-restart"),
    }
}

/// `Thu 2026-01-01 00:00:00.000000 UTC`; no reader here checks the day of the week.
fn stamp(at: Duration) -> String {
    let (days, seconds) = (at.as_secs() / 86_400, at.as_secs() % 86_400);
    // The civil date of a day since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms").
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let micros = at.subsec_micros();
    format!(
        "Day {year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02}.{micros:06} UTC"
    )
}
