//! Floor 3: the files that hermes reads and writes, their formats and their rules.
//!
//! A record that is missing, torn or malformed is a value here ([`json::Reading`]), never a failure of the pass that
//! reads it.

pub mod boot_log;
pub mod config;
pub mod container;
pub mod file;
pub mod group;
pub mod identity;
pub mod intent;
pub mod json;
pub mod lock;
pub mod marker;
pub mod pidfile;
pub mod state;
pub mod tree;
pub mod users;

use std::time::Duration;

/// A wall-clock time as records write it: ISO-8601 UTC with milliseconds.
pub fn timestamp(wall: Duration) -> String {
    let stamp = jiff::SignedDuration::try_from(wall)
        .ok()
        .and_then(|wall| jiff::Timestamp::from_duration(wall).ok())
        .unwrap_or_default();
    format!("{stamp:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stamp_is_iso_8601_in_utc() {
        assert_eq!(timestamp(Duration::from_millis(1_500)), "1970-01-01T00:00:01.500Z");
    }
}
