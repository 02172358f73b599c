//! The bare program: makes the same system calls as a recorded pass, one after the other, with nothing in between.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use hermes::host::Host;
use hermes::host::effect::{
    Answer, Clock, Effect, Handle, LinkPolicy, OnExisting, OpenMode, Outcome, Place,
};
use hermes::host::os::OsHost;
use rustix::fs::{self, AtFlags, CWD, FlockOperation, Mode, OFlags, RawDir, RenameFlags};

/// A host that performs effects and records them.
pub(crate) struct Recorder {
    inner: OsHost,
    pub(crate) log: RefCell<Vec<(Effect, Outcome)>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { inner: OsHost::new(), log: RefCell::new(Vec::new()) }
    }
}

impl Host for Recorder {
    async fn perform(&self, effect: Effect) -> Outcome {
        let outcome = self.inner.perform(effect.clone()).await;
        self.log.borrow_mut().push((effect, outcome.clone()));
        outcome
    }
}

/// Repeats the recorded calls. Their answers are ignored: the recorded pass has used them.
pub(crate) fn replay(log: &[(Effect, Outcome)]) {
    let mut open: BTreeMap<Handle, OwnedFd> = BTreeMap::new();
    let mut buffer = vec![0; 64 << 10];
    for (effect, outcome) in log {
        call(effect, outcome, &mut open, &mut buffer);
    }
}

/// The answers are known from the record; the bare program only bears their cost.
fn ignore<T>(_: T) {}

fn dir<'fd>(place: &Place, open: &'fd BTreeMap<Handle, OwnedFd>) -> BorrowedFd<'fd> {
    place.dir.and_then(|handle| open.get(&handle)).map_or(CWD, |fd| fd.as_fd())
}

fn call(
    effect: &Effect,
    outcome: &Outcome,
    open: &mut BTreeMap<Handle, OwnedFd>,
    buffer: &mut [u8],
) {
    match effect {
        Effect::Open { place, how, links } => {
            let (flags, mode) = flags(*how, *links);
            let opened = fs::openat(dir(place, open), &place.path, flags, mode);
            if let (Ok(fd), Ok(Answer::Handle(handle))) = (opened, outcome) {
                open.insert(*handle, fd);
            }
        }
        Effect::Close { handle } => ignore(open.remove(handle)),
        Effect::Now { clock } => {
            let clock = match clock {
                Clock::Wall => rustix::time::ClockId::Realtime,
                Clock::Boot => rustix::time::ClockId::Boottime,
            };
            ignore(rustix::time::clock_gettime(clock));
        }
        Effect::Random => {
            ignore(rustix::rand::getrandom(&mut buffer[..8], rustix::rand::GetRandomFlags::empty()))
        }
        Effect::Read { .. }
        | Effect::Write { .. }
        | Effect::Sync { .. }
        | Effect::HandleMeta { .. }
        | Effect::List { .. }
        | Effect::SetMode { .. }
        | Effect::Lock { .. }
        | Effect::IsLocked { .. } => on_handle(effect, open, buffer),
        _ => on_place(effect, open, buffer),
    }
}

fn flags(how: OpenMode, links: LinkPolicy) -> (OFlags, Mode) {
    let refuse = if links == LinkPolicy::Refuse { OFlags::NOFOLLOW } else { OFlags::empty() };
    let (flags, mode) = match how {
        OpenMode::Read => (OFlags::RDONLY | OFlags::NONBLOCK, 0),
        OpenMode::Directory => (OFlags::RDONLY | OFlags::DIRECTORY, 0),
        OpenMode::Create { mode } => (OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, mode),
        OpenMode::Append { mode } => (OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND, mode),
        OpenMode::Lock { mode } => (OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK, mode),
        OpenMode::Write => (OFlags::WRONLY | OFlags::NONBLOCK, 0),
    };
    (flags | refuse | OFlags::CLOEXEC, Mode::from_raw_mode(mode))
}

fn on_handle(effect: &Effect, open: &BTreeMap<Handle, OwnedFd>, buffer: &mut [u8]) {
    let handle = match effect {
        Effect::Read { handle, .. }
        | Effect::Write { handle, .. }
        | Effect::Sync { handle }
        | Effect::HandleMeta { handle }
        | Effect::List { handle }
        | Effect::SetMode { handle, .. }
        | Effect::Lock { handle }
        | Effect::IsLocked { handle } => handle,
        other => unreachable!("{other:?} has no handle"),
    };
    let Some(fd) = open.get(handle) else { return };
    match effect {
        Effect::Read { max, .. } => {
            let most = (*max).min(buffer.len());
            ignore(rustix::io::read(fd, &mut buffer[..most]));
        }
        Effect::Write { bytes, .. } => ignore(rustix::io::write(fd, bytes)),
        Effect::Sync { .. } => ignore(fs::fsync(fd)),
        Effect::HandleMeta { .. } => ignore(fs::fstat(fd)),
        Effect::List { .. } => list(fd),
        Effect::SetMode { mode, .. } => ignore(fs::fchmod(fd, Mode::from_raw_mode(*mode))),
        Effect::Lock { .. } => ignore(fs::flock(fd, FlockOperation::NonBlockingLockExclusive)),
        _ => {
            let lock = rustix::process::Flock::from(rustix::process::FlockType::WriteLock);
            ignore(rustix::process::fcntl_getlk(fd, &lock));
        }
    }
}

fn list(fd: &OwnedFd) {
    let mut space = [const { MaybeUninit::uninit() }; 32 << 10];
    ignore(fs::seek(fd, fs::SeekFrom::Start(0)));
    let mut entries = RawDir::new(fd, &mut space);
    while let Some(Ok(_)) = entries.next() {}
}

fn on_place(effect: &Effect, open: &BTreeMap<Handle, OwnedFd>, buffer: &mut [u8]) {
    match effect {
        Effect::Meta { place, links } => {
            let flags = match links {
                LinkPolicy::Follow => AtFlags::empty(),
                LinkPolicy::Refuse => AtFlags::SYMLINK_NOFOLLOW,
            };
            ignore(fs::statat(dir(place, open), &place.path, flags));
        }
        Effect::ReadLink { place } => {
            ignore(fs::readlinkat(dir(place, open), &place.path, buffer.to_vec()));
        }
        Effect::MakeDir { place, mode } => {
            ignore(fs::mkdirat(dir(place, open), &place.path, Mode::from_raw_mode(*mode)));
        }
        Effect::Rename { from, to, over } => {
            let flags = match over {
                OnExisting::Replace => RenameFlags::empty(),
                OnExisting::Refuse => RenameFlags::NOREPLACE,
            };
            let (old, new) = (dir(from, open), dir(to, open));
            ignore(fs::renameat_with(old, &from.path, new, &to.path, flags));
        }
        Effect::Unlink { place } => {
            ignore(fs::unlinkat(dir(place, open), &place.path, AtFlags::empty()));
        }
        Effect::RemoveDir { place } => {
            ignore(fs::unlinkat(dir(place, open), &place.path, AtFlags::REMOVEDIR));
        }
        other => panic!("a pass of reconcile does not ask for {other:?}"),
    }
}
