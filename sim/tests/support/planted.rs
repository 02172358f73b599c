//! Plants a bug for the time of one run.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use hermes::probe::{self, Bug};
use hermes_sim::replay::clear_replay_cache;

/// Runs a function with this bug planted. Afterwards the bug is gone, also after a panic, and so are the reactions that the
/// replay cache has recorded with it.
pub(crate) fn with_bug<T>(bug: Option<Bug>, run: impl FnOnce() -> T) -> T {
    plant(bug);
    let result = catch_unwind(AssertUnwindSafe(run));
    plant(None);
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

fn plant(bug: Option<Bug>) {
    probe::plant(bug);
    clear_replay_cache();
}
