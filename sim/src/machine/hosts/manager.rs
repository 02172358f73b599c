//! A host's supervisor: its services, what each was told, and what becomes of it. One transition a step.
//!
//! ```text
//!   Down ──start──► Asking ──yes──► Up ──ended──► Pausing ──in time──► Asking
//!     ▲                └──no──► Down │              (or Down, Failed: not tried again)
//!     └────────── Ending ◄───stop────┘
//! ```
//!
//! systemd alone asks before, hears that a gateway is ready, and ends what a service leaves behind.

mod turn;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hermes::host::effect::Status;

use super::HostKind;
use super::definition::Definition;
use crate::machine::process::ProcessBody;
use crate::machine::s6::syscalls;
use crate::machine::world::{ContainerId, ProcessId, World};

pub use turn::step;

/// The socket on which systemd hears that a service is ready.
pub const NOTIFY_SOCKET: &str = "/run/user/10000/systemd/notify";

/// PID 1 of a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Manager {
    /// Whose machine.
    pub kind: HostKind,
    stage: ManagerStage,
    /// What is loaded, by name.
    pub units: BTreeMap<String, Unit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ManagerStage {
    Begins,
    Lives,
    Ends,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unit {
    /// What was read.
    pub definition: Definition,
    /// How far it is.
    pub state: UnitState,
    /// What it was told and has not begun.
    pub order: Option<UnitOrder>,
    /// How its process ended the last time.
    pub last_status: Option<Status>,
    /// When that last changed, by the wall clock; never the same twice.
    pub changed_at: Duration,
    /// It is forgotten once it has ended.
    pub unloads_when_down: bool,
    begun: Duration,
    tries: u32,
}

/// How far a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitState {
    /// It does not run.
    Down,
    /// The same, and that is a failure.
    Failed,
    /// Its condition is asked.
    Asking(i32),
    /// It runs.
    Up {
        /// Its process.
        pid: i32,
        /// It said so.
        ready: bool,
    },
    /// It was told to end.
    Ending {
        /// Its process.
        pid: i32,
        /// When it gets no more time.
        kill_at: Duration,
        /// It begins again then.
        again: bool,
    },
    /// It begins again then.
    Pausing(Duration),
}

/// What a service is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitOrder {
    /// To run.
    Start,
    /// Not to run.
    Stop,
    /// To end and run again, or to run.
    Restart,
}

impl Unit {
    /// Loaded, and nothing more.
    pub fn new(definition: Definition) -> Self {
        Self {
            definition,
            state: UnitState::Down,
            order: None,
            last_status: None,
            changed_at: Duration::ZERO,
            unloads_when_down: false,
            begun: Duration::ZERO,
            tries: 0,
        }
    }

    /// Its process, the one that is asked before included.
    pub fn pid(&self) -> Option<i32> {
        match self.state {
            UnitState::Asking(pid) | UnitState::Up { pid, .. } | UnitState::Ending { pid, .. } => {
                Some(pid)
            }
            UnitState::Down | UnitState::Failed | UnitState::Pausing(_) => None,
        }
    }

    /// Does it run, or is it about to?
    pub fn is_wanted(&self) -> bool {
        match self.state {
            UnitState::Asking(_) | UnitState::Up { .. } | UnitState::Pausing(_) => true,
            UnitState::Ending { again, .. } => again,
            UnitState::Down | UnitState::Failed => {
                matches!(self.order, Some(UnitOrder::Start | UnitOrder::Restart))
            }
        }
    }

    fn deadline(&self) -> Option<Duration> {
        match self.state {
            UnitState::Ending { kill_at: at, .. } | UnitState::Pausing(at) => Some(at),
            _ => None,
        }
    }

    fn becomes(&mut self, state: UnitState, wall: Duration) {
        self.state = state;
        self.changed_at = wall.max(self.changed_at + Duration::from_micros(1));
    }
}

impl Manager {
    /// As the machine starts.
    pub fn new(kind: HostKind) -> Self {
        Self { kind, stage: ManagerStage::Begins, units: BTreeMap::new() }
    }

    /// Is this child the process of one of its services?
    pub fn started(&self, pid: i32) -> bool {
        self.units.values().any(|unit| unit.pid() == Some(pid))
    }
}

/// The manager of a container that is a host.
pub fn manager_of(world: &World, id: ContainerId) -> Option<&Manager> {
    match &world.process(ProcessId { container: id, pid: 1 })?.body {
        ProcessBody::Manager(manager) => Some(manager),
        _ => None,
    }
}

/// The same, to be told something.
pub(super) fn manager_of_mut(world: &mut World, id: ContainerId) -> Option<&mut Manager> {
    match &mut world.process_mut(ProcessId { container: id, pid: 1 })?.body {
        ProcessBody::Manager(manager) => Some(manager),
        _ => None,
    }
}

/// A process of this container says on systemd's socket that it is ready.
pub fn notify_ready(world: &mut World, who: ProcessId) {
    let wall = world.clock.wall;
    let Some(manager) = manager_of_mut(world, who.container) else { return };
    for unit in manager.units.values_mut() {
        if unit.state == (UnitState::Up { pid: who.pid, ready: false }) {
            unit.becomes(UnitState::Up { pid: who.pid, ready: true }, wall);
        }
    }
}

fn own(world: &World, who: ProcessId) -> Option<&Manager> {
    manager_of(world, who.container).filter(|_| who.pid == 1 && syscalls::can_move(world, who))
}

/// Is there something for it to do now?
pub fn is_ready(world: &World, who: ProcessId) -> bool {
    let Some(own) = own(world, who) else { return false };
    let now = world.clock.boot;
    match own.stage {
        ManagerStage::Begins => true,
        ManagerStage::Ends if own.units.values().all(|unit| unit.pid().is_none()) => true,
        _ => {
            world.process(who).is_some_and(|process| !process.pending.is_empty())
                || own.units.values().any(|unit| {
                    unit.order.is_some()
                        || unit.pid().is_some_and(|pid| child_status(world, who, pid).is_some())
                        || unit.deadline().is_some_and(|at| at <= now)
                })
        }
    }
}

/// When time alone gives it something to do.
pub fn wakes_at(world: &World, who: ProcessId) -> Option<Duration> {
    own(world, who)?.units.values().filter_map(Unit::deadline).min()
}

fn child_status(world: &World, who: ProcessId, pid: i32) -> Option<Status> {
    world.process(ProcessId { pid, ..who })?.end_status
}

pub(super) fn read_text(world: &mut World, who: ProcessId, path: &Path) -> Option<String> {
    String::from_utf8(syscalls::read(world, who, path).ok()?).ok()
}
