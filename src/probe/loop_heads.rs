//! Where a task that waits begins another round, so that a simulator can forget the rounds before it.
//!
//! A wait looks, sleeps and looks again. What it does next depends on what it had when it began and on what it carries
//! from one look to the next, not on how often it looked. At the head of each round it says what it carries; a task that
//! is there with the same as before is where it was before. Decides nothing itself.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a wait has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopEvent {
    /// A wait begins; it may lie inside another.
    Begins,
    /// It is at the head of a round, carrying what has this hash.
    Head(u64),
    /// It is over.
    Ends,
}

thread_local! {
    static SAID: RefCell<Vec<LoopEvent>> = const { RefCell::new(Vec::new()) };
}

/// A wait begins.
pub fn wait_begins() {
    SAID.with_borrow_mut(|said| said.push(LoopEvent::Begins));
}

/// A round begins; `carried` is all that the ones before have left behind.
pub fn loop_head(carried: &impl Hash) {
    // Its keys are fixed: the same value has the same hash in every run.
    let mut hasher = DefaultHasher::new();
    carried.hash(&mut hasher);
    SAID.with_borrow_mut(|said| said.push(LoopEvent::Head(hasher.finish())));
}

/// The wait is over.
pub fn wait_ends() {
    SAID.with_borrow_mut(|said| said.push(LoopEvent::Ends));
}

/// What was said on this thread since the last call.
pub fn take_loop_events() -> Vec<LoopEvent> {
    SAID.with_borrow_mut(std::mem::take)
}
