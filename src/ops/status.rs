//! What is so with a gateway, beside what was asked: facts, and each drift by name. Changes nothing.

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

/// All that is known of one gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusReport {
    /// Whose.
    pub profile: Profile,
    /// What was asked, and where that stands.
    pub inferred_intent: InferredIntent,
    /// When it was asked, as noted.
    pub asked_at: Option<String>,
    /// What its supervisor says.
    pub service: Service,
    /// A gateway lives outside its slot, or where there are no slots; with the process it noted, if it did.
    pub orphan_pid: Option<Option<u32>>,
    /// How long the fact has been so; `None` where nobody knows.
    pub state_age: Option<Duration>,
    /// What the gateway itself noted.
    pub state: StateRecord,
    /// The port of the gateway.
    pub port: u16,
    /// Whatever is not as it was asked.
    pub drifts: Vec<Drift>,
    /// What must be said about the profile's files.
    pub notes: Vec<String>,
}

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Up, ready, as asked.
    Up,
    /// Down, as asked.
    Down,
    /// Not as asked.
    Drift,
}

impl StatusReport {
    /// The answer in one word.
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

/// One way in which a gateway is not as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The profile has no slot.
    Unregistered,
    /// It has a slot that nobody looks after.
    Unsupervised,
    /// It should run, and its supervisor was told otherwise behind our back.
    WantedDown,
    /// It should not run, and its supervisor was told otherwise behind our back.
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
    /// Its configuration is wrong; it is not tried again.
    FailedPermanently,
    /// When its supervisor starts anew, it will do the opposite of what was asked.
    AtStart,
    /// It was stopped by a signal and does not move.
    Paused,
    /// Nothing takes what it says: its logger cannot write, or does not move.
    LogStuck,
    /// A gateway of the profile lives outside its slot.
    Orphan {
        /// Who it says it is.
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

/// Looks at one gateway.
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
    let prior = intent::infer(&record, &state, None);
    let mut notes: Vec<String> =
        intent::read_warnings(&record, &state).iter().map(ToString::to_string).collect();
    if prior.is_unknown {
        notes.push(format!("unknown word {:?} in {}", prior.word, prior.source.as_str()));
    }
    let state = match state {
        Reading::Whole(state) => state,
        Reading::Missing | Reading::Unusable(_) => StateRecord::default(),
    };
    let now = time::wall(host).await?;
    let outside = find_orphan(host, layout, profile, &service).await?;
    let mut drifts = drifts(&prior, &service, &state, now);
    if supervisor.registration() == Registration::OnRequest && prior.intent == Intent::Stopped {
        // What shall not run needs no service: nobody has asked for one yet.
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
        inferred_intent: prior,
        service,
        orphan_pid: outside,
        state,
        drifts,
        notes,
    })
}

/// A gateway that lives although its supervisor has no process for it, and who it says it is.
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

/// A busy log's pipe is full now and then; a stuck one's for all of this.
const STUCK_AFTER: Duration = Duration::from_millis(500);

/// Does the pipe that the process speaks into stay full? What cannot be looked at is not called stuck.
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

/// Everything in which the facts differ from what was asked. Pure.
fn drifts(
    prior: &InferredIntent,
    service: &Service,
    state: &StateRecord,
    now: Duration,
) -> Vec<Drift> {
    match service.presence {
        Presence::Unregistered => return vec![Drift::Unregistered],
        Presence::Unsupervised => return vec![Drift::Unsupervised],
        // Nobody was asked to do anything: however it is, it is as it was left.
        Presence::Foreground => return Vec::new(),
        Presence::Supervised => {}
    }
    let asked = match prior.intent {
        Intent::Running => TargetState::Up,
        Intent::Stopped => TargetState::Down,
    };
    let mut drifts = Vec::new();
    if service.has_failed_permanently() && asked == TargetState::Up {
        drifts.push(Drift::FailedPermanently);
    } else if service.target_state != asked {
        mark!("H17");
        drifts.push(if asked == TargetState::Up { Drift::WantedDown } else { Drift::WantedUp });
    }
    if service.at_start != asked {
        drifts.push(Drift::AtStart);
    }
    drifts.extend(process_drift(asked, service, state, now).filter(|drift| {
        // Down for good says more than down.
        !(matches!(drift, Drift::Down { .. }) && drifts.contains(&Drift::FailedPermanently))
    }));
    if service.paused {
        drifts.push(Drift::Paused);
    }
    drifts
}

fn process_drift(
    asked: TargetState,
    service: &Service,
    state: &StateRecord,
    now: Duration,
) -> Option<Drift> {
    match (asked, service.process_state) {
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

    fn prior(intent: Intent) -> InferredIntent {
        InferredIntent {
            word: intent.as_str().into(),
            intent,
            source: Source::Intent,
            is_unknown: false,
        }
    }

    fn service(want: TargetState, at_start: TargetState, fact: ProcessState) -> Service {
        let presence = Presence::Supervised;
        Service {
            presence,
            target_state: want,
            at_start,
            process_state: fact,
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
        #[case] want: TargetState,
        #[case] at_start: TargetState,
        #[case] fact: ProcessState,
        #[case] expected: &[&str],
    ) {
        let service = service(want, at_start, fact);
        let found = drifts(&prior(intent), &service, &StateRecord::default(), Duration::ZERO);
        assert_eq!(found.iter().map(Drift::as_str).collect::<Vec<_>>(), expected);
    }
}
