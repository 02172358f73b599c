//! The objects of process effects: pids, signals, programs, events. Plain data.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::object::Handle;

/// A process that may be signalled: it cannot hold 0, 1 or a negative number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "gate", serde(try_from = "i64"))]
pub struct Pid(i32);

#[cfg(feature = "gate")]
impl TryFrom<i64> for Pid {
    type Error = &'static str;

    fn try_from(raw: i64) -> Result<Self, Self::Error> {
        Self::new(raw).ok_or("no process that may be signalled")
    }
}

impl Pid {
    /// `None` for 1 and below: those mean groups, all processes, or a machine's own PID 1.
    pub fn new(raw: i64) -> Option<Self> {
        i32::try_from(raw).ok().filter(|&pid| pid > 1).map(Self)
    }

    /// The number, above 1.
    pub fn raw(self) -> i32 {
        self.0
    }
}

/// A signal number of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
pub struct Signal(pub i32);

impl Signal {
    /// Hang-up.
    pub const HUP: Self = Self(1);
    /// Interrupt: Ctrl-C.
    pub const INT: Self = Self(2);
    /// Quit.
    pub const QUIT: Self = Self(3);
    /// Kill; cannot be caught.
    pub const KILL: Self = Self(9);
    /// First user signal.
    pub const USR1: Self = Self(10);
    /// Second user signal.
    pub const USR2: Self = Self(12);
    /// Terminate.
    pub const TERM: Self = Self(15);
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It called exit with this code.
    Exited(u8),
    /// A signal ended it.
    Signalled(Signal),
}

/// A program to run, by absolute path, with its whole environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
pub struct Program {
    /// Absolute path.
    pub path: PathBuf,
    /// Arguments after argv\[0\].
    pub args: Vec<OsString>,
    /// Its whole environment.
    #[cfg_attr(feature = "gate", serde(skip))]
    pub env: BTreeMap<OsString, OsString>,
    /// Working directory; ours if `None`.
    pub cwd: Option<PathBuf>,
    /// Inherited open files, each with its descriptor number.
    pub inherit: Vec<(Handle, i32)>,
}

/// The result of a finished program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finished {
    /// How it ended.
    pub status: Status,
    /// Its stdout, cut at 64 KiB.
    pub stdout: Vec<u8>,
    /// Its stderr, cut at 64 KiB.
    pub stderr: Vec<u8>,
}

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
pub enum Clock {
    /// Time since 1970-01-01 UTC; jumps when it is set.
    Wall,
    /// Time since the machine started, suspension included (`CLOCK_BOOTTIME`); never jumps back.
    Boot,
}

/// A standard output stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
pub enum Stream {
    /// Standard output: what was asked for.
    Out,
    /// Standard error: what went wrong, and notes.
    Err,
}

/// An event that a wait may end with; the first one is the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
pub struct Interests {
    /// Handles that may become readable: listeners, connections, pipes.
    pub readable: Vec<Handle>,
    /// Our own child. Once it has ended, every wait that names it reports that at once, until it is reaped; then `ECHILD`.
    pub child: Option<Pid>,
    /// A time of the boot clock.
    pub until: Option<Duration>,
}

/// The event that ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A trapped signal came.
    Signal(Signal),
    /// The child ended this way; it stays a zombie until [`super::effect::Effect::Reap`].
    Child(Status),
    /// The handle can be read or accepted from without waiting.
    Readable(Handle),
    /// The time came.
    Deadline,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(-1)]
    #[case(0)]
    #[case(1)]
    #[case(i64::MIN)]
    #[case(1 << 32)]
    fn a_pid_that_must_not_be_signalled_cannot_be_made(#[case] raw: i64) {
        assert_eq!(Pid::new(raw), None);
    }

    #[test]
    fn an_ordinary_pid_is_kept() {
        assert_eq!(Pid::new(42).map(Pid::raw), Some(42));
    }
}
