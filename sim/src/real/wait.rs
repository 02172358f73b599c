//! Waits for a condition, with a deadline. No other module of this room sleeps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Time for anything that takes no time by design; a loaded machine is slow, not wrong.
pub const PATIENCE: Duration = Duration::from_secs(30);

const STEP: Duration = Duration::from_millis(5);

static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Ends the run: all waits return.
pub fn interrupt() {
    IS_INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Was the run ended by [`interrupt`]?
pub fn is_interrupted() -> bool {
    IS_INTERRUPTED.load(Ordering::Relaxed)
}

/// Calls `poll` until it succeeds or the time is over, at least once; `Err` is the last error of `poll`.
pub fn poll_within<T>(
    duration_max: Duration,
    mut poll: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let end = Instant::now() + duration_max;
    loop {
        match poll() {
            Ok(found) => return Ok(found),
            Err(_) if is_interrupted() => return Err("the run was interrupted".to_owned()),
            Err(error) if Instant::now() >= end => return Err(error),
            // No event tells when the awaited state is reached: poll again after a pause.
            Err(_) => std::thread::sleep(STEP),
        }
    }
}

/// Lets this much time pass.
pub fn pass(time: Duration) {
    let _ = poll_within(time, || Err::<(), _>(String::new())); // nothing comes of it but the time
}
