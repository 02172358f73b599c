//! The one effect that waits, and the signals that end it. For `OsHost::perform` only.
//!
//! ```text
//!   let tokio look ──► what is ready? signal · child · readable · deadline ──► the first of these is the answer
//!        ▲                    │ nothing
//!        └── sleep until one may be ◄┘
//! ```
//!
//! tokio only wakes us. The kernel is asked what is ready, in one fixed order, so that the result does not depend on
//! epoll's order when several events are ready. Under `run_ready` there is no runtime to wake us: `ENOSYS`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::poll_fn;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};

use super::{OsHost, clock};
use crate::error::Errno;
use crate::host::effect::{Event, Handle, Interests, Pid, Signal, Status};
use crate::host::{Answer, Outcome};

/// The trapped signals. A stream remembers its signal until it is polled.
pub(super) type Traps = BTreeMap<Signal, tokio::signal::unix::Signal>;

pub(super) fn trap(traps: &mut Traps, signals: &[Signal]) -> Outcome {
    needs_runtime()?;
    for &number in signals {
        if let Entry::Vacant(place) = traps.entry(number) {
            place.insert(signal(SignalKind::from_raw(number.0))?);
        }
    }
    Ok(Answer::Done)
}

pub(super) async fn wait(host: &OsHost, interests: &Interests) -> Outcome {
    needs_runtime()?;
    loop {
        // tokio learns of a signal only when it reads its own pipe, which it does between polls.
        tokio::task::yield_now().await;
        if let Some(event) = ready_now(host, interests)? {
            return Ok(Answer::Event(event));
        }
        let alarms = alarms(host, interests)?;
        let woken = poll_fn(|context| {
            if let Some(signal) = trapped(&mut host.traps.borrow_mut(), context) {
                return Poll::Ready(Some(signal));
            }
            let mut rings = |alarm: &AsyncFd<OwnedFd>| alarm.poll_read_ready(context).is_ready();
            // All are polled, so that each has our waker.
            if alarms.iter().filter(|alarm| rings(alarm)).count() > 0 {
                return Poll::Ready(None);
            }
            Poll::Pending
        });
        if let Some(signal) = woken.await {
            return Ok(Answer::Event(Event::Signal(signal)));
        }
    }
}

fn needs_runtime() -> Result<(), Errno> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => Ok(()),
        Err(_) => Err(rustix::io::Errno::NOSYS.into()),
    }
}

/// What is ready, in the order of preference.
fn ready_now(host: &OsHost, interests: &Interests) -> Result<Option<Event>, Errno> {
    let mut unnamed = Context::from_waker(Waker::noop());
    if let Some(signal) = trapped(&mut host.traps.borrow_mut(), &mut unnamed) {
        return Ok(Some(Event::Signal(signal)));
    }
    if let Some(status) = interests.child.map(|pid| end_of(host, pid)).transpose()?.flatten() {
        return Ok(Some(Event::Child(status)));
    }
    if let Some(handle) = readable(host, &interests.readable)? {
        return Ok(Some(Event::Readable(handle)));
    }
    match interests.until {
        Some(until) if clock::reading(ClockId::Boottime)? >= until => Ok(Some(Event::Deadline)),
        _ => Ok(None),
    }
}

/// The lowest trapped signal that came; else the waker of `context` is called at the next.
fn trapped(traps: &mut Traps, context: &mut Context<'_>) -> Option<Signal> {
    let came = |stream: &mut tokio::signal::unix::Signal, context: &mut Context<'_>| {
        matches!(stream.poll_recv(context), Poll::Ready(Some(())))
    };
    traps.iter_mut().find_map(|(&number, stream)| came(stream, context).then_some(number))
}

/// How our child ended; it is not reaped. `ECHILD` for one that was reaped or never ours.
fn end_of(host: &OsHost, pid: Pid) -> Result<Option<Status>, Errno> {
    let children = host.children.borrow();
    let end = children.get(&pid).ok_or(rustix::io::Errno::CHILD)?;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let Some(status) = waitid(WaitId::PidFd(end.as_fd()), options)? else {
        return Ok(None);
    };
    Ok(Some(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Status::Exited(code.to_le_bytes()[0]),
        (None, Some(signal)) => Status::Signalled(Signal(signal)),
        (None, None) => unreachable!("a child that ended exited or was signalled: {status:?}"),
    }))
}

/// The first of these that can be read or accepted from; end-of-file counts as readable.
fn readable(host: &OsHost, handles: &[Handle]) -> Result<Option<Handle>, Errno> {
    let table = host.table();
    let descriptors: Vec<BorrowedFd<'_>> =
        handles.iter().map(|&handle| table.get(handle)).collect::<Result<_, _>>()?;
    let mut asked: Vec<PollFd<'_>> =
        descriptors.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    // A signal can interrupt even a poll that does not wait.
    while let Err(errno) = poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
        if errno != rustix::io::Errno::INTR {
            return Err(errno.into());
        }
    }
    let first = asked.iter().position(|event| !event.revents().is_empty());
    Ok(first.map(|index| handles[index]))
}

/// Duplicates, so that the host can be used while one of its futures waits, and a handle may be named twice.
fn alarms(host: &OsHost, interests: &Interests) -> Result<Vec<AsyncFd<OwnedFd>>, Errno> {
    let (table, children) = (host.table(), host.children.borrow());
    let double = |descriptor: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(descriptor, 3);
    let mut descriptors = Vec::new();
    if let Some(pid) = interests.child {
        let end = children.get(&pid).ok_or(rustix::io::Errno::CHILD)?;
        descriptors.push(double(end.as_fd())?);
    }
    for &handle in &interests.readable {
        descriptors.push(double(table.get(handle)?)?);
    }
    if let Some(until) = interests.until {
        descriptors.push(timer(until)?);
    }
    descriptors.into_iter().map(alarm).collect()
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, for types that could lose their descriptor; ours cannot"
)]
fn alarm(descriptor: OwnedFd) -> Result<AsyncFd<OwnedFd>, Errno> {
    Ok(AsyncFd::with_interest(descriptor, Interest::READABLE)?)
}

/// A timer of the boot clock: tokio's own timers stop while the machine is suspended.
fn timer(until: Duration) -> Result<OwnedFd, Errno> {
    let timer =
        timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    let at = Itimerspec {
        it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: Timespec::try_from(until).map_err(|_| Errno::INVAL)?,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &at)?;
    Ok(timer)
}
