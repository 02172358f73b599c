//! One transition of a host's supervisor. The picture is in `manager.rs`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hermes::host::effect::{OpenMode, Program, Signal, Status};

use super::{child_status, own, read_text};
use crate::machine::hosts::definition::{self, Definition};
use crate::machine::hosts::{HostKind, is_enabled, units_dir};
use crate::machine::kernel::processes::{Loader, NewProcess, make_process};
use crate::machine::kernel::{NOTIFY_SOCKET, signals};
use crate::machine::process::{Process, ProcessBody};
use crate::machine::state::manager::{Manager, ManagerStage, Unit, UnitOrder, UnitState};
use crate::machine::state::user_program::{Behaviour, UserProgram};
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, World};

/// The exit code of a unit whose program cannot be executed (systemd.exec(5)).
const NO_EXEC: u8 = 203;

/// `SCHED_S_TASK_TERMINATED`.
const TERMINATED: i64 = 0x41306;

/// One transition.
pub fn step(world: &mut World, who: ProcessId, load: Loader) {
    let Some(own) = own(world, who).cloned() else { return };
    let mut turn = ManagerTurn { world, who, own, load };
    let ends = turn.step();
    let ManagerTurn { own, .. } = turn;
    match ends {
        true => signals::end_process(world, who, Status::Exited(0)),
        false => syscalls::process(world, who).body = ProcessBody::Manager(Box::new(own)),
    }
}

struct ManagerTurn<'world> {
    world: &'world mut World,
    who: ProcessId,
    own: Manager,
    load: Loader,
}

