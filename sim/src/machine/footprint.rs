//! The footprint of a transition: what it reads and writes. A search with partial-order reduction asks for it, to know which
//! transitions are independent. Decides nothing, and records nothing unless it was asked to.
//!
//! An effect that is not known to be about a few resources touches everything.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;

use crate::hash;
use crate::machine::ids::{ContainerId, NodeId, ProcessId};

/// A resource that a transition can read or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Resource<'a> {
    /// The node of a name in a directory.
    Name(NodeId, &'a OsStr),
    /// The set of names in a directory.
    Names(NodeId),
    /// Owner, mode and number of names.
    Status(NodeId),
    /// A file's contents.
    Data(NodeId),
    /// The existence of a node.
    Existence(NodeId),
    /// The holder of its lock.
    Lock(NodeId),
    /// The bytes in a pipe or FIFO, and its open ends.
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

/// The footprint of one transition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Each resource, by its hash, and whether it was changed.
    pub accesses: Vec<(u128, bool)>,
    /// Any resource may have been used.
    pub is_everything: bool,
}

thread_local! {
    static IS_REQUESTED: Cell<bool> = const { Cell::new(false) };
    static IS_RECORDING: Cell<bool> = const { Cell::new(false) };
    static FOOTPRINT: RefCell<Footprint> = RefCell::default();
}

/// Collects the footprint of the transitions in `act`, beside its result.
pub fn collect<T>(act: impl FnOnce() -> T) -> (T, Footprint) {
    IS_REQUESTED.set(true);
    FOOTPRINT.take();
    let result = act();
    IS_REQUESTED.set(false);
    (result, FOOTPRINT.take())
}

/// Runs a transition: only accesses inside it count, not those of an observer.
pub(crate) fn during_step<T>(act: impl FnOnce() -> T) -> T {
    IS_RECORDING.set(IS_REQUESTED.get());
    let result = act();
    IS_RECORDING.set(false);
    result
}

/// Records a read.
pub(crate) fn record_read(thing: Resource<'_>) {
    record_access(thing, false);
}

/// Records a change.
pub(crate) fn record_write(thing: Resource<'_>) {
    record_access(thing, true);
}

fn record_access(thing: Resource<'_>, is_change: bool) {
    if IS_RECORDING.get() {
        FOOTPRINT
            .with_borrow_mut(|touched| touched.accesses.push((hash::digest(&thing), is_change)));
    }
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
