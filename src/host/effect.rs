//! Effects and answers: plain data, so that they can be recorded, compared, failed and replayed.
//!
//! Each variant names the system call it stands for. Nothing here performs anything.

use std::path::PathBuf;
use std::time::Duration;

pub use super::object::{
    DirEntry, FileKind, Handle, LinkPolicy, Meta, OnExisting, OpenMode, Place,
};
pub use super::process::{Clock, Event, Finished, Interests, Pid, Program, Signal, Status, Stream};
use crate::error::Errno;

/// How one effect ended.
pub type Outcome = Result<Answer, Errno>;

/// One act of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
pub enum Effect {
    /// `openat(2)` → [`Answer::Handle`].
    Open {
        /// The path.
        place: Place,
        /// The mode of access.
        how: OpenMode,
        /// Whether the last part may be a link.
        links: LinkPolicy,
    },
    /// `read(2)`, at most `max` bytes; none at the end → [`Answer::Bytes`].
    Read {
        /// The file.
        handle: Handle,
        /// At most this many bytes.
        max: usize,
    },
    /// `write(2)`; may take less than all → [`Answer::Count`].
    Write {
        /// The file.
        handle: Handle,
        /// What.
        bytes: Vec<u8>,
    },
    /// `fsync(2)` of a file or directory.
    Sync {
        /// Of what.
        handle: Handle,
    },
    /// `close(2)`.
    Close {
        /// What.
        handle: Handle,
    },
    /// `fstat(2)` → [`Answer::Meta`].
    HandleMeta {
        /// Of what.
        handle: Handle,
    },
    /// `fstatat(2)` → [`Answer::Meta`].
    Meta {
        /// Of what.
        place: Place,
        /// Whether a link is followed.
        links: LinkPolicy,
    },
    /// `getdents(2)` to the end, without `.` and `..` → [`Answer::Entries`].
    List {
        /// An open directory.
        handle: Handle,
    },
    /// `readlinkat(2)` → [`Answer::Path`].
    ReadLink {
        /// Which link.
        place: Place,
    },
    /// `mkdirat(2)`.
    MakeDir {
        /// Where.
        place: Place,
        /// Permission bits, less the umask.
        mode: u32,
    },
    /// `mkfifoat(3)`.
    MakeFifo {
        /// Where.
        place: Place,
        /// Permission bits, less the umask.
        mode: u32,
    },
    /// `renameat2(2)`.
    Rename {
        /// The old name.
        from: Place,
        /// The new name.
        to: Place,
        /// What happens if the new name is taken.
        over: OnExisting,
    },
    /// `unlinkat(2)` of a file.
    Unlink {
        /// Which name.
        place: Place,
    },
    /// `unlinkat(2)` of an empty directory.
    RemoveDir {
        /// Which directory.
        place: Place,
    },
    /// `fchmod(2)`.
    SetMode {
        /// Of what.
        handle: Handle,
        /// Permission bits.
        mode: u32,
    },
    /// `fchownat(2)`, never through a link.
    SetOwner {
        /// Of what.
        place: Place,
        /// New owner.
        uid: u32,
        /// New group.
        gid: u32,
    },
    /// `flock(2)`, exclusive, without waiting: `EAGAIN` while another holds it.
    Lock {
        /// The open lock file.
        handle: Handle,
    },
    /// `fcntl(F_SETLK)`, exclusive, without waiting: `EAGAIN` while another process holds it. Unlike [`Effect::Lock`] it
    /// survives [`Effect::Exec`], its descriptor staying open, and is not shared with children. Closing any other handle
    /// of the same file gives it back; to inherit its own handle is `EINVAL`.
    LockRecord {
        /// The open lock file.
        handle: Handle,
    },
    /// `fcntl(F_GETLK)`: does any other process hold a POSIX lock on it → [`Answer::Flag`].
    IsLocked {
        /// The open lock file.
        handle: Handle,
    },
    /// `poll(2)`, without waiting: would it take a write at once → [`Answer::Flag`].
    HasRoom {
        /// An open pipe.
        handle: Handle,
    },
    /// `pipe2(2)` → [`Answer::Pair`], read end first. Reading an empty pipe answers `EAGAIN`; writing to a full one waits,
    /// because a child that gets the write end expects that.
    Pipe,
    /// Takes over a descriptor that this process was started with → [`Answer::Handle`].
    Inherited {
        /// The descriptor's number.
        descriptor: i32,
    },
    /// Starts a program and waits for its end, at most for `timeout` (then kills it, `ETIMEDOUT`) →
    /// [`Answer::Finished`].
    Run {
        /// What to run.
        program: Program,
        /// How long at most.
        timeout: Duration,
    },
    /// Starts a program as our child, in a process group of its own, killed if we die → [`Answer::Pid`].
    Spawn {
        /// What to start.
        program: Program,
    },
    /// `execve(2)`: becomes another program. Returns only on failure.
    Exec {
        /// What to become.
        program: Program,
    },
    /// `pidfd_open(2)` → [`Answer::Handle`].
    OpenProcess {
        /// Which process.
        pid: Pid,
    },
    /// `pidfd_send_signal(2)`.
    SignalProcess {
        /// From [`Effect::OpenProcess`].
        process: Handle,
        /// Which signal.
        signal: Signal,
    },
    /// `kill(2)` of the process group that a child of ours leads, or led until it ended; `ESRCH` once it is reaped.
    SignalGroup {
        /// The group's leader: a child not yet reaped, alive or not.
        leader: Pid,
        /// Which signal.
        signal: Signal,
    },
    /// `waitid(2)` of a child that has ended; its number may be reused from then on. `EAGAIN` while it lives, `ECHILD`
    /// once reaped. Until then [`Effect::Wait`] reports its end, and [`Effect::SignalGroup`] reaches its group.
    Reap {
        /// Which child.
        child: Pid,
    },
    /// `fchdir(2)`: relative paths start there from now on, and a program that we become finds itself there.
    ChangeDir {
        /// An open directory.
        handle: Handle,
    },
    /// `setgroups(2)`.
    SetGroups {
        /// The whole list.
        gids: Vec<u32>,
    },
    /// `setresgid(2)`, all three.
    SetGid {
        /// The group.
        gid: u32,
    },
    /// `setresuid(2)`, all three.
    SetUid {
        /// The user.
        uid: u32,
    },
    /// `umask(2)`.
    SetUmask {
        /// Bits to clear.
        mask: u32,
    },
    /// `clock_gettime(2)` → [`Answer::Time`].
    Now {
        /// Which clock.
        clock: Clock,
    },
    /// `nanosleep(2)`.
    Sleep {
        /// How long.
        duration: Duration,
    },
    /// `getrandom(2)`, eight bytes → [`Answer::Number`].
    Random,
    /// `write(2)` to one of our streams; may take less than all → [`Answer::Count`].
    Print {
        /// Which.
        stream: Stream,
        /// What.
        bytes: Vec<u8>,
        /// Waits at most this long for the reader, then `EAGAIN`; `None`: as long as it takes.
        patience: Option<Duration>,
    },
    /// `sigaction(2)`: from now on these signals are events and do not end the process.
    Trap {
        /// Which.
        signals: Vec<Signal>,
    },
    /// `socket`, `bind`, `listen` on 127.0.0.1 → [`Answer::Handle`].
    Listen {
        /// The port.
        port: u16,
    },
    /// `accept4(2)` → [`Answer::Handle`].
    Accept {
        /// A listener.
        listener: Handle,
    },
    /// `connect(2)` to 127.0.0.1 → [`Answer::Handle`].
    Connect {
        /// The port.
        port: u16,
    },
    /// `connect(2)` to a Unix datagram socket; a path that begins with `@` is an abstract name → [`Answer::Handle`].
    ConnectLocal {
        /// The socket's path or name.
        path: PathBuf,
    },
    /// `epoll_wait(2)`: ends with the first of several events → [`Answer::Event`]. Reaps no child: a child's end is
    /// observed with `WNOWAIT`.
    Wait {
        /// The events.
        interests: Interests,
    },
}

/// What an effect that succeeded gives back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Nothing but success.
    Done,
    /// A new handle.
    Handle(Handle),
    /// Two new handles: read end, write end.
    Pair(Handle, Handle),
    /// Bytes read.
    Bytes(Vec<u8>),
    /// The number of bytes written.
    Count(usize),
    /// An object's metadata.
    Meta(Meta),
    /// A directory's names.
    Entries(Vec<DirEntry>),
    /// A link's target.
    Path(PathBuf),
    /// Yes or no.
    Flag(bool),
    /// A program's end.
    Finished(Finished),
    /// A child.
    Pid(Pid),
    /// A clock's reading.
    Time(Duration),
    /// Random bits.
    Number(u64),
    /// The event that ended a wait.
    Event(Event),
}