impl ManagerTurn<'_> {
    /// Does the machine shut down?
    fn step(&mut self) -> bool {
        if self.own.stage == ManagerStage::Begins {
            self.begin();
            return false;
        }
        let now = self.world.clock.boot;
        let ended = self.own.units.iter().find_map(|(name, unit)| {
            Some((name.clone(), child_status(self.world, self.who, unit.pid()?)?))
        });
        let told = self.own.units.iter().find(|(_, unit)| unit.order.is_some());
        let told = told.map(|(name, _)| name.clone());
        let due = |unit: &Unit| unit.deadline().is_some_and(|at| at <= now);
        let due = self.own.units.iter().find(|(_, unit)| due(unit)).map(|(name, _)| name.clone());
        if let Some((name, status)) = ended {
            self.ended(&name, status);
        } else if syscalls::process(self.world, self.who).pending.pop_first().is_some() {
            self.own.stage = ManagerStage::Ends;
            self.own.units.values_mut().for_each(|unit| unit.order = Some(UnitOrder::Stop));
        } else if let Some(name) = told {
            self.obey(&name);
        } else if let Some(name) = due {
            self.handle_deadline(&name);
        } else {
            return self.own.stage == ManagerStage::Ends;
        }
        false
    }

    fn unit(&mut self, name: &str) -> &mut Unit {
        self.own.units.get_mut(name).expect("looked up a moment ago")
    }

    fn becomes(&mut self, name: &str, state: UnitState) {
        let wall = self.world.clock.wall;
        self.unit(name).becomes(state, wall);
    }

    /// Orders the start of everything that is enabled.
    fn begin(&mut self) {
        self.own.stage = ManagerStage::Lives;
        for (name, text, starts) in boot_definitions(self.world, self.who, self.own.kind) {
            // A definition that cannot be read is not loaded.
            if let Ok(definition) = definition::read(self.own.kind, &text) {
                let mut unit = Unit::new(definition);
                unit.order = starts.then_some(UnitOrder::Start);
                self.own.units.insert(name, unit);
            }
        }
    }

    fn obey(&mut self, name: &str) {
        let Some(order) = self.unit(name).order.take() else { return };
        match (order, self.unit(name).state) {
            // A start waits for the end of the pause (`service_start` of systemd); elsewhere it does not.
            (UnitOrder::Start, UnitState::Pausing(_)) if self.own.kind == HostKind::Systemd => {}
            (
                UnitOrder::Start | UnitOrder::Restart,
                UnitState::Down | UnitState::Failed | UnitState::Pausing(_),
            ) => {
                self.unit(name).tries = 0;
                self.check_condition(name);
            }
            (UnitOrder::Start, UnitState::Asking(_) | UnitState::Up { .. })
            | (UnitOrder::Restart, UnitState::Asking(_)) => {}
            (UnitOrder::Start | UnitOrder::Restart, UnitState::Ending { pid, kill_at, .. }) => {
                self.becomes(name, UnitState::Ending { pid, kill_at, again: true });
            }
            (UnitOrder::Restart, UnitState::Up { pid, .. }) => self.end(name, pid, true),
            (UnitOrder::Stop, UnitState::Up { pid, .. }) => self.end(name, pid, false),
            (UnitOrder::Stop, UnitState::Ending { pid, kill_at, .. }) => {
                self.becomes(name, UnitState::Ending { pid, kill_at, again: false });
            }
            (UnitOrder::Stop, UnitState::Asking(pid)) => {
                let kill_at = self.world.clock.boot;
                self.becomes(name, UnitState::Ending { pid, kill_at, again: false });
            }
            (UnitOrder::Stop, UnitState::Pausing(_)) => self.becomes(name, UnitState::Down),
            (UnitOrder::Stop, UnitState::Down | UnitState::Failed) => {}
        }
        self.forget_if_it_leaves(name);
    }

    fn end(&mut self, name: &str, pid: i32, again: bool) {
        let kill_at = self.world.clock.boot + self.unit(name).definition.kill_after;
        self.becomes(name, UnitState::Ending { pid, kill_at, again });
        signals::deliver(self.world, ProcessId { pid, ..self.who }, Signal::TERM);
    }

    fn handle_deadline(&mut self, name: &str) {
        let state = self.unit(name).state;
        match state {
            UnitState::Ending { pid, again, .. } => {
                self.kill_rest(name);
                signals::deliver(self.world, ProcessId { pid, ..self.who }, Signal::KILL);
                self.becomes(name, UnitState::Ending { pid, kill_at: Duration::MAX, again });
            }
            _ if self.own.kind == HostKind::Windows
                && !is_enabled_task(self.world, self.who, name) =>
            {
                self.becomes(name, UnitState::Down);
            }
            _ => self.check_condition(name),
        }
    }

    /// Starts a service: with its condition, if it has one.
    fn check_condition(&mut self, name: &str) {
        match self.unit(name).definition.condition.clone() {
            None => self.start(name),
            Some(condition) => match self.spawn(name, &condition) {
                Some(pid) => self.becomes(name, UnitState::Asking(pid)),
                None => self.restart_or_rest(name, Status::Exited(NO_EXEC)),
            },
        }
    }

    fn start(&mut self, name: &str) {
        let (command, now) = (self.unit(name).definition.command.clone(), self.world.clock.boot);
        self.unit(name).begun = now;
        match self.spawn(name, &command) {
            Some(pid) => {
                self.unit(name).last_status = None;
                self.becomes(name, UnitState::Up { pid, ready: false });
            }
            None => self.restart_or_rest(name, Status::Exited(NO_EXEC)),
        }
    }

    fn ended(&mut self, name: &str, status: Status) {
        let (state, container) = (self.unit(name).state, self.who.container);
        let pid = self.unit(name).pid().expect("its process has ended");
        self.world.container_mut(container).processes.remove(&pid);
        self.kill_rest(name);
        match (state, status) {
            (UnitState::Asking(_), Status::Exited(0)) => self.start(name),
            (UnitState::Asking(_), Status::Exited(1..=254)) => self.becomes(name, UnitState::Down),
            (UnitState::Ending { again: true, .. }, _) => {
                self.record_end(name, status, true);
                self.check_condition(name);
            }
            (UnitState::Ending { .. }, _) => {
                self.record_end(name, status, true);
                let state = self.resting(name, status);
                self.becomes(name, state);
                self.forget_if_it_leaves(name);
            }
            _ => self.restart_or_rest(name, status),
        }
    }

    /// A service has ended by itself: it is restarted, or this was its last end.
    fn restart_or_rest(&mut self, name: &str, status: Status) {
        self.record_end(name, status, false);
        let now = self.world.clock.boot;
        let last_time = matches!(status, Status::Exited(code) if self.unit(name).definition.no_restart_codes.contains(&code));
        let state = match last_time {
            true => self.resting(name, status),
            false => UnitState::Pausing(now + self.pause(name)),
        };
        self.unit(name).tries += 1;
        self.becomes(name, state);
    }

    fn record_end(&mut self, name: &str, status: Status, was_told: bool) {
        self.unit(name).last_status = Some(status);
        if self.own.kind == HostKind::Windows {
            let result = match status {
                Status::Exited(code) if !was_told => i64::from(code),
                _ => TERMINATED,
            };
            let container = self.world.container_mut(self.who.container);
            container.registry.results.insert(name.to_owned(), result);
        }
    }

    /// systemd calls an unclean end a failure, whatever its cause.
    fn resting(&mut self, name: &str, status: Status) -> UnitState {
        let fine = match status {
            Status::Exited(code) => {
                code == 0 || self.unit(name).definition.success_codes.contains(&code)
            }
            Status::Signalled(signal) => signal == Signal::TERM,
        };
        if self.own.kind == HostKind::Systemd && !fine {
            UnitState::Failed
        } else {
            UnitState::Down
        }
    }

    fn pause(&mut self, name: &str) -> Duration {
        let (now, wall) = (self.world.clock.boot, self.world.clock.wall);
        let (begun, tries) = (self.unit(name).begun, self.unit(name).tries);
        let Definition { restart_delay: first, backoff: steps, .. } = self.unit(name).definition;
        match (self.own.kind, steps) {
            // The pause counts from the last start, not from the end.
            (HostKind::Launchd, _) => (begun + first).saturating_sub(now),
            // At full minutes since a fixed day in the past.
            (HostKind::Windows, _) => {
                let since = wall.as_secs() % first.as_secs().max(1);
                Duration::from_secs(first.as_secs() - since)
            }
            (HostKind::Systemd, Some((steps, longest))) if !first.is_zero() => {
                let share = f64::from(tries.min(steps)) / f64::from(steps.max(1));
                let seconds =
                    first.as_secs_f64() * (longest.as_secs_f64() / first.as_secs_f64()).powf(share);
                Duration::from_millis(
                    Duration::from_secs_f64(seconds).as_millis().try_into().unwrap_or(u64::MAX),
                )
            }
            (HostKind::Systemd, _) => first,
        }
    }

    /// systemd ends every process of a service.
    fn kill_rest(&mut self, name: &str) {
        if self.own.kind != HostKind::Systemd {
            return;
        }
        let of_service =
            |process: &Process| process.is_alive() && process.service.as_deref() == Some(name);
        let inside = self.world.container(self.who.container).processes.iter();
        let rest: Vec<i32> =
            inside.filter(|(_, process)| of_service(process)).map(|(&pid, _)| pid).collect();
        for pid in rest {
            signals::deliver(self.world, ProcessId { pid, ..self.who }, Signal::KILL);
        }
    }

    fn forget_if_it_leaves(&mut self, name: &str) {
        let unit = self.unit(name);
        if unit.unloads_when_down && matches!(unit.state, UnitState::Down | UnitState::Failed) {
            self.own.units.remove(name);
        }
    }

    fn spawn(&mut self, name: &str, command: &[OsString]) -> Option<i32> {
        let (path, args) = command.split_first()?;
        let own = syscalls::process(self.world, self.who);
        let mut env = BTreeMap::clone(&own.env);
        let birth = NewProcess {
            parent: 1,
            serial: own.next_unique_number(),
            credentials: own.credentials.clone(),
            inherited: BTreeMap::new(),
            dies_with_parent: false,
        };
        env.extend(self.unit(name).definition.env.clone());
        if self.own.kind == HostKind::Systemd {
            env.insert("NOTIFY_SOCKET".into(), NOTIFY_SOCKET.into());
        }
        let placeholder = UserProgram::new(PathBuf::new(), &Behaviour::default(), Duration::ZERO);
        let child =
            make_process(self.world, self.who.container, birth, ProcessBody::User(placeholder));
        syscalls::process(self.world, child).service = Some(name.into());
        let program = Program { path: path.into(), args: args.to_vec(), env, ..Program::default() };
        if (self.load)(self.world, child, &program).is_err() {
            self.world.container_mut(self.who.container).processes.remove(&child.pid);
            return None;
        }
        Some(child.pid)
    }
}

