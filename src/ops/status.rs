//! The status of a gateway: actual state beside intent, and each drift by name. Changes nothing.

use std::path::PathBuf;
use std::time::Duration;

use super::{OpsError, home, orphan, profiles};
use crate::error::HostError;
use crate::host::effect::{OpenMode, Pid, Status};
use crate::host::{Host, fs, time};
use crate::layout::Layout;
use crate::name::Profile;
use crate::record::file;
use crate::record::intent::{self, InferredIntent, Intent};
use crate::record::json::Reading;
use crate::record::state::{self, StateRecord};
use crate::supervisor::{
    Presence, ProcessState, Registration, Service, Supervisor, SupervisorError, TargetState,
};

/// Everything known about one gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusReport {
    /// The profile.
    pub profile: Profile,
    /// The intent, and the file it comes from.
    pub inferred_intent: InferredIntent,
    /// When it was requested, as recorded.
    pub asked_at: Option<String>,
    /// The service's status.
    pub service: Service,
    /// A gateway that lives outside its slot, or on a machine without slots; with the process it recorded, if it did.
    pub orphan_pid: Option<Option<u32>>,
    /// How long the process state has lasted; `None` if that is unknown.
    pub state_age: Option<Duration>,
    /// The gateway's own state file.
    pub state: StateRecord,
    /// The port of the gateway.
    pub port: u16,
    /// Differences from the intent.
    pub drifts: Vec<Drift>,
    /// Read warnings about the profile's files.
    pub notes: Vec<String>,
}

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Up and ready, as intended.
    Up,
    /// Down, as intended.
    Down,
    /// Not as intended.
    Drift,
}

impl StatusReport {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        let is_up = match self.service.presence {
            Presence::Foreground => self.orphan_pid.is_some(),
            _ => self.inferred_intent.intent == Intent::Running,
        };
        match (self.drifts.is_empty(), is_up) {
            (false, _) => Verdict::Drift,
            (true, true) => Verdict::Up,
            (true, false) => Verdict::Down,
        }
    }
}

/// One way in which a gateway differs from its intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The profile has no slot.
    Unregistered,
    /// It has a slot that is not supervised.
    Unsupervised,
    /// It should run, and its supervisor was told otherwise, not by hermes.
    WantedDown,
    /// It should not run, and its supervisor was told otherwise, not by hermes.
    WantedUp,
    /// It should run; it ended and is about to be started again.
    Down {
        /// How it ended.
        last: Option<Status>,
    },
    /// It should not run, and still does.
    Up {
        /// The process.
        pid: Pid,
    },
    /// It runs and is not ready yet.
    NotReady {
        /// Failures one after the other.
        failures: u32,
        /// Seconds until it tries again.
        retry_in: Option<u64>,
    },
    /// Its configuration is wrong; it is not restarted.
    FailedPermanently,
    /// When its supervisor starts anew, it will do the opposite of the intent.
    AtStart,
    /// It was stopped by a signal (SIGSTOP).
    Paused,
    /// Its output is not read: its logger cannot write, or is stopped.
    LogStuck,
    /// A gateway of the profile lives outside its slot.
    Orphan {
        /// The process it has recorded.
        pid: Option<u32>,
    },
}

impl Drift {
    /// The word in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unregistered => "unregistered",
            Self::Unsupervised => "unsupervised",
            Self::WantedDown => "wanted-down",
            Self::WantedUp => "wanted-up",
            Self::Down { .. } => "down",
            Self::Up { .. } => "up",
            Self::NotReady { .. } => "not-ready",
            Self::FailedPermanently => "failed-permanently",
            Self::AtStart => "at-start",
            Self::Paused => "paused",
            Self::LogStuck => "log-stuck",
            Self::Orphan { .. } => "orphan",
        }
    }
}

