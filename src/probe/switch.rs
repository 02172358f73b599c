//! The bug that is planted on this thread, and the marks that the thread has reached.
//!
//! The production program only reads the switch; the simulator sets it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use super::Bug;

/// A build with the feature is recognised by this text: `docker/build.sh` and `tests/tidy.rs` look for it.
#[used]
static WITNESS: &str = "hermes: built with planted bugs";

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    static IS_ASIDE: Cell<bool> = const { Cell::new(false) };
    static REACHED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// Plants this bug on this thread, replacing the one before; `None` for the unchanged program.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Is it planted on this thread? Called by `planted!`.
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Runs the program's own code to inspect the result of a planted bug: without the bug, and without recording marks.
pub fn without_planted_bug<T>(inspect: impl FnOnce() -> T) -> T {
    let (bug, was_aside) = (PLANTED.take(), IS_ASIDE.replace(true));
    let result = inspect();
    PLANTED.set(bug);
    IS_ASIDE.set(was_aside);
    result
}

/// Records a mark. Called by `mark!`.
pub fn reach_mark(hazard: &'static str) {
    if IS_ASIDE.get() {
        return;
    }
    REACHED.with_borrow_mut(|reached| reached.insert(hazard));
}

/// The marks that this thread has reached since [`clear_marks`].
pub fn reached_marks() -> BTreeSet<&'static str> {
    REACHED.with_borrow(Clone::clone)
}

/// Clears the marks of this thread.
pub fn clear_marks() {
    REACHED.with_borrow_mut(BTreeSet::clear);
}
