//! Scripted faults with their addresses, and which searches a scenario gets.
//!
//! An address names a task, a kind of effect, the object of the effect and its ordinal; never a step number. An address
//! that no longer occurs fails the replay.

use std::fmt;
use std::str::FromStr;

use hermes::error::Errno;
use hermes::host::effect::Effect;
use serde::{Deserialize, Serialize};

use super::values::{ContainerName, ProfileName, Span, as_text, is_default};

/// A fault that is injected at one effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// Where.
    pub at: EffectAddress,
    /// What.
    #[serde(rename = "inject")]
    pub kind: FaultKind,
    /// An errno: again at every later effect of the same process and address, whatever its ordinal.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sticky: bool,
    /// A preemption: the task that continues; left out, the next one that can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<TaskAddress>,
    /// A suspension: how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// A power cut: which of the outcomes that the order of writes allows; left out, the one that keeps least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<u64>,
}

/// An address of one effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectAddress {
    /// The task that makes the effect.
    pub task: TaskAddress,
    /// Its kind.
    pub effect: EffectKind,
    /// A text that occurs in the effect's path, program or printed text; left out, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Which of the matching effects, counted from 1; the count goes on when the task runs again.
    #[serde(default = "first_occurrence", skip_serializing_if = "is_first")]
    pub nth: u32,
}

fn first_occurrence() -> u32 {
    1
}

fn is_first(nth: &u32) -> bool {
    *nth == 1
}

/// A process that runs the product.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TaskAddress {
    /// A `run` step by its name.
    Run(String),
    /// `init`, `init c2`: `hermes boot init`, PID 1 of a container.
    Init(ContainerName),
    /// `tree`, `tree c2`: `hermes boot tree`, which makes the slots at boot.
    Tree(ContainerName),
    /// `stop`, `stop c2`: `hermes boot stop`, which stops the gateways' tree.
    Stop(ContainerName),
    /// `main`, `main c2`: `hermes boot main`, before it is the container's command.
    Main(ContainerName),
    /// `gateway P`: the gateway of a profile.
    Gateway(ProfileName),
    /// `log P`: `hermes gateway log`, before it is the logger of a profile's slot.
    Log(ProfileName),
}

as_text! { TaskAddress }

impl FromStr for TaskAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(' ') {
            None if text == "init" => Ok(Self::Init(ContainerName::default())),
            None if text == "tree" => Ok(Self::Tree(ContainerName::default())),
            None if text == "stop" => Ok(Self::Stop(ContainerName::default())),
            None if text == "main" => Ok(Self::Main(ContainerName::default())),
            Some(("stop", container)) => container.parse().map(Self::Stop),
            Some(("main", container)) => container.parse().map(Self::Main),
            Some(("log", profile)) => profile.parse().map(Self::Log),
            Some(("init", container)) => container.parse().map(Self::Init),
            Some(("tree", container)) => container.parse().map(Self::Tree),
            Some(("gateway", profile)) => profile.parse().map(Self::Gateway),
            None if is_run_name(text) => Ok(Self::Run(text.to_owned())),
            _ => Err(format!(
                "{text:?} is no task: the name of a run, init, tree, stop, main (each also with cN), gateway P or log P"
            )),
        }
    }
}

impl fmt::Display for TaskAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(name) => f.write_str(name),
            Self::Init(ContainerName(1)) => f.write_str("init"),
            Self::Tree(ContainerName(1)) => f.write_str("tree"),
            Self::Stop(ContainerName(1)) => f.write_str("stop"),
            Self::Main(ContainerName(1)) => f.write_str("main"),
            Self::Stop(container) => write!(f, "stop {container}"),
            Self::Main(container) => write!(f, "main {container}"),
            Self::Log(profile) => write!(f, "log {profile}"),
            Self::Init(container) => write!(f, "init {container}"),
            Self::Tree(container) => write!(f, "tree {container}"),
            Self::Gateway(profile) => write!(f, "gateway {profile}"),
        }
    }
}

/// A capital letter, then letters and digits: such a name is never one of the other tasks.
pub(super) fn is_run_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|letter| letter.is_ascii_alphanumeric())
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FaultKind {
    /// `kill`: the process is killed before the effect.
    Kill,
    /// `kill-after`: the process is killed right after the effect.
    KillAfter,
    /// `preempt`: another process continues before the effect.
    Preempt,
    /// `container-kill`: the container is killed before the effect, and started again.
    ContainerKill,
    /// `container-restart`: the container gets TERM before the effect, and is started again once it has ended.
    ContainerRestart,
    /// `power-cut`: the power is cut before the effect; all containers are started again.
    PowerCut,
    /// `suspend`: the machine sleeps before the effect.
    Suspend,
    /// `begin-step`: the scenario's next step begins before the effect, although processes could go on.
    BeginStep,
    /// `advance-time`: time passes before the effect, up to the next moment at which a process wakes.
    AdvanceTime,
    /// `EIO` and other errnos: the effect fails with it.
    Errno(Errno),
}

const FAULT_KINDS: [(&str, FaultKind); 9] = [
    ("kill", FaultKind::Kill),
    ("kill-after", FaultKind::KillAfter),
    ("preempt", FaultKind::Preempt),
    ("container-kill", FaultKind::ContainerKill),
    ("container-restart", FaultKind::ContainerRestart),
    ("power-cut", FaultKind::PowerCut),
    ("suspend", FaultKind::Suspend),
    ("begin-step", FaultKind::BeginStep),
    ("advance-time", FaultKind::AdvanceTime),
];

