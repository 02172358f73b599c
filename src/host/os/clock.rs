//! Clocks, sleep and randomness. Stores no time. For `host::os` only.

use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, clock_gettime};

use crate::error::Errno;
use crate::host::effect::Clock;
use crate::host::{Answer, Outcome};

pub(super) fn now(clock: Clock) -> Outcome {
    let clock = match clock {
        Clock::Wall => ClockId::Realtime,
        Clock::Boot => ClockId::Boottime,
    };
    Ok(Answer::Time(reading(clock)?))
}

/// The reading of a clock; `EINVAL` for a wall clock set before 1970.
pub(super) fn reading(clock: ClockId) -> Result<Duration, Errno> {
    Duration::try_from(clock_gettime(clock)).map_err(|_| Errno::INVAL)
}

#[expect(clippy::disallowed_methods, reason = "this is what `host::time::sleep` ends in")]
pub(super) fn sleep(duration: Duration) -> Outcome {
    std::thread::sleep(duration);
    Ok(Answer::Done)
}

pub(super) fn random() -> Outcome {
    let mut bytes = [0; 8];
    // Up to 256 bytes come whole, never in part (getrandom(2)).
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(Answer::Number(u64::from_ne_bytes(bytes)))
}
