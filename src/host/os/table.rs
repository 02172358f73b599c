//! Maps each [`Handle`] to its descriptor. Makes no system call but the `close` of a removed descriptor.
//!
//! A number is given out only once, so a stale handle answers `EBADF` and never means another file. For the modules of
//! `host::os` only.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::CWD;

use crate::error::Errno;
use crate::host::effect::{Handle, Place};

/// The open descriptors of one `OsHost`, each close-on-exec.
#[derive(Debug, Default)]
pub(super) struct Table {
    open: BTreeMap<Handle, OwnedFd>,
    given_out: u32,
    record_locked: BTreeSet<Handle>,
}

impl Table {
    /// Gives a descriptor a number of its own.
    pub(super) fn insert(&mut self, descriptor: OwnedFd) -> Result<Handle, Errno> {
        let handle = Handle(self.given_out);
        self.given_out = self.given_out.checked_add(1).ok_or(rustix::io::Errno::MFILE)?;
        self.open.insert(handle, descriptor);
        Ok(handle)
    }

    /// The descriptor; `EBADF` for what was closed or never opened.
    pub(super) fn get(&self, handle: Handle) -> Result<BorrowedFd<'_>, Errno> {
        Ok(self.open.get(&handle).ok_or(rustix::io::Errno::BADF)?.as_fd())
    }

    /// The directory that a path starts from.
    pub(super) fn start(&self, place: &Place) -> Result<BorrowedFd<'_>, Errno> {
        place.dir.map_or(Ok(CWD), |handle| self.get(handle))
    }

    /// Removes a descriptor; dropping it closes it.
    pub(super) fn remove(&mut self, handle: Handle) -> Result<OwnedFd, Errno> {
        self.record_locked.remove(&handle);
        Ok(self.open.remove(&handle).ok_or(rustix::io::Errno::BADF)?)
    }

    /// Records that this handle carries a record lock: closing any duplicate of it would release the lock.
    pub(super) fn record_lock_taken(&mut self, handle: Handle) {
        self.record_locked.insert(handle);
    }

    /// Whether this handle carries a record lock.
    pub(super) fn is_record_locked(&self, handle: Handle) -> bool {
        self.record_locked.contains(&handle)
    }

    /// The descriptors that carry record locks.
    pub(super) fn record_locked(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.record_locked.iter().filter_map(|handle| self.open.get(handle)).map(AsFd::as_fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor() -> OwnedFd {
        rustix::pipe::pipe().expect("a pipe").0
    }

    #[test]
    fn a_number_is_never_given_out_twice() {
        let mut table = Table::default();
        let first = table.insert(descriptor()).expect("room");
        table.remove(first).expect("open");
        let second = table.insert(descriptor()).expect("room");
        assert_ne!(first, second);
        assert_eq!(table.get(first).err(), Some(Errno(9)));
        assert!(table.get(second).is_ok());
    }
}
