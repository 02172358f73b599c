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

use std::path::Path;
use std::time::Duration;

use hermes::host::effect::Status;

use crate::machine::state::manager::ManagerStage;
pub use crate::machine::state::manager::{Manager, Unit, UnitOrder, UnitState};
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, World};

pub use turn::step;

fn own(world: &World, who: ProcessId) -> Option<&Manager> {
    world.manager(who.container).filter(|_| who.pid == 1 && syscalls::can_move(world, who))
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
