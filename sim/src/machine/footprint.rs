//! The footprint of a transition: what it reads and writes. A search with partial-order reduction asks for it, to know which
//! transitions are independent. Decides nothing, and records nothing unless it was asked to.
//!
//! An effect that is not known to be about a few resources touches everything.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;

use crate::hash;
use crate::machine::ids::{ContainerId, NodeId, ProcessId};

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
    /// A process as others see it: is it there, does it live.
    Process(ProcessId),
    /// What a process is told: signals, and ends of its children.
    Inbox(ProcessId),
    /// Which processes a container has.
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

/// Anything may have been touched.
pub(crate) fn record_everything() {
    if IS_RECORDING.get() {
        FOOTPRINT.with_borrow_mut(|touched| touched.is_everything = true);
    }
}
