//! Floor 3: the seam of operations. What a supervisor of gateways can be asked, whatever it is.
//!
//! `ops` speaks to these traits alone; `backend` implements them. A backend that cannot register does not implement
//! [`Registrar`]. No method knows about intents, markers or profiles' files: those are `ops`' business.

pub mod wait;

use std::path::PathBuf;
use std::time::Duration;

use crate::error::HostError;
use crate::host::effect::{Pid, Status};
use crate::name::Profile;
use crate::record::config::Restart;

/// What a supervisor is told about one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetState {
    /// Keep it up.
    Up,
    /// Keep it down.
    Down,
}

/// Is a service known, and does anybody look after it?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// No such service.
    Unregistered,
    /// It is there, but no supervisor listens.
    Unsupervised,
    /// A supervisor looks after it.
    Supervised,
    /// This machine has no supervisor: gateways run in the foreground.
    Foreground,
}

/// What is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessState {
    /// The gateway's process runs.
    Up {
        /// In the supervisor's PID namespace.
        pid: Pid,
        /// It has said that it is ready.
        ready: bool,
    },
    /// It ended and is being cleaned up after.
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
    /// Known, looked after?
    pub presence: Presence,
    /// What was asked of the supervisor.
    pub target_state: TargetState,
    /// What it will do by itself when it starts anew.
    pub at_start: TargetState,
    /// What is so.
    pub process_state: ProcessState,
    /// When that last changed, as time since 1970-01-01 UTC; equal stamps mean that nothing changed.
    pub since: Duration,
    /// Stopped by SIGSTOP.
    pub paused: bool,
    /// Its supervisor has said what is so. It has not in the moment in which it has just begun to look after it.
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

    /// It ended in a way that its supervisor does not try again: exit code 78, the configuration is wrong.
    pub fn has_failed_permanently(&self) -> bool {
        self.target_state == TargetState::Down
            && matches!(
                self.process_state,
                ProcessState::Down { last: Some(Status::Exited(PERMANENT_FAILURE)) }
            )
    }
}

/// The exit code that says: do not start me again, my configuration is wrong (`EX_CONFIG` of `sysexits.h`).
pub const PERMANENT_FAILURE: u8 = 78;

/// What a gateway needs from its supervisor: facts, not files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// Whose gateway.
    pub profile: Profile,
    /// Absolute path of the `hermes` program.
    pub program: PathBuf,
    /// The home of all profiles.
    pub home: PathBuf,
    /// The directory of its log.
    pub log_dir: PathBuf,
    /// How it is tried again when it fails.
    pub restart: Restart,
    /// From SIGTERM to SIGKILL.
    pub kill_after: Duration,
}

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Goal {
    /// Somebody looks after it.
    Supervised,
    /// Up and ready, in another process than before.
    Ready {
        /// The process that ran when it was asked for; `None` if none did.
        before: Option<Pid>,
        /// The stamp of that look ([`Service::since`]).
        since: Duration,
    },
    /// This process runs no more.
    Gone(Pid),
    /// Down, cleaned up.
    Down,
}

/// What registering changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The service is new; a [`Registrar::rescan`] makes it live.
    New,
    /// It was there; some of its files were brought up to date in place.
    Updated,
    /// It was there, as it should be.
    Unchanged,
}

/// Something in the supervisor's directory that belongs to no profile's service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its name there.
    pub name: String,
    /// Whose lock must be held to touch it, if a legal profile is named.
    pub owner: Option<Profile>,
    /// What it is.
    pub kind: LeftoverKind,
}

/// What a stray is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftoverKind {
    /// A service under construction, or on its way out, that nobody finished.
    Unfinished,
    /// Named like a gateway, but no legal profile could own it.
    IllegalName,
}

/// Everything the supervisor knows of gateways.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Listing {
    /// Profiles with a service, sorted.
    pub profiles: Vec<Profile>,
    /// What should not be there.
    pub leftovers: Vec<Leftover>,
}

