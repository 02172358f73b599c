//! What a move touches, for a search that asks which moves could get in each other's way. Decides nothing, and notes
//! nothing unless somebody asked for it.
//!
//! Whatever is not known to be about a few things touches everything.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;

use crate::hash;
use crate::machine::disk::NodeId;
use crate::machine::world::{ContainerId, ProcessId, World};

/// One thing that a move can look at or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Resource<'a> {
    /// What a name in a directory means.
    Name(NodeId, &'a OsStr),
    /// Which names a directory has.
    Names(NodeId),
    /// Owner, mode and number of names.
    Status(NodeId),
    /// A file's contents.
    Data(NodeId),
    /// Whether there is such a node.
    Existence(NodeId),
    /// Who holds its lock.
    Lock(NodeId),
    /// What is in a pipe or FIFO, and who has it open.
    Pipe(NodeId),
    /// A process as others see it: is it there, does it live. By its number in the run: which PID it has depends on
    /// the order in which others were started, so that two processes could take turns under one PID.
    Process(u64),
    /// What a process is told: signals, and ends of its children. By its number in the run, too.
    Inbox(u64),
    /// Whom a PID means.
    Pid(ProcessId),
    /// Which PID a container gives next.
    NextPid(ContainerId),
    /// Which processes a container has. Two of them can come or go in any order, but not while somebody looks at all:
    /// so each that comes or goes reads it, and each look at all is a change ([`record_all_processes`]).
    Processes(ContainerId),
}

/// What one move touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Each thing, by its hash, and whether it was changed.
    pub accesses: Vec<(u128, bool)>,
    /// It may have touched anything.
    pub is_everything: bool,
}

thread_local! {
    static IS_REQUESTED: Cell<bool> = const { Cell::new(false) };
    static IS_RECORDING: Cell<bool> = const { Cell::new(false) };
    static FOOTPRINT: RefCell<Footprint> = RefCell::default();
}

/// What the moves in `act` touch, beside its result.
pub fn collect<T>(act: impl FnOnce() -> T) -> (T, Footprint) {
    IS_REQUESTED.set(true);
    FOOTPRINT.take();
    let result = act();
    IS_REQUESTED.set(false);
    (result, FOOTPRINT.take())
}

/// A move: only what is touched in it counts, not what an observer looks at.
pub(crate) fn during_step<T>(act: impl FnOnce() -> T) -> T {
    IS_RECORDING.set(IS_REQUESTED.get());
    let result = act();
    IS_RECORDING.set(false);
    result
}

/// It was looked at.
pub(crate) fn record_read(thing: Resource<'_>) {
    record_access(thing, false);
}

/// It was changed.
pub(crate) fn record_write(thing: Resource<'_>) {
    record_access(thing, true);
}

fn record_access(thing: Resource<'_>, is_change: bool) {
    if IS_RECORDING.get() {
        FOOTPRINT
            .with_borrow_mut(|touched| touched.accesses.push((hash::digest(&thing), is_change)));
    }
}

/// A process was looked for by its PID.
pub(crate) fn record_lookup(world: &World, who: ProcessId) {
    record_read(Resource::Pid(who));
    if let Some(process) = world.process(who) {
        record_read(Resource::Process(process.serial));
    }
}

/// A process is seen otherwise by others now.
pub(crate) fn record_process_change(world: &World, who: ProcessId) {
    if let Some(process) = world.process(who) {
        record_write(Resource::Process(process.serial));
    }
}

/// A process is told something.
pub(crate) fn record_inbox_change(world: &World, who: ProcessId) {
    if let Some(process) = world.process(who) {
        record_write(Resource::Inbox(process.serial));
    }
}

/// A process takes notice of what it is told.
pub(crate) fn record_inbox_read(world: &World, who: ProcessId) {
    if let Some(process) = world.process(who) {
        record_read(Resource::Inbox(process.serial));
    }
}

/// A process was made, or is about to go.
pub(crate) fn record_coming_or_going(world: &World, who: ProcessId) {
    record_read(Resource::Processes(who.container));
    record_write(Resource::Pid(who));
    record_process_change(world, who);
}

/// All processes of a container were looked at.
pub(crate) fn record_all_processes(container: ContainerId) {
    record_write(Resource::Processes(container));
}

/// Anything may have been touched.
pub(crate) fn record_everything() {
    if IS_RECORDING.get() {
        FOOTPRINT.with_borrow_mut(|touched| touched.is_everything = true);
    }
}
