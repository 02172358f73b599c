//! What is so with a gateway, beside what was asked: facts, and each drift by name. Changes nothing.

use std::path::PathBuf;
use std::time::Duration;

use super::{OpsError, home, orphan, profiles};
use crate::error::HostError;
use crate::host::effect::{How, Pid, Status};
use crate::host::{Host, fs, time};
use crate::layout::Layout;
use crate::name::Profile;
use crate::record::file;
use crate::record::intent::{self, Intent, Prior};
use crate::record::json::Reading;
use crate::record::state::{self, State};
use crate::supervisor::{Fact, Presence, Registration, Service, Supervisor, SupervisorError, Want};

/// All that is known of one gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Whose.
    pub profile: Profile,
    /// What was asked, and where that stands.
    pub prior: Prior,
    /// When it was asked, as noted.
    pub asked_at: Option<String>,
    /// What its supervisor says.
    pub service: Service,
    /// A gateway lives outside its slot, or where there are no slots; with the process it noted, if it did.
    pub outside: Option<Option<u32>>,
    /// How long the fact has been so; `None` where nobody knows.
    pub for_: Option<Duration>,
    /// What the gateway itself noted.
    pub state: State,
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

impl Report {
    /// The answer in one word.
    pub fn verdict(&self) -> Verdict {
        let is_up = match self.service.presence {
            Presence::Foreground => self.outside.is_some(),
            _ => self.prior.intent == Intent::Running,
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
    pub fn word(&self) -> &'static str {
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
pub async fn report<H: Host, S: Supervisor>(
    host: &H,
    layout: &Layout,
    supervisor: &S,
    profile: &Profile,
) -> Result<Report, OpsError> {
    let service = supervisor.status(profile).await?;
    let no_slot = matches!(service.presence, Presence::Unregistered | Presence::Foreground);
    if no_slot && !home::exists(host, layout, profile).await? {
        return Err(SupervisorError::NotRegistered(profile.clone()).into());
    }
    let record = intent::read(host, &layout.intent(profile)).await;
    let state = state::read(host, &layout.state(profile)).await;
    let prior = intent::at_boot(&record, &state, None);
    let mut notes: Vec<String> =
        intent::oddities(&record, &state).iter().map(ToString::to_string).collect();
    if prior.unknown {
        notes.push(format!("unknown word {:?} in {}", prior.word, prior.source.word()));
    }
    let state = match state {
        Reading::Whole(state) => state,
        Reading::Missing | Reading::Odd(_) => State::default(),
    };
    let now = time::wall(host).await?;
    let outside = outside(host, layout, profile, &service).await?;
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
    Ok(Report {
        profile: profile.clone(),
        asked_at: record.whole().and_then(|record| record.at.clone()),
        for_: (service.since > Duration::ZERO).then(|| now.saturating_sub(service.since)),
        port: profiles::port_of(host, layout, profile).await,
        prior,
        service,
        outside,
        state,
        drifts,
        notes,
    })
}

/// A gateway that lives although its supervisor has no process for it, and who it says it is.
async fn outside(
    host: &impl Host,
    layout: &Layout,
    profile: &Profile,
    service: &Service,
) -> Result<Option<Option<u32>>, HostError> {
    if service.pid().is_some() || !orphan::is_held(host, layout, profile).await? {
        return Ok(None);
    }
    Ok(Some(orphan::noted(host, layout, profile).await.map(|process| process.pid)))
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
    let Ok(pipe) = fs::open(host, &path, How::Write).await else { return false };
    let taken = file::poll(host, STUCK_AFTER, async || {
        Ok::<_, HostError>(fs::has_room(host, &pipe).await?.then_some(()))
    });
    let taken = taken.await;
    let closed = fs::close(host, pipe).await;
    taken == Ok(None) && closed.is_ok()
}

/// Everything in which the facts differ from what was asked. Pure.
fn drifts(prior: &Prior, service: &Service, state: &State, now: Duration) -> Vec<Drift> {
    match service.presence {
        Presence::Unregistered => return vec![Drift::Unregistered],
        Presence::Unsupervised => return vec![Drift::Unsupervised],
        // Nobody was asked to do anything: however it is, it is as it was left.
        Presence::Foreground => return Vec::new(),
        Presence::Supervised => {}
    }
    let asked = match prior.intent {
        Intent::Running => Want::Up,
        Intent::Stopped => Want::Down,
    };
    let mut drifts = Vec::new();
    if service.has_failed_permanently() && asked == Want::Up {
        drifts.push(Drift::FailedPermanently);
    } else if service.want != asked {
        mark!("H17");
        drifts.push(if asked == Want::Up { Drift::WantedDown } else { Drift::WantedUp });
    }
    if service.at_start != asked {
        drifts.push(Drift::AtStart);
    }
    drifts.extend(fact_drift(asked, service, state, now).filter(|drift| {
        // Down for good says more than down.
        !(matches!(drift, Drift::Down { .. }) && drifts.contains(&Drift::FailedPermanently))
    }));
    if service.paused {
        drifts.push(Drift::Paused);
    }
    drifts
}

fn fact_drift(asked: Want, service: &Service, state: &State, now: Duration) -> Option<Drift> {
    match (asked, service.fact) {
        (Want::Up, Fact::Up { ready: true, .. }) | (Want::Down, Fact::Down { .. }) => None,
        (Want::Up, Fact::Up { ready: false, .. }) => Some(Drift::NotReady {
            failures: state.failures,
            retry_in: state.retry_at.and_then(|at| at.checked_sub(now.as_secs())),
        }),
        (Want::Up, Fact::Down { last }) => Some(Drift::Down { last }),
        (Want::Up, Fact::Finishing) => Some(Drift::Down { last: None }),
        (Want::Down, Fact::Up { pid, .. }) => Some(Drift::Up { pid }),
        (Want::Down, Fact::Finishing) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::intent::Source;
    use rstest::rstest;

    fn prior(intent: Intent) -> Prior {
        Prior { word: intent.word().into(), intent, source: Source::Intent, unknown: false }
    }

    fn service(want: Want, at_start: Want, fact: Fact) -> Service {
        let presence = Presence::Supervised;
        Service {
            presence,
            want,
            at_start,
            fact,
            since: Duration::ZERO,
            paused: false,
            is_reported: true,
        }
    }

    const DOWN: Fact = Fact::Down { last: None };
    const WRONG: Fact = Fact::Down { last: Some(Status::Exited(78)) };

    fn up(ready: bool) -> Fact {
        Fact::Up { pid: Pid::new(9).expect("above 1"), ready }
    }

    #[rstest]
    #[case::as_asked_up(Intent::Running, Want::Up, Want::Up, up(true), &[])]
    #[case::as_asked_down(Intent::Stopped, Want::Down, Want::Down, DOWN, &[])]
    #[case::raw_s6_svc_d(Intent::Running, Want::Down, Want::Up, DOWN, &["wanted-down", "down"])]
    #[case::raw_s6_svc_u(Intent::Stopped, Want::Up, Want::Down, up(true), &["wanted-up", "up"])]
    #[case::starting(Intent::Running, Want::Up, Want::Up, up(false), &["not-ready"])]
    #[case::bad_config(Intent::Running, Want::Down, Want::Up, WRONG, &["failed-permanently"])]
    #[case::down_file_left(Intent::Running, Want::Up, Want::Down, up(true), &["at-start"])]
    #[case::crashed(Intent::Running, Want::Up, Want::Up, DOWN, &["down"])]
    fn each_drift_is_named(
        #[case] intent: Intent,
        #[case] want: Want,
        #[case] at_start: Want,
        #[case] fact: Fact,
        #[case] expected: &[&str],
    ) {
        let service = service(want, at_start, fact);
        let found = drifts(&prior(intent), &service, &State::default(), Duration::ZERO);
        assert_eq!(found.iter().map(Drift::word).collect::<Vec<_>>(), expected);
    }
}