fn is_enabled_task(world: &World, who: ProcessId, name: &str) -> bool {
    let task = world.container(who.container).registry.tasks.get(name);
    task.is_some_and(|task| is_enabled(task))
}

/// The definitions that exist when the machine starts, with their texts, and whether they start, too.
fn boot_definitions(
    world: &mut World,
    who: ProcessId,
    kind: HostKind,
) -> Vec<(String, String, bool)> {
    let registry = world.container(who.container).registry.clone();
    if kind == HostKind::Windows {
        let tasks = registry.tasks.into_iter();
        let with_start = |(name, task): (String, String)| {
            let starts = is_enabled(&task);
            (name, task, starts)
        };
        return tasks.map(with_start).collect();
    }
    let dir = units_dir(kind);
    let named = match kind {
        HostKind::Systemd => dir.join("default.target.wants"),
        _ => dir.clone(),
    };
    let mut found = Vec::new();
    for file in names(world, who, &named) {
        let label = file.strip_suffix(".plist").unwrap_or(&file).to_owned();
        if registry.disabled.contains(&label) || file.starts_with('.') {
            continue;
        }
        if let Some(text) = read_text(world, who, &dir.join(&file)) {
            found.push((label, text, true));
        }
    }
    found
}

/// The names in a directory; empty if there is none.
fn names(world: &mut World, who: ProcessId, dir: &Path) -> Vec<String> {
    let Ok(node) = syscalls::open(world, who, dir, OpenMode::Directory) else { return Vec::new() };
    let entries = world.disk.list(node).unwrap_or_default();
    entries.into_iter().filter_map(|entry| entry.name.into_string().ok()).collect()
}
