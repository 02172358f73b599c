//! s6-supervise as data: its state machine's state, and the status record that it last wrote.

use std::ffi::OsString;
use std::time::Duration;

/// s6-supervise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Supervise {
    pub(in crate::machine) name: OsString,
    pub(in crate::machine) stage: SuperviseStage,
    pub(in crate::machine) record: StatusRecord,
    /// How many stamps it gave: each differs from the one before, even when time stands still.
    pub(in crate::machine) stamps: u32,
    /// When its wait ends, if it does.
    pub(in crate::machine) deadline: Option<Duration>,
    /// When this run of the service said that it is ready.
    pub(in crate::machine) ready_at: Option<Duration>,
    /// The service was told to go for good: SIGKILL at the deadline.
    pub(in crate::machine) dying: bool,
    /// The service's process group, also after its end.
    pub(in crate::machine) group: i32,
    /// Where commands come in.
    pub(in crate::machine) control: u32,
    /// Where the service says that it is ready.
    pub(in crate::machine) notification: Option<u32>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::machine) enum SuperviseStage {
    Event,
    Directory,
    Lock,
    Control,
    Status,
    Lives(SuperviseState),
    Ends(u8),
}

/// A state of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::machine) enum SuperviseState {
    Down,
    Up,
    Finish,
    LastUp,
    LastFinish,
}

impl Supervise {
    /// As `s6-supervise NAME`, started in the scan directory.
    pub fn new(name: OsString) -> Self {
        Self {
            name,
            stage: SuperviseStage::Event,
            record: StatusRecord::default(),
            stamps: 0,
            deadline: None,
            ready_at: None,
            dying: false,
            group: 0,
            control: 0,
            notification: None,
        }
    }
}

/// A TAI64N label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(in crate::machine) struct Stamp {
    pub(in crate::machine) seconds: u64,
    pub(in crate::machine) nanoseconds: u32,
}

/// What `supervise/status` says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(in crate::machine) struct StatusRecord {
    pub(in crate::machine) stamp: Stamp,
    pub(in crate::machine) ready_stamp: Stamp,
    /// The service, or its finish script; 0 for none.
    pub(in crate::machine) pid: i32,
    /// How the last run ended, as `waitpid` tells it.
    pub(in crate::machine) wait_status: u16,
    pub(in crate::machine) paused: bool,
    pub(in crate::machine) finishing: bool,
    pub(in crate::machine) want_up: bool,
    pub(in crate::machine) ready: bool,
}
