//! Runs a program to its end, collects its output, and enforces the time limit. For `OsHost::perform` only.
//!
//! The run ends when the program itself ends, even if helper processes keep its output open: a supervisor started in
//! the background must not hold up the command that started it. Helpers are left alone, unless time runs out.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno as RawErrno, ioctl_fionbio, ioctl_fionread};
use rustix::process::{PidfdFlags, Signal as RawSignal, kill_process_group, pidfd_open};
use rustix::time::ClockId;

use super::table::Table;
use super::{clock, launch, process};
use crate::error::Errno;
use crate::host::effect::{Finished, Program, Signal, Status};
use crate::host::{Answer, Outcome};

pub(super) fn run(table: &Table, program: &Program, timeout: Duration) -> Outcome {
    // Time in suspension does not count: the program could not use it.
    let deadline = clock::reading(ClockId::Monotonic)?.saturating_add(timeout);
    let mut command = launch::command(table, program)?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    // It holds duplicates of what the program inherits, and a pipe with a writer here would never reach its end.
    drop(command);
    match watch(&mut child, deadline) {
        Ok([stdout, stderr]) => {
            let status = status_of(child.wait()?);
            Ok(Answer::Finished(Finished { status, stdout, stderr }))
        }
        Err(errno) => {
            end(&mut child)?;
            Err(errno)
        }
    }
}

/// Reads what the program writes until it ends; it is left unreaped, so its number is not reused.
fn watch(child: &mut Child, deadline: Duration) -> Result<[Vec<u8>; 2], Errno> {
    let pid = process::raw_pid(launch::pid_of(child));
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let stderr = child.stderr.take().expect("stderr is piped");
    let mut captures = [Capture::new(stdout.into())?, Capture::new(stderr.into())?];
    loop {
        let remaining = deadline.saturating_sub(clock::reading(ClockId::Monotonic)?);
        let ready = wait_for_any(&ended, &captures, remaining)?;
        if ready[0] {
            break;
        }
        if remaining.is_zero() {
            return Err(Errno::TIMEDOUT);
        }
        for (capture, _) in captures.iter_mut().zip(&ready[1..]).filter(|(_, ready)| **ready) {
            capture.read_some()?;
        }
    }
    for capture in &mut captures {
        capture.read_available()?;
    }
    Ok(captures.map(|capture| capture.kept))
}

/// Which of these are ready: the program's end, stdout, stderr. None once `remaining` has passed.
fn wait_for_any(
    ended: &OwnedFd,
    captures: &[Capture; 2],
    remaining: Duration,
) -> Result<[bool; 3], Errno> {
    let timeout = Timespec::try_from(remaining).ok();
    let mut places = [0, usize::MAX, usize::MAX];
    let mut asked = vec![PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::IN)];
    for (index, capture) in captures.iter().enumerate() {
        // A pipe at its end is always ready.
        if capture.open {
            places[index + 1] = asked.len();
            asked.push(PollFd::from_borrowed_fd(capture.pipe.as_fd(), PollFlags::IN));
        }
    }
    match poll(&mut asked, timeout.as_ref()) {
        Ok(_) => {}
        Err(RawErrno::INTR) => return Ok([false; 3]),
        Err(errno) => return Err(errno.into()),
    }
    Ok(places.map(|place| asked.get(place).is_some_and(|event| !event.revents().is_empty())))
}

/// Ends a program whose time is over, and the helpers in its group.
fn end(child: &mut Child) -> Result<(), Errno> {
    let pid = process::raw_pid(launch::pid_of(child));
    // It is not reaped yet, so its number cannot mean another process.
    let group = kill_process_group(pid, RawSignal::KILL);
    child.kill()?;
    child.wait()?;
    match group {
        // It moved to another group and no helper stayed, or all that stayed belong to other users: nothing is left to
        // end.
        Ok(()) | Err(RawErrno::SRCH | RawErrno::PERM) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn status_of(status: ExitStatus) -> Status {
    match (status.code(), status.signal()) {
        (Some(code), _) => Status::Exited(code.to_le_bytes()[0]),
        (None, Some(signal)) => Status::Signalled(Signal(signal)),
        (None, None) => unreachable!("a reaped child exited or was signalled: {status:?}"),
    }
}

/// How much of each stream is kept.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// One output stream: its beginning is kept; the rest is read and dropped, so that the program never stalls.
struct Capture {
    pipe: OwnedFd,
    kept: Vec<u8>,
    open: bool,
}

impl Capture {
    fn new(pipe: OwnedFd) -> Result<Self, Errno> {
        ioctl_fionbio(&pipe, true)?;
        Ok(Self { pipe, kept: Vec::new(), open: true })
    }

    /// Reads once; returns the number of bytes.
    fn read_some(&mut self) -> Result<usize, Errno> {
        let mut bytes = [0; 16 * 1024];
        match rustix::io::read(&self.pipe, &mut bytes) {
            Ok(count) => {
                self.open = count > 0;
                let room = KEPT_BYTES_MAX - self.kept.len();
                self.kept.extend_from_slice(&bytes[..count.min(room)]);
                Ok(count)
            }
            Err(RawErrno::AGAIN | RawErrno::INTR) => Ok(0),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Reads what is in the pipe now, and not what helpers may still write.
    fn read_available(&mut self) -> Result<(), Errno> {
        let mut left = ioctl_fionread(&self.pipe)?;
        while left > 0 {
            match self.read_some()? {
                0 => break,
                count => left = left.saturating_sub(count as u64),
            }
        }
        Ok(())
    }
}