/// The errnos that a scenario may name, with Linux' numbers.
const ERRNOS: [(&str, i32); 19] = [
    ("EPERM", 1),
    ("ENOENT", 2),
    ("EINTR", 4),
    ("EIO", 5),
    ("ENXIO", 6),
    ("EAGAIN", 11),
    ("ENOMEM", 12),
    ("EACCES", 13),
    ("EEXIST", 17),
    ("ENFILE", 23),
    ("EMFILE", 24),
    ("ENOSPC", 28),
    ("EROFS", 30),
    ("EPIPE", 32),
    ("ENOLCK", 37),
    ("ELOOP", 40),
    ("EADDRINUSE", 98),
    ("ETIMEDOUT", 110),
    ("EDQUOT", 122),
];

as_text! { FaultKind }

impl FromStr for FaultKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kind = FAULT_KINDS.iter().find(|(word, _)| *word == text).map(|(_, kind)| *kind);
        let errno = ERRNOS.iter().find(|(word, _)| *word == text);
        kind.or(errno.map(|(_, number)| Self::Errno(Errno(*number)))).ok_or_else(|| {
            let kinds = FAULT_KINDS.iter().map(|(word, _)| *word);
            let known: Vec<&str> = kinds.chain(ERRNOS.iter().map(|(word, _)| *word)).collect();
            format!("no such fault {text:?}: one of {}", known.join(", "))
        })
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Errno(errno) => {
                ERRNOS.iter().find(|(_, number)| *number == errno.0).map(|(word, _)| *word)
            }
            kind => FAULT_KINDS.iter().find(|(_, other)| other == kind).map(|(word, _)| *word),
        };
        // Another errno has no word here, and a scenario that names it is not read back.
        f.write_str(word.unwrap_or("unknown"))
    }
}

macro_rules! kinds {
    ($($kind:ident = $effect:ident,)*) => {
        /// A kind of effect, by the word for its system call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        #[expect(missing_docs, reason = "the names are the system calls' own")]
        pub enum EffectKind { $($kind,)* }

        impl EffectKind {
            /// The kind of an effect.
            pub fn of(effect: &Effect) -> Self {
                match effect { $(Effect::$effect { .. } => Self::$kind,)* }
            }
        }
    };
}

kinds! {
    Open = Open, Read = Read, Write = Write, Fsync = Sync, Close = Close, Fstat = HandleMeta, Stat = Meta,
    List = List, Readlink = ReadLink, Mkdir = MakeDir, Mkfifo = MakeFifo, Rename = Rename, Unlink = Unlink,
    Rmdir = RemoveDir, Chmod = SetMode, Chown = SetOwner, Flock = Lock, Setlk = LockRecord, Getlk = IsLocked,
    Poll = HasRoom, Pipe = Pipe, Inherit = Inherited, Run = Run, Spawn = Spawn, Exec = Exec, Pidfd = OpenProcess,
    Signal = SignalProcess, Killpg = SignalGroup, Reap = Reap, Chdir = ChangeDir, Setgroups = SetGroups, Setgid = SetGid,
    Setuid = SetUid, Umask = SetUmask, Now = Now, Sleep = Sleep, Random = Random, Print = Print, Trap = Trap,
    Listen = Listen, Accept = Accept, Connect = Connect, Notify = ConnectLocal,
    Wait = Wait,
}

/// Which searches run on a scenario, beside the baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchSpec {
    /// The crash matrix of these tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crash_matrix: Vec<TaskAddress>,
    /// The kinds of crash in it.
    #[serde(skip_serializing_if = "is_every_crash")]
    pub crash_kinds: Vec<CrashKind>,
    /// Every interleaving, to the end.
    #[serde(skip_serializing_if = "is_default")]
    pub exhaustive: bool,
    /// How many crashes each execution of the exhaustive search may have, at any crash point.
    #[serde(skip_serializing_if = "is_default")]
    pub exhaustive_crashes: u8,
    /// How many faults an execution of the bounded search has at most; 0 leaves the search out.
    #[serde(skip_serializing_if = "is_default_faults_max")]
    pub faults_max: u8,
}

impl Default for SearchSpec {
    fn default() -> Self {
        let crash_kinds = CrashKind::ALL.to_vec();
        Self {
            crash_matrix: Vec::new(),
            crash_kinds,
            exhaustive: false,
            exhaustive_crashes: 0,
            faults_max: 1,
        }
    }
}

fn is_every_crash(kinds: &Vec<CrashKind>) -> bool {
    *kinds == CrashKind::ALL
}

fn is_default_faults_max(faults_max: &u8) -> bool {
    *faults_max == 1
}

/// A kind of crash in the crash matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrashKind {
    /// The process alone is killed.
    Kill,
    /// The container is killed and started again.
    Container,
    /// The power is cut.
    Power,
    /// The effect fails with each errno that it may have: once, and again at every later such effect.
    Errno,
}

impl CrashKind {
    /// All of them: the default of a scenario that names none.
    pub const ALL: [Self; 4] = [Self::Kill, Self::Container, Self::Power, Self::Errno];
}
