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

use super::Kind;
use super::definition::Definition;
use crate::machine::process::Body;
use crate::machine::s6::act;
use crate::machine::world::{ContainerId, Who, World};

pub use turn::step;

/// The socket on which systemd hears that a service is ready.
pub const NOTIFY_SOCKET: &str = "/run/user/10000/systemd/notify";

/// PID 1 of a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Manager {
    /// Whose machine.
    pub kind: Kind,
    stage: Stage,
    /// What is loaded, by name.
    pub units: BTreeMap<String, Unit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
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
    pub state: State,
    /// What it was told and has not begun.
    pub order: Option<Order>,
    /// How its process ended the last time.
    pub last: Option<Status>,
    /// When that last changed, by the wall clock; never the same twice.
    pub changed: Duration,
    /// It is forgotten once it has ended.
    pub leaves: bool,
    begun: Duration,
    tries: u32,
}

/// How far a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
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
pub enum Order {
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
            state: State::Down,
            order: None,
            last: None,
            changed: Duration::ZERO,
            leaves: false,
            begun: Duration::ZERO,
            tries: 0,
        }
    }

    /// Its process, the one that is asked before included.
    pub fn pid(&self) -> Option<i32> {
        match self.state {
            State::Asking(pid) | State::Up { pid, .. } | State::Ending { pid, .. } => Some(pid),
            State::Down | State::Failed | State::Pausing(_) => None,
        }
    }

    /// Does it run, or is it about to?
    pub fn is_wanted(&self) -> bool {
        match self.state {
            State::Asking(_) | State::Up { .. } | State::Pausing(_) => true,
            State::Ending { again, .. } => again,
            State::Down | State::Failed => {
                matches!(self.order, Some(Order::Start | Order::Restart))
            }
        }
    }

    fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Ending { kill_at: at, .. } | State::Pausing(at) => Some(at),
            _ => None,
        }
    }

    fn becomes(&mut self, state: State, wall: Duration) {
        self.state = state;
        self.changed = wall.max(self.changed + Duration::from_micros(1));
    }
}

impl Manager {
    /// As the machine starts.
    pub fn new(kind: Kind) -> Self {
        Self { kind, stage: Stage::Begins, units: BTreeMap::new() }
    }

    /// Is this child the process of one of its services?
    pub fn started(&self, pid: i32) -> bool {
        self.units.values().any(|unit| unit.pid() == Some(pid))
    }
}

/// The manager of a container that is a host.
pub fn of(world: &World, id: ContainerId) -> Option<&Manager> {
    match &world.process(Who { container: id, pid: 1 })?.body {
        Body::Manager(manager) => Some(manager),
        _ => None,
    }
}

/// The same, to be told something.
pub(super) fn of_mut(world: &mut World, id: ContainerId) -> Option<&mut Manager> {
    match &mut world.process_mut(Who { container: id, pid: 1 })?.body {
        Body::Manager(manager) => Some(manager),
        _ => None,
    }
}

/// A process of this container says on systemd's socket that it is ready.
pub fn hear(world: &mut World, who: Who) {
    let wall = world.clock.wall;
    let Some(manager) = of_mut(world, who.container) else { return };
    for unit in manager.units.values_mut() {
        if unit.state == (State::Up { pid: who.pid, ready: false }) {
            unit.becomes(State::Up { pid: who.pid, ready: true }, wall);
        }
    }
}

fn own(world: &World, who: Who) -> Option<&Manager> {
    of(world, who.container).filter(|_| who.pid == 1 && act::can_move(world, who))
}

/// Is there something for it to do now?
pub fn is_ready(world: &World, who: Who) -> bool {
    let Some(own) = own(world, who) else { return false };
    let now = world.clock.boot;
    match own.stage {
        Stage::Begins => true,
        Stage::Ends if own.units.values().all(|unit| unit.pid().is_none()) => true,
        _ => {
            world.process(who).is_some_and(|process| !process.pending.is_empty())
                || own.units.values().any(|unit| {
                    unit.order.is_some()
                        || unit.pid().is_some_and(|pid| end_of(world, who, pid).is_some())
                        || unit.deadline().is_some_and(|at| at <= now)
                })
        }
    }
}

/// When time alone gives it something to do.
pub fn wakes_at(world: &World, who: Who) -> Option<Duration> {
    own(world, who)?.units.values().filter_map(Unit::deadline).min()
}

fn end_of(world: &World, who: Who, pid: i32) -> Option<Status> {
    world.process(Who { pid, ..who })?.ended
}

pub(super) fn text(world: &mut World, who: Who, path: &Path) -> Option<String> {
    String::from_utf8(act::read(world, who, path).ok()?).ok()
}
