//! Floor 3: the seam between operations and backends: what any supervisor of gateways can be asked.
//!
//! `ops` speaks to these traits alone; `backend` implements them. A backend that cannot register does not implement
//! [`Registrar`]. No method knows about intents, markers or profiles' files: `ops` handles those.

pub mod wait;

use std::path::PathBuf;
use std::time::Duration;

use crate::error::HostError;
use crate::host::effect::{Pid, Status};
use crate::name::Profile;
use crate::record::config::Restart;

/// The target state: what a supervisor is told about one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetState {
    /// Keep it up.
    Up,
    /// Keep it down.
    Down,
}

/// Is a service known, and is it supervised?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// No such service.
    Unregistered,
    /// It is there, but no supervisor process runs for it.
    Unsupervised,
    /// It is supervised.
    Supervised,
    /// This machine has no supervisor: gateways run in the foreground.
    Foreground,
}

/// The process state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessState {
    /// The gateway's process runs.
    Up {
        /// In the supervisor's PID namespace.
        pid: Pid,
        /// It has said that it is ready.
        ready: bool,
    },
    /// It ended, and its `finish` step runs.
    Finishing,
    /// It does not run.
    Down {
        /// How it ended, if it ever ran under this supervisor.
        last: Option<Status>,
    },
}

/// A service as its supervisor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Known, supervised?
    pub presence: Presence,
    /// What the supervisor was told.
    pub target_state: TargetState,
    /// What the supervisor will do when it starts anew.
    pub at_start: TargetState,
    /// The process state.
    pub process_state: ProcessState,
    /// When that last changed, as time since 1970-01-01 UTC; equal time stamps mean that nothing changed.
    pub since: Duration,
    /// Stopped by SIGSTOP.
    pub paused: bool,
    /// Its supervisor has reported the process state. A supervisor that has just started has not yet.
    pub is_reported: bool,
}

impl Service {
    /// A service that is not there.
    pub fn unregistered() -> Self {
        Self {
            presence: Presence::Unregistered,
            target_state: TargetState::Down,
            at_start: TargetState::Down,
            process_state: ProcessState::Down { last: None },
            since: Duration::ZERO,
            paused: false,
            is_reported: false,
        }
    }

    /// The live process, if there is one.
    pub fn pid(&self) -> Option<Pid> {
        match self.process_state {
            ProcessState::Up { pid, .. } => Some(pid),
            ProcessState::Finishing | ProcessState::Down { .. } => None,
        }
    }

    /// It ended in a way after which its supervisor does not restart it: exit code 78, the configuration is wrong.
    pub fn has_failed_permanently(&self) -> bool {
        self.target_state == TargetState::Down
            && matches!(
                self.process_state,
                ProcessState::Down { last: Some(Status::Exited(PERMANENT_FAILURE)) }
            )
    }
}

/// The exit code for "do not restart me, my configuration is wrong" (`EX_CONFIG` of `sysexits.h`).
pub const PERMANENT_FAILURE: u8 = 78;

/// A service's specification: what a gateway needs from its supervisor, independent of file formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// The gateway's profile.
    pub profile: Profile,
    /// Absolute path of the `hermes` program.
    pub program: PathBuf,
    /// The home of all profiles.
    pub home: PathBuf,
    /// The directory of its log.
    pub log_dir: PathBuf,
    /// The restart policy.
    pub restart: Restart,
    /// From SIGTERM to SIGKILL.
    pub kill_after: Duration,
}

/// The goal of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Goal {
    /// It is supervised.
    Supervised,
    /// Up and ready, in another process than before.
    Ready {
        /// The process that ran when the start was requested; `None` if none did.
        before: Option<Pid>,
        /// The time stamp of that status ([`Service::since`]).
        since: Duration,
    },
    /// This process has ended.
    Gone(Pid),
    /// Down, cleaned up.
    Down,
}

/// The result of registering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The service is new; a [`Registrar::rescan`] makes it live.
    New,
    /// It was there; some of its files were brought up to date in place.
    Updated,
    /// It was there, as it should be.
    Unchanged,
}

/// A leftover: an entry of the supervisor's directory that belongs to no profile's service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its name there.
    pub name: String,
    /// The profile whose lock must be held to touch it, if a legal profile is named.
    pub owner: Option<Profile>,
    /// Its kind.
    pub kind: LeftoverKind,
}

/// The kind of a leftover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftoverKind {
    /// A service whose construction or take-down was interrupted.
    Unfinished,
    /// Named like a gateway, but no legal profile could own it.
    IllegalName,
}

/// All services and leftovers of the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Listing {
    /// Profiles with a service, sorted.
    pub profiles: Vec<Profile>,
    /// Leftovers.
    pub leftovers: Vec<Leftover>,
}

