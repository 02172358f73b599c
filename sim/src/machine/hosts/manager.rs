//! A host's supervisor: its services, the orders for each, and their phases. One transition a step.
//!
//! ```text
//!   Down ──start──► Asking ──yes──► Up ──ended──► Pausing ──in time──► Asking
//!     ▲                └──no──► Down │              (or Down, Failed: not tried again)
//!     └────────── Ending ◄───stop────┘
//! ```
//!
//! Only systemd has conditions, receives the readiness of gateways, and ends processes that a service leaves behind.

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

/// The socket on which systemd receives the readiness of services.
pub const NOTIFY_SOCKET: &str = "/run/user/10000/systemd/notify";

/// PID 1 of a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Manager {
    /// The kind of host.
    pub kind: HostKind,
    stage: ManagerStage,
    /// The loaded services, by name.
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
    /// Its definition.
    pub definition: Definition,
    /// Its phase.
    pub state: UnitState,
    /// The order that is not carried out yet.
    pub order: Option<UnitOrder>,
    /// The last end of its process.
    pub last_status: Option<Status>,
    /// The time of the last change, by the wall clock; never the same twice.
    pub changed_at: Duration,
    /// It is unloaded once it has ended.
    pub unloads_when_down: bool,
    begun: Duration,
    tries: u32,
}

/// The phase of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitState {
    /// It does not run.
    Down,
    /// The same, and that is a failure.
    Failed,
    /// Its condition is being checked.
    Asking(i32),
    /// It runs.
    Up {
        /// Its process.
        pid: i32,
        /// It has reported readiness.
        ready: bool,
    },
    /// It was ordered to end.
    Ending {
        /// Its process.
        pid: i32,
        /// The time of SIGKILL.
        kill_at: Duration,
        /// It starts again afterwards.
        again: bool,
    },
    /// The time of the next start.
    Pausing(Duration),
}

/// An order for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitOrder {
    /// Start.
    Start,
    /// Stop.
    Stop,
    /// Restart; start if it is down.
    Restart,
}

impl Unit {
    /// Loaded, and not started.
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

    /// Its process, including that of its condition.
    pub fn pid(&self) -> Option<i32> {
        match self.state {
            UnitState::Asking(pid) | UnitState::Up { pid, .. } | UnitState::Ending { pid, .. } => {
                Some(pid)
            }
            UnitState::Down | UnitState::Failed | UnitState::Pausing(_) => None,
        }
    }

    /// Does it run, or is it about to run?
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
    /// The manager at the start of the machine.
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

/// The same, mutable, for orders.
pub(super) fn manager_of_mut(world: &mut World, id: ContainerId) -> Option<&mut Manager> {
    match &mut world.process_mut(ProcessId { container: id, pid: 1 })?.body {
        ProcessBody::Manager(manager) => Some(manager),
        _ => None,
    }
}

/// A process of this container reports on systemd's socket that it is ready.
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

/// Is there a transition to take now?
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

/// The time of the next transition, if time alone triggers one.
pub fn wakes_at(world: &World, who: ProcessId) -> Option<Duration> {
    own(world, who)?.units.values().filter_map(Unit::deadline).min()
}

fn child_status(world: &World, who: ProcessId, pid: i32) -> Option<Status> {
    world.process(ProcessId { pid, ..who })?.end_status
}

pub(super) fn read_text(world: &mut World, who: ProcessId, path: &Path) -> Option<String> {
    String::from_utf8(syscalls::read(world, who, path).ok()?).ok()
}
