//! The status record, byte for byte, and how it is replaced.

use std::path::Path;

use hermes::host::effect::Status;

use super::SuperviseTurn;
use crate::machine::state::supervise::{Stamp, StatusRecord};
use crate::machine::syscalls;
use crate::machine::world::S6Version;

/// TAI64 labels count from 2^62 at 1970-01-01 TAI, which is ahead of UTC by the leap seconds and ten.
const TAI_EPOCH: u64 = (1 << 62) + 37;

const NANOSECONDS: u32 = 1_000_000_000;

impl Stamp {
    pub(super) fn bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.seconds.to_be_bytes());
        bytes[8..].copy_from_slice(&self.nanoseconds.to_be_bytes());
        bytes
    }
}

impl StatusRecord {
    /// As this version writes it.
    fn bytes(&self, version: S6Version, group: i32) -> Vec<u8> {
        let number = |pid: i32| u64::from(pid.unsigned_abs()).to_be_bytes();
        let mut bytes = [self.stamp.bytes(), self.ready_stamp.bytes()].concat();
        bytes.extend(number(self.pid));
        if version == S6Version::V2_13 {
            bytes.extend(number(group));
        }
        bytes.extend(self.wait_status.to_be_bytes());
        let flags = [(self.paused, 1), (self.finishing, 2), (self.want_up, 4), (self.ready, 8)];
        bytes.push(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum());
        bytes
    }
}

/// An end as `waitpid` tells it.
pub(super) fn wait_status(status: Status) -> u16 {
    match status {
        Status::Exited(code) => u16::from(code) << 8,
        Status::Signalled(signal) => u16::try_from(signal.0 & 0x7f).unwrap_or_default(),
    }
}

impl SuperviseTurn<'_> {
    /// The wall clock now, and later than any stamp before in the same moment.
    pub(super) fn stamp(&mut self) -> Stamp {
        self.own.stamps += 1;
        let wall = self.world.clock.wall;
        let nanoseconds = wall.subsec_nanos() + self.own.stamps;
        Stamp {
            seconds: TAI_EPOCH + wall.as_secs() + u64::from(nanoseconds / NANOSECONDS),
            nanoseconds: nanoseconds % NANOSECONDS,
        }
    }

    /// Replaces the record by a rename: readers see a whole one. A directory that is gone is a warning to nobody.
    pub(super) fn write_record(&mut self) {
        let bytes = self.own.record.bytes(self.version(), self.own.group);
        let new = "supervise/status.new";
        let written = syscalls::write(self.world, self.who, Path::new(new), 0o666, &bytes);
        // The service runs all the same where its status cannot be written (s6.md 2.7).
        let _ =
            written.and_then(|()| syscalls::rename(self.world, self.who, new, "supervise/status"));
    }

    /// `death_tally` is empty at each start.
    pub(super) fn forget_deaths(&mut self) {
        // A warning that is not kept, as above.
        let _ = syscalls::write(self.world, self.who, Path::new(TALLY), 0o666, b"");
    }

    /// One more entry: stamp, exit code or 128 and the signal, signal.
    pub(super) fn count_death(&mut self, status: Status, entries_max: usize) {
        let entry = match status {
            Status::Exited(code) => [code, 0],
            Status::Signalled(signal) => {
                let signal = u8::try_from(signal.0).unwrap_or_default();
                [128 | signal, signal]
            }
        };
        let mut tally = syscalls::read(self.world, self.who, Path::new(TALLY)).unwrap_or_default();
        tally.extend(self.own.record.stamp.bytes());
        tally.extend(entry);
        let surplus = tally.len().saturating_sub(entries_max * ENTRY_BYTES);
        // A warning that is not kept, as above.
        let _ = syscalls::write(self.world, self.who, Path::new(TALLY), 0o666, &tally[surplus..]);
    }
}

const TALLY: &str = "supervise/death_tally";
const ENTRY_BYTES: usize = 14;
