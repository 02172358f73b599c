//! A host's supervisor as data: its services, what each was told, and how far each is.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::Duration;

use hermes::host::effect::Status;

use crate::machine::registry::HostKind;

/// PID 1 of a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Manager {
    /// Whose machine.
    pub kind: HostKind,
    pub(in crate::machine) stage: ManagerStage,
    /// What is loaded, by name.
    pub units: BTreeMap<String, Unit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::machine) enum ManagerStage {
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
    pub(in crate::machine) begun: Duration,
    pub(in crate::machine) tries: u32,
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

    pub(in crate::machine) fn deadline(&self) -> Option<Duration> {
        match self.state {
            UnitState::Ending { kill_at: at, .. } | UnitState::Pausing(at) => Some(at),
            _ => None,
        }
    }

    pub(in crate::machine) fn becomes(&mut self, state: UnitState, wall: Duration) {
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

/// What a manager knows of one service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Definition {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// What is asked before, if anything.
    pub condition: Option<Vec<OsString>>,
    /// Added to the manager's own environment.
    pub env: BTreeMap<OsString, OsString>,
    /// From the polite end to the other.
    pub kill_after: Duration,
    /// Between an end and the next start.
    pub restart_delay: Duration,
    /// How the pauses grow: the number of steps, and the longest pause.
    pub backoff: Option<(u32, Duration)>,
    /// Exit codes that are not tried again.
    pub no_restart_codes: BTreeSet<u8>,
    /// Exit codes that are no failure, beside 0.
    pub success_codes: BTreeSet<u8>,
}
