//! The status record of s6-supervise, decoded by its size. Pure.
//!
//! Source: `supervise/status` as written by `s6_svstatus_pack` (s6, `src/include/s6/supervise.h`): 35 bytes up to 2.12
//! and from 2.14 on, 43 bytes in 2.13. Big-endian: TAI64N of the last change, TAI64N of readiness, pid, [process group
//! in 43 bytes,] the last wait status, flags.

use std::time::Duration;

use crate::host::effect::{Pid, Signal, Status};
use crate::supervisor::{ProcessState, TargetState};

const PAUSED: u8 = 1;
const FINISHING: u8 = 2;
const WANT_UP: u8 = 4;
const READY: u8 = 8;

/// TAI64 labels count from 2^62 at 1970-01-01 TAI, which is ahead of UTC by the leap seconds and ten.
const TAI_EPOCH: u64 = 1 << 62;
const TAI_AHEAD_SECONDS: u64 = 37;

/// What the record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StatusRecord {
    pub target_state: TargetState,
    pub process_state: ProcessState,
    pub since: Duration,
    pub paused: bool,
}

/// Decodes a record of either size; `None` for another size, which only the version's own `s6-svstat` can read.
pub(super) fn decode(record: &[u8]) -> Option<StatusRecord> {
    let (wait_status, flags) = match record.len() {
        35 => (u16_at(record, 32), record[34]),
        43 => (u16_at(record, 40), record[42]),
        _ => return None,
    };
    let pid = i64::try_from(u64_at(record, 24)).ok().and_then(Pid::new);
    let has = |flag: u8| flags & flag != 0;
    let process_state = match pid {
        Some(_) if has(FINISHING) => ProcessState::Finishing,
        Some(pid) => ProcessState::Up { pid, ready: has(READY) },
        // With no process, "paused" means "not started yet" since s6 2.13.2.
        None if has(PAUSED) => ProcessState::Down { last: None },
        None => ProcessState::Down { last: Some(decode_wait_status(wait_status)) },
    };
    Some(StatusRecord {
        target_state: if has(WANT_UP) { TargetState::Up } else { TargetState::Down },
        process_state,
        since: tai64n(u64_at(record, 0), u32_at(record, 8)),
        paused: pid.is_some() && has(PAUSED),
    })
}

/// A TAI64N label as time since 1970-01-01 UTC.
pub(super) fn tai64n(label: u64, nanoseconds: u32) -> Duration {
    let seconds = label.saturating_sub(TAI_EPOCH).saturating_sub(TAI_AHEAD_SECONDS);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::from(nanoseconds))
}

/// A raw wait status (`waitpid(2)`); the core-dump bit is left out.
fn decode_wait_status(raw: u16) -> Status {
    let [code, signal] = raw.to_be_bytes();
    match signal & 0x7f {
        0 => Status::Exited(code),
        signal => Status::Signalled(Signal(i32::from(signal))),
    }
}

fn bytes_at<const N: usize>(record: &[u8], at: usize) -> [u8; N] {
    record[at..at + N].try_into().expect("the size was looked at")
}

fn u16_at(record: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes_at(record, at))
}

fn u32_at(record: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes_at(record, at))
}

fn u64_at(record: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes_at(record, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const UP: &str = "400000006b00f8f5002cc02b400000006b00f8f500152a9c00000000000006ca000004";
    const KILLED: &str = "400000006b00f8f5002cc02b400000006b00f8f500152a9c000000000000000000090c";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
            .collect()
    }

    /// The same record as s6 2.13 writes it: eight bytes of process group before the wait status.
    fn with_process_group(hex: &str) -> String {
        format!("{}{}{}", &hex[..64], "00000000000006ca", &hex[64..])
    }

    #[rstest]
    #[case(UP, TargetState::Up, ProcessState::Up { pid: Pid::new(0x6ca).expect("above 1"), ready: false })]
    #[case(KILLED, TargetState::Up, ProcessState::Down { last: Some(Status::Signalled(Signal::KILL)) })]
    fn both_sizes_say_the_same(
        #[case] hex: &str,
        #[case] target_state: TargetState,
        #[case] process_state: ProcessState,
    ) {
        for hex in [hex.to_owned(), with_process_group(hex)] {
            let record = decode(&bytes(&hex)).expect("a known size");
            assert_eq!((record.target_state, record.process_state), (target_state, process_state));
        }
    }

    #[test]
    fn a_service_that_never_ran_has_no_last_end() {
        let mut record = bytes(KILLED);
        record[34] = PAUSED;
        let record = decode(&record).expect("a known size");
        assert_eq!(
            (record.process_state, record.paused),
            (ProcessState::Down { last: None }, false)
        );
    }

    #[test]
    fn the_stamp_is_utc() {
        // 0x6b00f8f5 counts TAI seconds since 1970; UTC is 37 behind.
        let record = decode(&bytes(UP)).expect("a known size");
        assert_eq!(record.since.as_secs(), 0x6b00_f8f5 - 37);
    }

    proptest! {
        #[test]
        fn no_record_makes_the_decoder_fail_or_a_pid_of_one(record in proptest::collection::vec(any::<u8>(), 0..64)) {
            let decoded = decode(&record);
            prop_assert_eq!(decoded.is_some(), matches!(record.len(), 35 | 43));
            if let Some(ProcessState::Up { pid, .. }) = decoded.map(|record| record.process_state) {
                prop_assert!(pid.raw() > 1);
            }
        }
    }
}