/// Why an act on a service failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SupervisorError {
    /// No service of that profile.
    #[error("no such gateway '{0}'")]
    NotRegistered(Profile),
    /// A tool of the supervisor refused.
    #[error("{tool} {action} on '{service}' failed (rc={code}): {stderr}")]
    Command {
        /// `s6-svc`.
        tool: &'static str,
        /// `start`.
        action: &'static str,
        /// `gateway-coder`.
        service: String,
        /// The tool's exit code.
        code: i32,
        /// The tool's message, one line.
        stderr: String,
        /// What we know of the cause.
        cause: Cause,
    },
    /// The tool did not end in time.
    #[error("{tool} {action} on '{service}' did not end within {} s", waited.as_secs_f32())]
    Hung {
        /// `s6-svc`.
        tool: &'static str,
        /// `start`.
        action: &'static str,
        /// `gateway-coder`.
        service: String,
        /// How long we waited.
        waited: Duration,
    },
    /// The tool is not installed.
    #[error("no {tool} in {}", looked_in.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", "))]
    NoTool {
        /// `s6-svc`.
        tool: &'static str,
        /// Where we looked.
        looked_in: Vec<PathBuf>,
    },
    /// A service of that name is there, and it is not ours.
    #[error("`{}` serves another: {by}", path.display())]
    Taken {
        /// The file that describes it.
        path: PathBuf,
        /// What it serves, in its own words.
        by: String,
    },
    /// Root writes no unit for a home that somebody else could have put there.
    #[error("refused to manage the units of `{}` as root: {reason}", home.display())]
    Distrusted {
        /// The home.
        home: PathBuf,
        /// What is odd about it, with the owners.
        reason: String,
    },
    /// Its operator has forbidden the service by the supervisor's own means.
    #[error("'{service}' is masked by `{}`", path.display())]
    Masked {
        /// What forbids it.
        path: PathBuf,
        /// `hermes-gateway-coder.service`.
        service: String,
    },
    /// The service's state is inaccessible: its supervisor belongs to another user.
    #[error(transparent)]
    Forbidden(HostError),
    /// The service is there, but not supervised.
    #[error("no supervisor listens on '{0}'")]
    NotListening(String),
    /// The goal of a wait was not reached.
    #[error("gateway '{profile}' {unmet_goal} within {} s", waited.as_secs_f32())]
    TimedOut {
        /// The gateway's profile.
        profile: Profile,
        /// `was not ready`, `was not down`.
        unmet_goal: &'static str,
        /// How long we waited.
        waited: Duration,
        /// The last status.
        last: Box<Service>,
    },
    /// It was started, and it ended.
    #[error("gateway '{profile}' started and ended: {}", describe_exit(*last))]
    Ended {
        /// The gateway's profile.
        profile: Profile,
        /// How it ended.
        last: Status,
        /// Its supervisor will not try again.
        permanent: bool,
    },
    /// The status record is invalid.
    #[error("failed to understand `{}`: {reason}", path.display())]
    OddStatus {
        /// The record.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The kernel refused.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// What we know of why a tool failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// `EACCES`: the control FIFO belongs to another user.
    Forbidden,
    /// No process reads the control FIFO.
    NotListening,
    /// The user's systemd cannot be reached from this session.
    NoBus,
    /// Unknown; only the tool's message tells.
    Unknown,
}

/// How a process ended, in words.
pub fn describe_exit(status: Status) -> String {
    match status {
        Status::Exited(code) => format!("exit code {code}"),
        Status::Signalled(signal) => format!("signal {}", signal.0),
    }
}

/// When a profile's service is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// With the profile: the supervisor is there for gateways alone.
    WithProfile,
    /// When the operator asks for it: the machine belongs to the operator, and itself starts services after a reboot.
    OnRequest,
}

/// A supervisor of gateways.
#[expect(async_fn_in_trait, reason = "one thread: no future of ours needs to be Send")]
pub trait Supervisor {
    /// Asks that the gateway run, now and when its supervisor starts anew. Returns when the supervisor has the request.
    async fn start(&self, profile: &Profile) -> Result<(), SupervisorError>;

    /// Asks that the gateway not run, now and when its supervisor starts anew.
    async fn stop(&self, profile: &Profile) -> Result<(), SupervisorError>;

    /// Asks that the gateway end if it runs, and run again, in one request.
    async fn restart(&self, profile: &Profile) -> Result<(), SupervisorError>;

    /// The process state.
    async fn status(&self, profile: &Profile) -> Result<Service, SupervisorError>;

    /// Waits until the goal is reached; the error gives the last status.
    async fn wait(
        &self,
        profile: &Profile,
        goal: Goal,
        timeout: Duration,
    ) -> Result<Service, SupervisorError>;

    /// When a profile's service is registered with this supervisor.
    fn registration(&self) -> Registration {
        Registration::WithProfile
    }

    /// Settings of the machine that will keep gateways from coming back after a reboot, and what to do about them.
    async fn caveats(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A supervisor whose services can be added and removed at run time.
#[expect(async_fn_in_trait, reason = "one thread: no future of ours needs to be Send")]
pub trait Registrar: Supervisor {
    /// Ensures that the service is there, complete, and starts by itself or not; a live one is not disturbed.
    async fn publish(
        &self,
        spec: &ServiceSpec,
        at_start: TargetState,
    ) -> Result<Published, SupervisorError>;

    /// Makes new services live and forgets removed ones, if publishing has not done so.
    async fn rescan(&self) -> Result<(), SupervisorError> {
        Ok(())
    }

    /// Removes a service with its process, its logger and its supervisor; an absent one is no failure.
    async fn unregister(&self, profile: &Profile, timeout: Duration)
    -> Result<(), SupervisorError>;

    /// Lists services and leftovers.
    async fn list(&self) -> Result<Listing, SupervisorError>;

    /// Removes a leftover, with every process that runs in it. If services are registered in one act, there are none.
    async fn sweep(&self, _stray: &Leftover, _timeout: Duration) -> Result<(), SupervisorError> {
        Ok(())
    }
}
