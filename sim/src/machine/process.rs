//! One process as plain data: its identity, what it has open, and the state of the program that it runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hermes::host::effect::{Signal, Status};

use crate::machine::disk::{Credentials, NodeId};
use crate::machine::ids::ProcessId;
use crate::machine::state::{
    logger::Logger,
    manager::Manager,
    supervise::Supervise,
    svscan::Svscan,
    user_program::{Behaviour, UserProgram},
};
use crate::replay::Task;

/// The behaviour of users' programs, by path.
pub type Programs = BTreeMap<PathBuf, Behaviour>;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// A serial number that is unique in the whole run: from the creator's serial and its count of creations. Never reused.
    pub serial: u64,
    /// The pid of its parent; 0 for a process from outside (`docker exec`).
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// The time of its start.
    pub started_at: Duration,
    /// The user and groups.
    pub credentials: Credentials,
    /// The working directory.
    pub cwd: NodeId,
    /// The contents of `/proc/N/comm`.
    pub comm: String,
    /// The contents of `/proc/N/cmdline`.
    pub argv: Arc<Vec<OsString>>,
    /// Its environment.
    pub env: Arc<BTreeMap<OsString, OsString>>,
    /// The open files, by handle.
    pub open_files: BTreeMap<u32, OpenFile>,
    /// The open files that it was started with, by descriptor.
    pub inherited: BTreeMap<i32, OpenFile>,
    /// Files on which it holds a POSIX record lock.
    pub record_locks: BTreeSet<NodeId>,
    /// Signals that the process receives as events.
    pub trapped: BTreeSet<Signal>,
    /// Signals that arrived and were not handled yet.
    pub pending: BTreeSet<Signal>,
    /// SIGSTOP arrived, and no SIGCONT since.
    pub stopped: bool,
    /// It gets SIGKILL when its parent ends.
    pub dies_with_parent: bool,
    /// Children that it reaped, by number: a group whose leader is reaped cannot be signalled.
    pub spawned: BTreeSet<i32>,
    /// The number of things it has created: each gets a serial number from it.
    pub made_count: u64,
    /// The time at which it began to wait, for effects that take time.
    pub waiting_since: Option<Duration>,
    /// The end status, until it is reaped.
    pub end_status: Option<Status>,
    /// The service of a host to which it belongs, as its parent does.
    pub service: Option<Arc<str>>,
    /// The program that it runs, with its state.
    pub body: ProcessBody,
}

/// The program that a process runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProcessBody {
    /// The production program.
    Task(Box<Task>),
    /// s6-svscan.
    Svscan(Svscan),
    /// s6-supervise.
    Supervise(Supervise),
    /// s6-log.
    Logger(Logger),
    /// A user's program.
    User(UserProgram),
    /// The boot hook of a foreign image.
    BootHook,
    /// The supervisor of a host.
    Manager(Box<Manager>),
}

/// One open file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenFile {
    /// The object.
    pub kind: OpenKind,
    /// Can be read.
    pub reads: bool,
    /// Can be written.
    pub writes: bool,
    /// Writes append to the end.
    pub appends: bool,
    /// The offset of the next read or write.
    pub offset: u64,
    /// The lock that is held through it is an `flock`.
    pub flock: bool,
}

/// The object of an open file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OpenKind {
    /// A file or directory of the disk.
    Node(NodeId),
    /// One end of a pipe, or a FIFO.
    Pipe(NodeId),
    /// A process, by its serial number, so that it cannot mean another process.
    Process(ProcessId, u64),
    /// A listening port.
    Listener(u16),
    /// A connection: the bytes that are still to be read.
    Connection(VecDeque<u8>),
    /// Text that was generated at the open.
    Text(Arc<[u8]>),
    /// `/proc` itself.
    Proc,
    /// The socket on which systemd receives the readiness of services.
    Notify,
}

impl OpenFile {
    /// A new open file.
    pub fn new(kind: OpenKind, reads: bool, writes: bool) -> Self {
        Self { kind, reads, writes, appends: false, offset: 0, flock: false }
    }
}

impl Process {
    /// Is it alive, and not a zombie?
    pub fn is_alive(&self) -> bool {
        self.end_status.is_none()
    }

    /// A serial number that is unique in the whole run, whatever the order of transitions.
    pub fn next_unique_number(&mut self) -> u64 {
        self.made_count += 1;
        let mixed = crate::hash::digest(&(self.serial, self.made_count));
        u64::try_from(mixed & 0x0000_ffff_ffff_ffff).expect("48 bits") | 1 << 48
    }

    /// Gives an open file the lowest free handle.
    pub fn insert_open_file(&mut self, open: OpenFile) -> u32 {
        let mut handle = 0;
        while self.open_files.contains_key(&handle) {
            handle += 1;
        }
        self.open_files.insert(handle, open);
        handle
    }
}