/// How an act on a service can fail.
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
        /// The tool's words, one line.
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
        /// Whom, in its own words.
        by: String,
    },
    /// Its operator has forbidden the service by the supervisor's own means.
    #[error("'{service}' is masked by `{}`", path.display())]
    Masked {
        /// What forbids it.
        path: PathBuf,
        /// `hermes-gateway-coder.service`.
        service: String,
    },
    /// The service's state is kept from us: its supervisor is another user's.
    #[error(transparent)]
    Forbidden(HostError),
    /// The service is there, but nobody looks after it.
    #[error("no supervisor listens on '{0}'")]
    NotListening(String),
    /// What was waited for did not come.
    #[error("gateway '{profile}' {unmet_goal} within {} s", waited.as_secs_f32())]
    TimedOut {
        /// Whose gateway.
        profile: Profile,
        /// `was not ready`, `was not down`.
        unmet_goal: &'static str,
        /// How long we waited.
        waited: Duration,
        /// The last look.
        last: Box<Service>,
    },
    /// It was started, and it ended.
    #[error("gateway '{profile}' started and ended: {}", describe_exit(*last))]
    Ended {
        /// Whose gateway.
        profile: Profile,
        /// How it ended.
        last: Status,
        /// Its supervisor will not try again.
        permanent: bool,
    },
    /// The status record makes no sense.
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
    /// `EACCES`: the control FIFO is somebody else's.
    Forbidden,
    /// Nobody reads the control FIFO.
    NotListening,
    /// The user's systemd cannot be reached from this session.
    NoBus,
    /// Only the tool's own words tell.
    Unknown,
}

/// How a process ended, in words.
pub fn describe_exit(status: Status) -> String {
    match status {
        Status::Exited(code) => format!("exit code {code}"),
        Status::Signalled(signal) => format!("signal {}", signal.0),
    }
}

/// When a profile's service comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// With the profile: the supervisor is there for gateways alone.
    WithProfile,
    /// When the operator asks for it: the machine is theirs, and the machine itself starts services after a reboot.
    OnRequest,
}

/// Looks after gateways.
#[expect(async_fn_in_trait, reason = "one thread: no future of ours needs to be Send")]
pub trait Supervisor {
    /// Asks that the gateway run, now and when its supervisor starts anew. Returns when the request is in its hands.
    async fn start(&self, profile: &Profile) -> Result<(), SupervisorError>;

    /// Asks that the gateway not run, now and when its supervisor starts anew.
    async fn stop(&self, profile: &Profile) -> Result<(), SupervisorError>;

    /// Asks that the gateway end if it runs, and run again, in one request.
    async fn restart(&self, profile: &Profile) -> Result<(), SupervisorError>;

    /// What is so.
    async fn status(&self, profile: &Profile) -> Result<Service, SupervisorError>;

    /// Waits until the goal is reached; the error says what was so instead.
    async fn wait(
        &self,
        profile: &Profile,
        goal: Goal,
        timeout: Duration,
    ) -> Result<Service, SupervisorError>;

    /// When a profile's service comes to be here.
    fn registration(&self) -> Registration {
        Registration::WithProfile
    }

    /// What will keep gateways from coming back after a reboot whatever they are told, and what to do about it.
    async fn caveats(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A supervisor that services can be added to and taken from at run time.
#[expect(async_fn_in_trait, reason = "one thread: no future of ours needs to be Send")]
pub trait Registrar: Supervisor {
    /// Makes the service be there, complete, and start by itself or not; a live one is not disturbed.
    async fn publish(
        &self,
        spec: &ServiceSpec,
        at_start: TargetState,
    ) -> Result<Published, SupervisorError>;

    /// Makes new services live and forgets those that are gone, where publishing has not done so.
    async fn rescan(&self) -> Result<(), SupervisorError> {
        Ok(())
    }

    /// Takes a service out with its process, its logger and its supervisor; an absent one is out already.
    async fn unregister(&self, profile: &Profile, timeout: Duration)
    -> Result<(), SupervisorError>;

    /// What is there.
    async fn list(&self) -> Result<Listing, SupervisorError>;

    /// Takes a stray away, with whatever runs in it. Where a service comes by one act, there are none.
    async fn sweep(&self, _stray: &Leftover, _timeout: Duration) -> Result<(), SupervisorError> {
        Ok(())
    }
}
