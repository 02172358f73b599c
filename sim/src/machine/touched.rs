//! What a move touches, for a search that asks which moves could get in each other's way. Decides nothing, and notes
//! nothing unless somebody asked for it.
//!
//! Whatever is not known to be about a few things touches everything.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;

use crate::hash;
use crate::machine::disk::NodeId;
use crate::machine::world::{ContainerId, Who};

/// One thing that a move can look at or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Thing<'a> {
    /// What a name in a directory means.
    Name(NodeId, &'a OsStr),
    /// Which names a directory has.
    Names(NodeId),
    /// Owner, mode and number of names.
    Status(NodeId),
    /// A file's contents.
    Data(NodeId),
    /// Whether there is such a node.
    Life(NodeId),
    /// Who holds its lock.
    Lock(NodeId),
    /// What is in a pipe or FIFO, and who has it open.
    Pipe(NodeId),
    /// A process as others see it: is it there, does it live.
    Process(Who),
    /// What a process is told: signals, and ends of its children.
    Inbox(Who),
    /// Which processes a container has.
    Processes(ContainerId),
}

/// What one move touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Each thing, by its hash, and whether it was changed.
    pub things: Vec<(u128, bool)>,
    /// It may have touched anything.
    pub everything: bool,
}

thread_local! {
    static IS_WANTED: Cell<bool> = const { Cell::new(false) };
    static IS_ON: Cell<bool> = const { Cell::new(false) };
    static TOUCHED: RefCell<Touched> = RefCell::default();
}

/// What the moves in `act` touch, beside its result.
pub fn by<T>(act: impl FnOnce() -> T) -> (T, Touched) {
    IS_WANTED.set(true);
    TOUCHED.take();
    let result = act();
    IS_WANTED.set(false);
    (result, TOUCHED.take())
}

/// A move: only what is touched in it counts, not what an observer looks at.
pub(crate) fn moving<T>(act: impl FnOnce() -> T) -> T {
    IS_ON.set(IS_WANTED.get());
    let result = act();
    IS_ON.set(false);
    result
}

/// It was looked at.
pub(crate) fn seen(thing: Thing<'_>) {
    note(thing, false);
}

/// It was changed.
pub(crate) fn changed(thing: Thing<'_>) {
    note(thing, true);
}

fn note(thing: Thing<'_>, is_change: bool) {
    if IS_ON.get() {
        TOUCHED.with_borrow_mut(|touched| touched.things.push((hash::of(&thing), is_change)));
    }
}

/// Anything may have been touched.
pub(crate) fn everything() {
    if IS_ON.get() {
        TOUCHED.with_borrow_mut(|touched| touched.everything = true);
    }
}
