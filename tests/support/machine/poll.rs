//! Waiting for something to be so. The only place in the tests where time is let pass.

use std::time::{Duration, Instant};

/// How long anything may take that takes no time by design; a loaded machine is slow, not wrong.
const PATIENCE: Duration = Duration::from_secs(30);

const STEP: Duration = Duration::from_millis(1);

/// Looks until `look` finds what it wants; `Err` says what there is instead.
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
            // Between two looks: nothing tells us when the state we wait for comes.
            Err(_) => std::thread::sleep(STEP),
        }
    }
}

/// Lets so much time pass: for a test that strikes at a random instant, and for nothing else.
pub(crate) fn strike_after(delay: Duration) {
    std::thread::sleep(delay);
}

/// For [`wait_until`]: so, or not so and what there is.
pub(crate) fn expect_that(is_so: bool, instead: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(instead()) }
}
