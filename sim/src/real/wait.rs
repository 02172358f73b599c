//! Waiting for something to be so, with a deadline. The only place here where time is let pass.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take that takes no time by design; a loaded machine is slow, not wrong.
pub const PATIENCE: Duration = Duration::from_secs(30);

const STEP: Duration = Duration::from_millis(5);

static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Somebody wants the run to end: nothing is waited for any more.
pub fn interrupt() {
    IS_INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Does somebody?
pub fn is_interrupted() -> bool {
    IS_INTERRUPTED.load(Ordering::Relaxed)
}

/// Looks until `look` finds what it wants, at least once; `Err` is what the last look said.
pub fn poll_within<T>(
    patience: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let end = Instant::now() + patience;
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(_) if is_interrupted() => return Err("the run was interrupted".to_owned()),
            Err(instead) if Instant::now() >= end => return Err(instead),
            // Between two looks: nothing tells us when the state we wait for comes.
            Err(_) => std::thread::sleep(STEP),
        }
    }
}

/// Lets so much time pass, because a story says so.
pub fn pass(time: Duration) {
    let _ = poll_within(time, || Err::<(), _>(String::new())); // nothing comes of it but the time
}
