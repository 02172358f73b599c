//! The footprint of what happens to processes. A process is named by its serial, which no other process of the run has;
//! `footprint` says why. Records, and changes nothing.

use crate::machine::footprint::{Resource, record_read, record_write};
use crate::machine::ids::ProcessId;
use crate::machine::world::World;

/// A process is looked up by its PID.
pub(crate) fn record_lookup(world: &World, who: ProcessId) {
    record_read(Resource::Pid(who));
    if let Some(process) = world.process(who) {
        record_read(Resource::Process(process.serial));
    }
}

/// Other processes observe this one differently from now on.
pub(crate) fn record_process_change(world: &World, who: ProcessId) {
    if let Some(process) = world.process(who) {
        record_write(Resource::Process(process.serial));
    }
}

/// A process receives a signal, or the end of a child.
pub(crate) fn record_inbox_change(world: &World, who: ProcessId) {
    if let Some(process) = world.process(who) {
        record_write(Resource::Inbox(process.serial));
    }
}

/// A process looks at what it has received.
pub(crate) fn record_inbox_read(world: &World, who: ProcessId) {
    if let Some(process) = world.process(who) {
        record_read(Resource::Inbox(process.serial));
    }
}

/// A process was made, or is about to be removed.
pub(crate) fn record_coming_or_going(world: &World, who: ProcessId) {
    record_read(Resource::Processes(who.container));
    record_write(Resource::Pid(who));
    record_process_change(world, who);
}
