//! Waits for a condition. The only place in the tests that sleeps.

use std::time::{Duration, Instant};

/// Time limit for what takes no time by design; a loaded machine is slow, not wrong.
const PATIENCE: Duration = Duration::from_secs(30);

const STEP: Duration = Duration::from_millis(1);

/// Polls until `look` returns `Ok`; `Err` says what it found instead.
pub(crate) fn wait_until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    match poll_within(PATIENCE, &mut look) {
        Ok(found) => found,
        Err(instead) => panic!("did not come in {PATIENCE:?}: {what}\ninstead: {instead}"),
    }
}

/// The same with a limit of its own, and without the panic.
pub(crate) fn poll_within<T>(
    patience: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let end = Instant::now() + patience;
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(instead) if Instant::now() >= end => return Err(instead),
            // Poll interval: there is no event for the awaited state.
            Err(_) => std::thread::sleep(STEP),
        }
    }
}

/// Sleeps: for a test that acts at a random instant, and for nothing else.
pub(crate) fn strike_after(delay: Duration) {
    std::thread::sleep(delay);
}

/// For [`wait_until`]: `Ok` if the condition holds, else `Err` with a description.
pub(crate) fn expect_that(is_so: bool, instead: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(instead()) }
}
