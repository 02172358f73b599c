//! One process as plain data: who it is, what it holds, what it is made of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hermes::host::effect::{Signal, Status};

use crate::machine::disk::{Credentials, NodeId};
use crate::machine::hosts::manager::Manager;
use crate::machine::s6::{logger::Logger, supervise::Supervise, svscan::Svscan};
use crate::machine::user_program::{Behaviour, UserProgram};
use crate::machine::world::ProcessId;
use crate::replay::Task;

/// What programs other than ours and s6's do, by path.
pub type Programs = BTreeMap<PathBuf, Behaviour>;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// A number of its own in the whole run: its maker's and how many that one had made. Never reused.
    pub serial: u64,
    /// Its parent's number; 0 for one that came from outside (`docker exec`).
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// When it started.
    pub started_at: Duration,
    /// Whom it runs as.
    pub credentials: Credentials,
    /// Where relative paths start.
    pub cwd: NodeId,
    /// What `/proc/N/comm` says.
    pub comm: String,
    /// What `/proc/N/cmdline` says.
    pub argv: Arc<Vec<OsString>>,
    /// Its environment.
    pub env: Arc<BTreeMap<OsString, OsString>>,
    /// What it has open, by handle.
    pub open_files: BTreeMap<u32, OpenFile>,
    /// What it was started with, by descriptor.
    pub inherited: BTreeMap<i32, OpenFile>,
    /// Files on which it holds a POSIX record lock.
    pub record_locks: BTreeSet<NodeId>,
    /// Signals that are events.
    pub trapped: BTreeSet<Signal>,
    /// Signals that came and were not looked at.
    pub pending: BTreeSet<Signal>,
    /// SIGSTOP came, and no SIGCONT.
    pub stopped: bool,
    /// It gets SIGKILL when its parent ends.
    pub dies_with_parent: bool,
    /// Children that it reaped, by number: a group whose leader is reaped cannot be signalled.
    pub spawned: BTreeSet<i32>,
    /// How many things it has made: each gets a number of its own.
    pub made_count: u64,
    /// When it began to wait, for effects that take a time.
    pub waiting_since: Option<Duration>,
    /// Its end, until it is reaped.
    pub end_status: Option<Status>,
    /// The service of a host that it belongs to, as its parent does.
    pub service: Option<Arc<str>>,
    /// What it does.
    pub body: ProcessBody,
}

/// What a process does.
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
    /// The boot hook of somebody else's image.
    BootHook,
    /// A host's supervisor.
    Manager(Box<Manager>),
}

/// One open file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenFile {
    /// What it is.
    pub kind: OpenKind,
    /// May be read.
    pub reads: bool,
    /// May be written.
    pub writes: bool,
    /// Writes go to the end.
    pub appends: bool,
    /// Where the next read or write begins.
    pub offset: u64,
    /// An `flock` is held through it.
    pub flock: bool,
}

/// What an open file is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OpenKind {
    /// A file or directory of the disk.
    Node(NodeId),
    /// One end of a pipe, or a FIFO.
    Pipe(NodeId),
    /// A process: by its serial, so that it cannot mean another.
    Process(ProcessId, u64),
    /// A listening port.
    Listener(u16),
    /// A connection: what is still to be read.
    Connection(VecDeque<u8>),
    /// Text made up when it was opened.
    Text(Arc<[u8]>),
    /// `/proc` itself.
    Proc,
    /// The socket on which systemd hears that a service is ready.
    Notify,
}

impl OpenFile {
    /// A fresh one.
    pub fn new(kind: OpenKind, reads: bool, writes: bool) -> Self {
        Self { kind, reads, writes, appends: false, offset: 0, flock: false }
    }
}

impl Process {
    /// Alive: not a zombie.
    pub fn is_alive(&self) -> bool {
        self.end_status.is_none()
    }

    /// A number that nobody else of the whole run gets, whatever the order in which processes move.
    pub fn next_unique_number(&mut self) -> u64 {
        self.made_count += 1;
        let mixed = crate::hash::digest(&(self.serial, self.made_count));
        u64::try_from(mixed & 0x0000_ffff_ffff_ffff).expect("48 bits") | 1 << 48
    }

    /// Gives an open file a handle: the lowest that is free.
    pub fn insert_open_file(&mut self, open: OpenFile) -> u32 {
        let mut handle = 0;
        while self.open_files.contains_key(&handle) {
            handle += 1;
        }
        self.open_files.insert(handle, open);
        handle
    }
}
