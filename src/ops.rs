//! Floor 5: the operations. Each stores the intent first, then acts, then reports the actual outcome.
//!
//! Uses a [`crate::supervisor::Supervisor`], the records and the effect interface; prints nothing, knows no exit codes.

pub mod home;
pub mod identity;
pub mod init;
pub mod install;
pub mod lifecycle;
pub mod orphan;
mod planned_stop;
pub mod profiles;
pub mod reconcile;
pub mod status;
pub mod tree;

use std::path::PathBuf;
use std::time::Duration;

use crate::error::HostError;
use crate::host::{Host, time};
use crate::layout::Layout;
use crate::name::Profile;
use crate::record::config::ConfigError;
use crate::record::intent::Operator;
use crate::record::json::ReadWarning;
use crate::record::lock::LockError;
use crate::supervisor::SupervisorError;

/// The context of every operation: the machine, the home, the supervisor, and the caller.
#[derive(Debug)]
pub struct OpsContext<'a, H, S> {
    /// The machine.
    pub host: &'a H,
    /// The paths of the home.
    pub layout: &'a Layout,
    /// The supervisor.
    pub supervisor: &'a S,
    /// The caller, for the record.
    pub operator: &'a Operator,
    /// Absolute path of the `hermes` program, for slots.
    pub program: &'a PathBuf,
}

/// Whether and how long a command waits for the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It returns as soon as the request is in the supervisor's hands.
    NoWait,
    /// It waits as long as the gateway's own time limits require, and at least ten seconds.
    Usual,
    /// It waits at most this long.
    For(Duration),
}

impl Patience {
    const USUAL: Duration = Duration::from_secs(10);
    const MARGIN: Duration = Duration::from_secs(2);

    /// The time limit for something that may take `needed`; `None` for no waiting.
    fn timeout(self, needed: Duration) -> Option<Duration> {
        match self {
            Self::NoWait => None,
            Self::Usual => Some(Self::USUAL.max(needed + Self::MARGIN)),
            Self::For(timeout) => Some(timeout),
        }
    }

    /// The time to wait for another command on the same profile.
    fn for_lock(self) -> Duration {
        match self {
            Self::NoWait | Self::Usual => Self::USUAL,
            Self::For(timeout) => timeout,
        }
    }
}

/// How an operation can fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpsError {
    /// Another command holds the lock, or the lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The supervisor refused or could not be asked.
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    /// The kernel refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// What the operator asked for last cannot be read just now.
    #[error("failed to read `{}`: {}", .0.path.display(), .0.reason)]
    IntentUnreadable(#[from] ReadWarning),
    /// The name is taken.
    #[error("profile '{0}' exists already")]
    ProfileExists(Profile),
    /// No such profile.
    #[error("no such profile '{0}'")]
    NoSuchProfile(Profile),
    /// The root home's profile cannot be created or deleted.
    #[error("profile 'default' is the home itself and cannot be {0}")]
    DefaultIsFixed(&'static str),
    /// It was started, and its configuration is wrong.
    #[error("gateway '{profile}' does not start: {error}")]
    Misconfigured {
        /// The gateway's profile.
        profile: Profile,
        /// What is wrong, with its place.
        error: ConfigError,
    },
    /// Another command changed the intent while this one waited.
    #[error("gateway '{profile}' was told '{word_in_force}' by another command meanwhile")]
    Overtaken {
        /// The gateway's profile.
        profile: Profile,
        /// The intent now in force.
        word_in_force: String,
    },
    /// A gateway of the profile lives outside its slot and cannot be reached.
    #[error("a gateway of profile '{profile}' still holds `{}`{}", lock.display(), holder(*.pid))]
    StillHeld {
        /// The gateway's profile.
        profile: Profile,
        /// Its lock.
        lock: PathBuf,
        /// The process it has recorded.
        pid: Option<u32>,
    },
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!(" (last noted: process {pid})"),
        None => String::new(),
    }
}

/// Now, as files and logs write it: ISO-8601 UTC with milliseconds.
pub(crate) async fn timestamp(host: &impl Host) -> Result<String, HostError> {
    Ok(crate::record::timestamp(time::wall(host).await?))
}
