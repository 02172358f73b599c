//! Advisory locks: `flock` on an open description, and POSIX record locks that belong to a process.
//!
//! Never waits. By POSIX, closing *any* descriptor of a file releases the process's record lock on it, so a handle that
//! carries a record lock is kept open through [`launch::exec`](super::launch::exec) and never duplicated. For
//! `OsHost::perform` only.

use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};

use super::done;
use super::table::Table;
use crate::error::Errno;
use crate::host::effect::Handle;
use crate::host::{Answer, Outcome};

pub(super) fn lock(table: &Table, handle: Handle) -> Outcome {
    done(flock(table.get(handle)?, FlockOperation::NonBlockingLockExclusive))
}

pub(super) fn lock_record(table: &mut Table, handle: Handle) -> Outcome {
    match fcntl_lock(table.get(handle)?, FlockOperation::NonBlockingLockExclusive) {
        // POSIX allows either error when another process holds the lock.
        Err(rustix::io::Errno::ACCESS) => Err(Errno::AGAIN),
        Err(errno) => Err(errno.into()),
        Ok(()) => {
            table.record_lock_taken(handle);
            Ok(Answer::Done)
        }
    }
}

pub(super) fn is_locked(table: &Table, handle: Handle) -> Outcome {
    // Tested as a write lock, so that shared locks count as well; works on a handle open for reading only.
    let wanted = Flock {
        start: 0,
        length: 0, // to the end of the file, even if it grows
        pid: None,
        typ: FlockType::WriteLock,
        offset_type: FlockOffsetType::Set,
    };
    Ok(Answer::Flag(fcntl_getlk(table.get(handle)?, &wanted)?.is_some()))
}
