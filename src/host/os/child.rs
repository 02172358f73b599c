//! What is set up in a new process between `fork` and `execve`, or in this one just before `execve`.
//!
//! Starts nothing itself. Only async-signal-safe calls, no memory from the allocator. For `launch` only.

#![expect(clippy::disallowed_types, reason = "this is what `host::proc` ends in")]
#![expect(
    unsafe_code,
    reason = "the standard library has no safe way to act between fork and exec"
)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

use super::table::Table;
use crate::error::Errno;
use crate::host::effect::Handle;

/// Makes a program find each handle open as the descriptor number that goes with it.
pub(super) fn inherit(
    command: &mut Command,
    table: &Table,
    wanted: &[(Handle, RawFd)],
) -> Result<(), Errno> {
    if wanted.is_empty() {
        return Ok(());
    }
    let places = Places::new(table, wanted)?;
    // SAFETY: `take` calls `dup2` alone, and only on numbers kept free for it.
    unsafe { command.pre_exec(move || places.take()) };
    Ok(())
}

/// Makes a child start with every signal at its default, and die when the thread that starts it does.
pub(super) fn die_with_us(command: &mut Command) {
    let parent = getpid();
    let act = move || {
        default_dispositions();
        set_parent_process_death_signal(Some(Signal::KILL))?;
        refuse_orphan(parent)
    };
    // SAFETY: `signal`, `prctl` and `getppid` are async-signal-safe.
    unsafe { command.pre_exec(act) };
}

/// Undoes what the standard library did to this process for an `execve` that then failed: a closed pipe is an errno
/// again and does not end the process.
pub(super) fn ignore_broken_pipes() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// A child that lost its parent before it asked for the death signal would never get it.
fn refuse_orphan(parent: Pid) -> io::Result<()> {
    if getppid() == Some(parent) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
}

/// `execve` resets handlers, but ignored signals (by `nohup`, say) stay ignored.
fn default_dispositions() {
    for number in 1..=SIGNAL_MAX {
        // SAFETY: no handler is installed; numbers that cannot be set are refused with EINVAL, which is right.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}

/// The highest signal number of Linux.
const SIGNAL_MAX: i32 = 64;

/// Closing a duplicate of a record-locked descriptor, or replacing it, would silently release the lock.
fn would_unlock(table: &Table, handle: Handle, target: RawFd) -> bool {
    table.is_record_locked(handle) || table.record_locked().any(|lock| lock.as_raw_fd() == target)
}

struct Places {
    /// Duplicates of the sources, above all targets: no target can overwrite a source that is still needed.
    moves: Vec<(OwnedFd, RawFd)>,
    /// Keep the targets' numbers taken, so that the pipe by which the standard library learns why `execve` failed
    /// does not get one of them.
    _reserved: Vec<OwnedFd>,
}

impl Places {
    fn new(table: &Table, wanted: &[(Handle, RawFd)]) -> Result<Self, Errno> {
        if wanted.iter().any(|&(_, target)| target < 0) {
            return Err(rustix::io::Errno::BADF.into());
        }
        if wanted.iter().any(|&(handle, target)| would_unlock(table, handle, target)) {
            return Err(Errno::INVAL);
        }
        let highest = wanted.iter().map(|&(_, target)| target).max().unwrap_or_default();
        let above = highest.checked_add(1).ok_or(rustix::io::Errno::BADF)?;
        let (mut moves, mut reserved) = (Vec::new(), Vec::new());
        for &(handle, target) in wanted {
            moves.push((fcntl_dupfd_cloexec(table.get(handle)?, above)?, target));
        }
        for (source, target) in &moves {
            // Another number means that the wanted one is taken already, which is just as good.
            reserved.push(fcntl_dupfd_cloexec(source, *target)?);
        }
        Ok(Self { moves, _reserved: reserved })
    }

    fn take(&self) -> io::Result<()> {
        for (source, target) in &self.moves {
            // SAFETY: the target belongs to the program from here on; this process's descriptor is gone with its image.
            if unsafe { libc::dup2(source.as_raw_fd(), *target) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}
