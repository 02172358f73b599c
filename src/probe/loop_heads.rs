//! Loop heads: where a waiting task begins another round, so that a simulator can forget the rounds before it.
//!
//! A wait polls, sleeps and polls again. Its next step depends on its state at the beginning and on what it carries
//! from one poll to the next, not on the number of polls. At the head of each round it reports what it carries. A task
//! at the same loop head with the same carried state is in the same state as before. Decides nothing itself.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};

/// An event of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopEvent {
    /// A wait begins; it may lie inside another.
    Begins,
    /// It is at the head of a round; the carried state has this hash.
    Head(u64),
    /// The wait is over.
    Ends,
}

thread_local! {
    static EVENTS: RefCell<Vec<LoopEvent>> = const { RefCell::new(Vec::new()) };
}

/// A wait begins.
pub fn wait_begins() {
    EVENTS.with_borrow_mut(|events| events.push(LoopEvent::Begins));
}

/// A round begins; `carried` is the whole state that earlier rounds have left.
pub fn loop_head(carried: &impl Hash) {
    // Its keys are fixed: the same value has the same hash in every run.
    let mut hasher = DefaultHasher::new();
    carried.hash(&mut hasher);
    EVENTS.with_borrow_mut(|events| events.push(LoopEvent::Head(hasher.finish())));
}

/// The wait is over.
pub fn wait_ends() {
    EVENTS.with_borrow_mut(|events| events.push(LoopEvent::Ends));
}

/// Takes the events of this thread since the last call.
pub fn take_loop_events() -> Vec<LoopEvent> {
    EVENTS.with_borrow_mut(std::mem::take)
}
