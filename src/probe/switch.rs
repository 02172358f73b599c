//! Which bug is planted on this thread, and which marks it has reached.
//!
//! The production program only asks; the simulator switches.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use super::Bug;

/// A build with the feature can be told by this text: `docker/build.sh` and `tests/tidy.rs` look for it.
#[used]
static WITNESS: &str = "hermes: built with planted bugs";

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    static IS_ASIDE: Cell<bool> = const { Cell::new(false) };
    static REACHED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// Plants this bug on this thread, in place of the one before; `None` for the program as it is.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Is it planted on this thread? Asked by `planted!`.
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Looks with the program's own eyes at what a planted bug did: without the bug, and without reaching a mark.
pub fn without_planted_bug<T>(look: impl FnOnce() -> T) -> T {
    let (bug, was_aside) = (PLANTED.take(), IS_ASIDE.replace(true));
    let seen = look();
    PLANTED.set(bug);
    IS_ASIDE.set(was_aside);
    seen
}

/// Notes a mark. Called by `mark!`.
pub fn reach_mark(hazard: &'static str) {
    if IS_ASIDE.get() {
        return;
    }
    REACHED.with_borrow_mut(|reached| reached.insert(hazard));
}

/// What this thread has reached since [`clear_marks`].
pub fn reached_marks() -> BTreeSet<&'static str> {
    REACHED.with_borrow(Clone::clone)
}

/// Forgets what was reached.
pub fn clear_marks() {
    REACHED.with_borrow_mut(BTreeSet::clear);
}