/// Reports one gateway.
pub async fn read_report<H: Host, S: Supervisor>(
    host: &H,
    layout: &Layout,
    supervisor: &S,
    profile: &Profile,
) -> Result<StatusReport, OpsError> {
    let service = supervisor.status(profile).await?;
    let no_slot = matches!(service.presence, Presence::Unregistered | Presence::Foreground);
    if no_slot && !home::exists(host, layout, profile).await? {
        return Err(SupervisorError::NotRegistered(profile.clone()).into());
    }
    let record = intent::read(host, &layout.intent(profile)).await;
    let state = state::read(host, &layout.state(profile)).await;
    let inferred = intent::infer(&record, &state, None);
    let mut notes: Vec<String> =
        intent::read_warnings(&record, &state).iter().map(ToString::to_string).collect();
    if inferred.is_unknown {
        notes.push(format!("unknown word {:?} in {}", inferred.value, inferred.source.as_str()));
    }
    let state = match state {
        Reading::Whole(state) => state,
        Reading::Missing | Reading::Unusable(_) => StateRecord::default(),
    };
    let now = time::wall(host).await?;
    let outside = find_orphan(host, layout, profile, &service).await?;
    let mut drifts = drifts(&inferred, &service, &state, now);
    if supervisor.registration() == Registration::OnRequest && inferred.intent == Intent::Stopped {
        // A gateway that shall not run needs no service: none has been requested yet.
        drifts.retain(|drift| *drift != Drift::Unregistered);
    }
    if let (Some(pid), true) = (outside, service.presence != Presence::Foreground) {
        mark!("H48");
        drifts.push(Drift::Orphan { pid });
    }
    if let Some(pid) = service.pid() {
        if log_is_stuck(host, pid).await {
            drifts.push(Drift::LogStuck);
        }
    }
    Ok(StatusReport {
        profile: profile.clone(),
        asked_at: record.whole().and_then(|record| record.at.clone()),
        state_age: (service.since > Duration::ZERO).then(|| now.saturating_sub(service.since)),
        port: profiles::port_of(host, layout, profile).await,
        inferred_intent: inferred,
        service,
        orphan_pid: outside,
        state,
        drifts,
        notes,
    })
}

/// A gateway that lives although its supervisor has no process for it, and the process it has recorded.
async fn find_orphan(
    host: &impl Host,
    layout: &Layout,
    profile: &Profile,
    service: &Service,
) -> Result<Option<Option<u32>>, HostError> {
    if service.pid().is_some() || !orphan::is_gateway_locked(host, layout, profile).await? {
        return Ok(None);
    }
    Ok(Some(orphan::read_holder(host, layout, profile).await.map(|process| process.pid)))
}

/// A busy log's pipe is full now and then; a stuck one's is full for all of this time.
const STUCK_AFTER: Duration = Duration::from_millis(500);

/// Does the pipe that the process writes its output to stay full? A pipe that cannot be inspected is not called stuck.
async fn log_is_stuck(host: &impl Host, pid: Pid) -> bool {
    let path = PathBuf::from(format!("/proc/{}/fd/2", pid.raw()));
    match fs::read_link(host, &path).await {
        Ok(target) if target.to_string_lossy().starts_with("pipe:") => {}
        _ => return false,
    }
    let Ok(pipe) = fs::open(host, &path, OpenMode::Write).await else { return false };
    let taken = file::poll(host, STUCK_AFTER, async || {
        Ok::<_, HostError>(fs::has_room(host, &pipe).await?.then_some(()))
    });
    let taken = taken.await;
    let closed = fs::close(host, pipe).await;
    taken == Ok(None) && closed.is_ok()
}

