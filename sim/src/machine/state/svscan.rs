//! s6-svscan as data: how far it is, and the services that its scan found.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// s6-svscan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Svscan {
    pub(in crate::machine) scan_dir: PathBuf,
    pub(in crate::machine) notification: Option<i32>,
    pub(in crate::machine) limit: ServiceLimit,
    pub(in crate::machine) stage: SvscanStage,
    pub(in crate::machine) control: u32,
    pub(in crate::machine) services: Vec<ScannedService>,
    /// When it looks at the directory again by itself.
    pub(in crate::machine) scan_at: Option<Duration>,
    /// A scan was asked for and has not gone through (V23).
    pub(in crate::machine) scan_pending: bool,
    /// Supervisors that are not wanted any more are to be told, after that scan.
    pub(in crate::machine) nuke: Option<Nuke>,
}

/// How many it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::machine) enum ServiceLimit {
    Services(usize),
    Processes(usize),
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::machine) enum SvscanStage {
    Directory,
    Lock,
    Control,
    Ready,
    Lives,
    /// Waits for all supervisors.
    Stops,
    Ends(u8),
    /// It is another program now.
    Gone,
}

/// What loggers of what goes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::machine) enum Nuke {
    /// To read to the end: SIGHUP.
    Orderly,
    /// SIGTERM as well.
    All,
}

/// One directory of the scan directory: itself, not its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::machine) struct ScannedService {
    pub(in crate::machine) identity: (u64, u64),
    pub(in crate::machine) name: OsString,
    /// The last scan found it.
    pub(in crate::machine) active: bool,
    pub(in crate::machine) main: SupervisorProcess,
    pub(in crate::machine) logger: Option<SupervisorProcess>,
    /// From the service to its logger, held for both: read end, write end.
    pub(in crate::machine) pipe: Option<(u32, u32)>,
}

/// The supervisor of one directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(in crate::machine) struct SupervisorProcess {
    /// Its process, while it lives.
    pub(in crate::machine) pid: Option<i32>,
    /// Not before this moment.
    pub(in crate::machine) start_at: Duration,
}

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::machine) enum ServicePart {
    Main,
    Logger,
}

impl ScannedService {
    pub(in crate::machine) fn has(&self, pid: i32) -> bool {
        self.main.pid == Some(pid) || self.logger_pid() == Some(pid)
    }

    pub(in crate::machine) fn logger_pid(&self) -> Option<i32> {
        self.logger.as_ref().and_then(|logger| logger.pid)
    }

    pub(in crate::machine) fn is_dead(&self) -> bool {
        self.main.pid.is_none() && self.logger_pid().is_none()
    }

    pub(in crate::machine) fn part(&mut self, part: ServicePart) -> Option<&mut SupervisorProcess> {
        match part {
            ServicePart::Main => Some(&mut self.main),
            ServicePart::Logger => self.logger.as_mut(),
        }
    }
}

impl Svscan {
    /// Is this child one of its own supervisors, whose end it must hear of?
    pub fn started(&self, pid: i32) -> bool {
        self.services.iter().any(|service| service.has(pid))
    }
}
