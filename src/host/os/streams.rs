//! Pipes, the standard streams, and descriptors that this process was started with. For `OsHost::perform` only.
//!
//! Nothing is buffered: one print is one `write(2)`. A closed pipe is `EPIPE`, because the Rust runtime ignores
//! `SIGPIPE` from the start.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd, ioctl_fionbio};
use rustix::pipe::{PIPE_BUF, PipeFlags, pipe_with};
use rustix::stdio::{stderr, stdin, stdout};

use super::table::Table;
use crate::error::Errno;
use crate::host::effect::{Handle, Stream};
use crate::host::{Answer, Outcome};

pub(super) fn pipe(table: &mut Table) -> Outcome {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    // Only our end is non-blocking. A program that inherits the other end expects it to block.
    ioctl_fionbio(&reader, true)?;
    Ok(Answer::Pair(table.insert(reader)?, table.insert(writer)?))
}

/// Without a time limit the write itself blocks. With one the stream is polled first: a writable pipe takes
/// [`PIPE_BUF`] bytes without blocking (`pipe(7)`).
pub(super) fn print(stream: Stream, bytes: &[u8], patience: Option<Duration>) -> Outcome {
    let descriptor = match stream {
        Stream::Out => stdout(),
        Stream::Err => stderr(),
    };
    let Some(patience) = patience else {
        return Ok(Answer::Count(rustix::io::write(descriptor, bytes)?));
    };
    if !takes_more(descriptor, patience)? {
        return Err(rustix::io::Errno::AGAIN.into());
    }
    Ok(Answer::Count(rustix::io::write(descriptor, &bytes[..bytes.len().min(PIPE_BUF)])?))
}

pub(super) fn has_room(table: &Table, handle: Handle) -> Outcome {
    Ok(Answer::Flag(takes_more(table.get(handle)?, Duration::ZERO)?))
}

/// A stream whose reader is gone counts as writable: the write then fails.
fn takes_more(descriptor: BorrowedFd<'_>, patience: Duration) -> Result<bool, Errno> {
    let timeout = Timespec::try_from(patience).map_err(|_| rustix::io::Errno::INVAL)?;
    let mut asked = [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)];
    loop {
        match poll(&mut asked, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            // The time limit starts again: signals are rare.
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

pub(super) fn inherited(table: &mut Table, descriptor: i32) -> Outcome {
    // The standard library assumes that the first three are always open, so those are duplicated, not taken over.
    let descriptor = match descriptor {
        0 => fcntl_dupfd_cloexec(stdin(), 3)?,
        1 => fcntl_dupfd_cloexec(stdout(), 3)?,
        2 => fcntl_dupfd_cloexec(stderr(), 3)?,
        other => take_over(other)?,
    };
    Ok(Answer::Handle(table.insert(descriptor)?))
}

#[expect(
    unsafe_code,
    reason = "a descriptor known by its number alone can be owned in no other way"
)]
fn take_over(descriptor: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: it reads flags by number, touches no memory, and a number that is not open is `EBADF`.
    let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
    if flags < 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    // A descriptor inherited through `execve` lacks the flag; every one that this process opened has it.
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(rustix::io::Errno::BADF.into());
    }
    // SAFETY: it is open, and no part of this process opened it (see above), so it has no other owner. From the next
    // line on it has the flag, so that it cannot be taken over twice.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
    Ok(descriptor)
}
