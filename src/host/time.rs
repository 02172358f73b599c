//! Typed functions over clocks and randomness. One effect each.

use std::path::Path;
use std::time::Duration;

use super::effect::{Answer, Clock, Effect};
use super::fs::{done, failed};
use super::{Host, Outcome};
use crate::error::HostError;

/// Time since 1970-01-01 UTC.
pub async fn wall(host: &impl Host) -> Result<Duration, HostError> {
    reading(host.perform(Effect::Now { clock: Clock::Wall }).await)
}

/// Time since the machine started: for deadlines.
pub async fn boot(host: &impl Host) -> Result<Duration, HostError> {
    reading(host.perform(Effect::Now { clock: Clock::Boot }).await)
}

fn reading(outcome: Outcome) -> Result<Duration, HostError> {
    match outcome {
        Ok(Answer::Time(time)) => Ok(time),
        other => Err(failed("read", Path::new("clock"), other)),
    }
}

/// Sleeps between two polls of a condition.
pub async fn sleep(host: &impl Host, duration: Duration) -> Result<(), HostError> {
    done("sleep", Path::new("clock"), host.perform(Effect::Sleep { duration }).await)
}

/// A random number, for unique names.
pub async fn random(host: &impl Host) -> Result<u64, HostError> {
    match host.perform(Effect::Random).await {
        Ok(Answer::Number(number)) => Ok(number),
        other => Err(failed("read", Path::new("random source"), other)),
    }
}

/// The earliest of some times.
pub fn earliest(moments: impl IntoIterator<Item = Option<Duration>>) -> Option<Duration> {
    moments.into_iter().flatten().min()
}