/// All differences between the actual state and the intent. Pure.
fn drifts(
    inferred: &InferredIntent,
    service: &Service,
    state: &StateRecord,
    now: Duration,
) -> Vec<Drift> {
    match service.presence {
        Presence::Unregistered => return vec![Drift::Unregistered],
        Presence::Unsupervised => return vec![Drift::Unsupervised],
        // There is no supervisor, so no request: any state is as it was left.
        Presence::Foreground => return Vec::new(),
        Presence::Supervised => {}
    }
    let intended = match inferred.intent {
        Intent::Running => TargetState::Up,
        Intent::Stopped => TargetState::Down,
    };
    let mut drifts = Vec::new();
    if service.has_failed_permanently() && intended == TargetState::Up {
        drifts.push(Drift::FailedPermanently);
    } else if service.target_state != intended {
        mark!("H17");
        drifts.push(if intended == TargetState::Up { Drift::WantedDown } else { Drift::WantedUp });
    }
    if service.at_start != intended {
        drifts.push(Drift::AtStart);
    }
    drifts.extend(process_drift(intended, service, state, now).filter(|drift| {
        // A permanent failure says more than down.
        !(matches!(drift, Drift::Down { .. }) && drifts.contains(&Drift::FailedPermanently))
    }));
    if service.paused {
        drifts.push(Drift::Paused);
    }
    drifts
}

fn process_drift(
    intended: TargetState,
    service: &Service,
    state: &StateRecord,
    now: Duration,
) -> Option<Drift> {
    match (intended, service.process_state) {
        (TargetState::Up, ProcessState::Up { ready: true, .. })
        | (TargetState::Down, ProcessState::Down { .. }) => None,
        (TargetState::Up, ProcessState::Up { ready: false, .. }) => Some(Drift::NotReady {
            failures: state.failures,
            retry_in: state.retry_at.and_then(|at| at.checked_sub(now.as_secs())),
        }),
        (TargetState::Up, ProcessState::Down { last }) => Some(Drift::Down { last }),
        (TargetState::Up, ProcessState::Finishing) => Some(Drift::Down { last: None }),
        (TargetState::Down, ProcessState::Up { pid, .. }) => Some(Drift::Up { pid }),
        (TargetState::Down, ProcessState::Finishing) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::intent::Source;
    use rstest::rstest;

    fn inferred(intent: Intent) -> InferredIntent {
        InferredIntent {
            value: intent.as_str().into(),
            intent,
            source: Source::Intent,
            is_unknown: false,
        }
    }

    fn service(
        target_state: TargetState,
        at_start: TargetState,
        process_state: ProcessState,
    ) -> Service {
        let presence = Presence::Supervised;
        Service {
            presence,
            target_state,
            at_start,
            process_state,
            since: Duration::ZERO,
            paused: false,
            is_reported: true,
        }
    }

    const DOWN: ProcessState = ProcessState::Down { last: None };
    const WRONG: ProcessState = ProcessState::Down { last: Some(Status::Exited(78)) };

    fn up(ready: bool) -> ProcessState {
        ProcessState::Up { pid: Pid::new(9).expect("above 1"), ready }
    }

    #[rstest]
    #[case::as_asked_up(Intent::Running, TargetState::Up, TargetState::Up, up(true), &[])]
    #[case::as_asked_down(Intent::Stopped, TargetState::Down, TargetState::Down, DOWN, &[])]
    #[case::raw_s6_svc_d(Intent::Running, TargetState::Down, TargetState::Up, DOWN, &["wanted-down", "down"])]
    #[case::raw_s6_svc_u(Intent::Stopped, TargetState::Up, TargetState::Down, up(true), &["wanted-up", "up"])]
    #[case::starting(Intent::Running, TargetState::Up, TargetState::Up, up(false), &["not-ready"])]
    #[case::bad_config(Intent::Running, TargetState::Down, TargetState::Up, WRONG, &["failed-permanently"])]
    #[case::down_file_left(Intent::Running, TargetState::Up, TargetState::Down, up(true), &["at-start"])]
    #[case::crashed(Intent::Running, TargetState::Up, TargetState::Up, DOWN, &["down"])]
    fn each_drift_is_named(
        #[case] intent: Intent,
        #[case] target_state: TargetState,
        #[case] at_start: TargetState,
        #[case] process_state: ProcessState,
        #[case] expected: &[&str],
    ) {
        let service = service(target_state, at_start, process_state);
        let found = drifts(&inferred(intent), &service, &StateRecord::default(), Duration::ZERO);
        assert_eq!(found.iter().map(Drift::as_str).collect::<Vec<_>>(), expected);
    }
}
