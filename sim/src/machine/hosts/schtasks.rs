//! `schtasks`: `/Create /XML`, `/Query`, `/Run`, `/End`, `/Change`, `/Delete`. Words are those of Microsoft's reference, the
//! numbers its Task Scheduler constants.

use std::path::Path;
use std::time::Duration;

use hermes::host::effect::Finished;

use super::definition::{self, inside};
use super::finished::{failed, succeeded};
use super::manager::{self, Unit, UnitOrder, UnitState};
use super::{HostKind, HostRegistry};
use crate::machine::world::{ProcessId, World};

const RUNNING: i64 = 0x41301;
const HAS_NOT_RUN: i64 = 0x41303;

pub(super) fn run(world: &mut World, who: ProcessId, words: &[&str]) -> Finished {
    if world.manager(who.container).is_none_or(|manager| manager.kind != HostKind::Windows) {
        return failed(1, "ERROR: The service is not running.");
    }
    let after = |word: &str| {
        let at = words.iter().position(|other| *other == word)?;
        words.get(at + 1).copied()
    };
    let has = |word: &str| words.contains(&word);
    let action = words.first().copied().unwrap_or_default();
    let Some(name) = after("/TN") else { return list(registry(world, who)) };
    let name = name.to_owned();
    if action == "/Create" {
        return create(world, who, &name, Path::new(after("/XML").unwrap_or_default()));
    }
    let Some(task) = registry(world, who).tasks.get(&name).cloned() else {
        return failed(1, "ERROR: The system cannot find the file specified.");
    };
    match action {
        "/Query" if has("/XML") => succeeded(task),
        "/Query" => row(world, who, &name),
        "/Change" => change(world, who, &name, &task, has("/ENABLE")),
        "/Run" if !is_enabled(&task) => {
            failed(1, &format!("ERROR: The scheduled task \"{name}\" is disabled."))
        }
        "/Run" => {
            let unit = unit(world, who, &name);
            // One run at a time: a request in the meantime is dropped.
            if let Some(unit) = unit.filter(|unit| unit.pid().is_none()) {
                unit.order = Some(UnitOrder::Start);
            }
            success(&format!("Attempted to run the scheduled task \"{name}\"."))
        }
        "/End" => end(world, who, &name),
        "/Delete" => {
            let registry = &mut world.container_mut(who.container).registry;
            registry.tasks.remove(&name);
            registry.results.remove(&name);
            if let Some(unit) = unit(world, who, &name) {
                (unit.unloads_when_down, unit.order) = (true, Some(UnitOrder::Stop));
            }
            success(&format!("The scheduled task \"{name}\" was successfully deleted."))
        }
        _ => failed(1, &format!("ERROR: Invalid argument/option - '{action}'.")),
    }
}

fn success(text: &str) -> Finished {
    succeeded(format!("SUCCESS: {text}\n"))
}

fn registry(world: &World, who: ProcessId) -> &HostRegistry {
    &world.container(who.container).registry
}

fn unit<'a>(world: &'a mut World, who: ProcessId, name: &str) -> Option<&'a mut Unit> {
    world.manager_mut(who.container)?.units.get_mut(name)
}

/// Triggers have a word of the same name.
pub(super) fn is_enabled(task: &str) -> bool {
    let settings = inside(task, "<Settings>", "</Settings>").unwrap_or_default();
    !settings.contains("<Enabled>false</Enabled>")
}

fn list(registry: &HostRegistry) -> Finished {
    if registry.tasks.is_empty() {
        return succeeded(
            "INFO: There are no scheduled tasks presently available at your access level.\n",
        );
    }
    let rows = registry.tasks.keys().map(|name| format!("\"{name}\",\"N/A\",\"Ready\"\n"));
    succeeded(rows.collect::<String>())
}

fn row(world: &mut World, who: ProcessId, name: &str) -> Finished {
    let runs = unit(world, who, name).is_some_and(|unit| unit.pid().is_some());
    let last = registry(world, who).results.get(name).copied().unwrap_or(HAS_NOT_RUN);
    let (status, result) = if runs { ("Running", RUNNING) } else { ("Ready", last) };
    succeeded(format!(
        "\"PC\",\"{name}\",\"N/A\",\"{status}\",\"Interactive only\",\"N/A\",\"{result}\",\"N/A\"\n"
    ))
}

/// A running task goes on; a new definition waits for its trigger.
fn create(world: &mut World, who: ProcessId, name: &str, path: &Path) -> Finished {
    let text = manager::read_text(world, who, path).unwrap_or_default();
    let definition = match definition::read(HostKind::Windows, &text) {
        Ok(definition) => definition,
        Err(why) => return failed(1, &format!("ERROR: The task XML is malformed. ({why})")),
    };
    world.container_mut(who.container).registry.tasks.insert(name.to_owned(), text);
    match unit(world, who, name) {
        Some(unit) => unit.definition = definition,
        None => {
            if let Some(manager) = world.manager_mut(who.container) {
                manager.units.insert(name.to_owned(), Unit::new(definition));
            }
        }
    }
    await_trigger(world, who, name);
    success(&format!("The scheduled task \"{name}\" has successfully been created."))
}

fn change(world: &mut World, who: ProcessId, name: &str, task: &str, enabled: bool) -> Finished {
    let (triggers, settings) = task.split_once("<Settings>").unwrap_or(("", task));
    let was = format!("<Enabled>{}</Enabled>", !enabled);
    let settings = settings.replace(&was, &format!("<Enabled>{enabled}</Enabled>"));
    let task = format!("{triggers}<Settings>{settings}");
    world.container_mut(who.container).registry.tasks.insert(name.to_owned(), task);
    await_trigger(world, who, name);
    success(&format!("The parameters of scheduled task \"{name}\" have been changed."))
}

/// The repeating trigger starts an enabled task that does not run, and no disabled one.
fn await_trigger(world: &mut World, who: ProcessId, name: &str) {
    let is_enabled = registry(world, who).tasks.get(name).is_some_and(|task| is_enabled(task));
    let (now, wall) = (world.clock.boot, world.clock.wall);
    let Some(unit) = unit(world, who, name) else { return };
    match (is_enabled, unit.state) {
        (true, UnitState::Down) => {
            let minutes = unit.definition.restart_delay.as_secs().max(1);
            let wait = Duration::from_secs(minutes - wall.as_secs() % minutes);
            unit.state = UnitState::Pausing(now + wait);
        }
        (false, UnitState::Pausing(_)) => unit.state = UnitState::Down,
        _ => {}
    }
}

fn end(world: &mut World, who: ProcessId, name: &str) -> Finished {
    match unit(world, who, name).filter(|unit| unit.pid().is_some()) {
        None => failed(1, "ERROR: There is no running instance of the task."),
        Some(unit) => {
            unit.order = Some(UnitOrder::Stop);
            success(&format!("The scheduled task \"{name}\" has been terminated successfully."))
        }
    }
}
