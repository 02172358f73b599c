//! One process as plain data: who it is, what it holds, what it is made of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hermes::host::effect::{Signal, Status};

use crate::disk::{Credentials, NodeId};
use crate::hosts::manager::Manager;
use crate::s6::{logger::Logger, supervise::Supervise, svscan::Svscan};
use crate::task::Task;
use crate::user_program::{Behaviour, Running};
use crate::world::Who;

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
    pub started: Duration,
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
    pub open: BTreeMap<u32, Open>,
    /// What it was started with, by descriptor.
    pub inherited: BTreeMap<i32, Open>,
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
    pub made: u64,
    /// When it began to wait, for effects that take a time.
    pub since: Option<Duration>,
    /// Its end, until it is reaped.
    pub ended: Option<Status>,
    /// The service of a host that it belongs to, as its parent does.
    pub service: Option<Arc<str>>,
    /// What it does.
    pub body: Body,
}

/// What a process does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// The production program.
    Task(Box<Task>),
    /// s6-svscan.
    Svscan(Svscan),
    /// s6-supervise.
    Supervise(Supervise),
    /// s6-log.
    Logger(Logger),
    /// A user's program.
    User(Running),
    /// The boot hook of somebody else's image.
    Hook,
    /// A host's supervisor.
    Manager(Box<Manager>),
}

/// One open file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Open {
    /// What it is.
    pub what: What,
    /// May be read.
    pub reads: bool,
    /// May be written.
    pub writes: bool,
    /// Writes go to the end.
    pub appends: bool,
    /// Where the next read or write begins.
    pub at: u64,
    /// An `flock` is held through it.
    pub flock: bool,
}

/// What an open file is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A file or directory of the disk.
    Node(NodeId),
    /// One end of a pipe, or a FIFO.
    Pipe(NodeId),
    /// A process: by its serial, so that it cannot mean another.
    Process(Who, u64),
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

impl Open {
    /// A fresh one.
    pub fn new(what: What, reads: bool, writes: bool) -> Self {
        Self { what, reads, writes, appends: false, at: 0, flock: false }
    }
}

impl Process {
    /// Alive: not a zombie.
    pub fn is_alive(&self) -> bool {
        self.ended.is_none()
    }

    /// A number that nobody else of the whole run gets, whatever the order in which processes move.
    pub fn fresh(&mut self) -> u64 {
        self.made += 1;
        let mixed = crate::hash::of(&(self.serial, self.made));
        u64::try_from(mixed & 0x0000_ffff_ffff_ffff).expect("48 bits") | 1 << 48
    }

    /// Gives an open file a handle: the lowest that is free.
    pub fn insert(&mut self, open: Open) -> u32 {
        let mut handle = 0;
        while self.open.contains_key(&handle) {
            handle += 1;
        }
        self.open.insert(handle, open);
        handle
    }
}
