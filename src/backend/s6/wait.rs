//! Waiting for a slot's state. The status record is looked at again and again: it is replaced before any event is sent,
//! and it can be read where s6's own events cannot be had.

use std::path::Path;
use std::time::Duration;

use super::{S6, status};
use crate::host::Host;
use crate::host::effect::Pid;
use crate::name::Profile;
use crate::record::file;
use crate::supervisor::{Fact, Goal, Presence, Service, SupervisorError, Want};

/// Looks until the goal is reached, out of reach, or the time is over.
pub(super) async fn until<H: Host>(
    s6: &S6<'_, H>,
    profile: &Profile,
    goal: Goal,
    timeout: Duration,
) -> Result<Service, SupervisorError> {
    let dir = s6.dir(profile);
    let mut last = Service::unregistered();
    let mut seen_new = false;
    // Taken apart outside: rustc 1.85 panics over a pattern on what an async closure captures.
    let is_awaited =
        |service: &Service| matches!(goal, Goal::Ready { before, .. } if is_new(service, before));
    let reached = file::poll_carrying(s6.host, timeout, &mut seen_new, async |seen_new| {
        last = status::read(s6, &dir).await?;
        *seen_new |= is_awaited(&last);
        judge(profile, goal, &last, *seen_new).map(|reached| reached.then(|| last.clone()))
    })
    .await?;
    reached.ok_or_else(|| timed_out(profile, goal, timeout, last))
}

fn timed_out(profile: &Profile, goal: Goal, waited: Duration, last: Service) -> SupervisorError {
    SupervisorError::TimedOut {
        profile: profile.clone(),
        what: match goal {
            Goal::Supervised => "was not supervised",
            Goal::Ready { .. } => "was not ready",
            Goal::Gone(_) | Goal::Down => "was not down",
        },
        waited,
        last: Box::new(last),
    }
}

/// The same for the slot of no legal profile: down only.
pub(super) async fn dir_until_down<H: Host>(
    s6: &S6<'_, H>,
    dir: &Path,
    name: &str,
    timeout: Duration,
) -> Result<(), SupervisorError> {
    let down = file::poll(s6.host, timeout, async || {
        let service = status::read(s6, dir).await?;
        Ok::<_, SupervisorError>(matches!(service.fact, Fact::Down { .. }).then_some(()))
    })
    .await?;
    down.ok_or_else(|| SupervisorError::Hung {
        tool: "s6-svc",
        action: "stop",
        service: name.to_owned(),
        waited: timeout,
    })
}

fn is_new(service: &Service, before: Option<Pid>) -> bool {
    service.pid().is_some_and(|pid| Some(pid) != before)
}

/// `Ok(true)`: reached; `Ok(false)`: not yet; `Err`: it started and ended.
fn judge(
    profile: &Profile,
    goal: Goal,
    service: &Service,
    seen_new: bool,
) -> Result<bool, SupervisorError> {
    if service.presence == Presence::Unregistered {
        return Err(SupervisorError::NotRegistered(profile.clone()));
    }
    match (goal, service.fact) {
        // Without a first status record it is only about to be.
        (Goal::Supervised, _) => {
            Ok(service.presence == Presence::Supervised && service.since > Duration::ZERO)
        }
        (Goal::Gone(pid), _) => Ok(service.pid() != Some(pid)),
        // Down and wanted up is a moment between two runs.
        (Goal::Down, Fact::Down { .. }) => {
            Ok(service.want == Want::Down || service.presence != Presence::Supervised)
        }
        (Goal::Down, Fact::Up { .. } | Fact::Finishing) => Ok(false),
        (Goal::Ready { before, .. }, Fact::Up { ready, .. }) => {
            Ok(ready && is_new(service, before))
        }
        (Goal::Ready { .. }, Fact::Finishing) => Ok(false),
        (Goal::Ready { before, since }, Fact::Down { last: Some(last) })
            if service.presence == Presence::Supervised
                && (seen_new || (before.is_none() && service.since != since)) =>
        {
            let permanent = service.has_failed_permanently();
            Err(SupervisorError::Ended { profile: profile.clone(), last, permanent })
        }
        (Goal::Ready { .. }, Fact::Down { .. }) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::effect::Status;
    use rstest::rstest;

    fn service(fact: Fact, since: u64) -> Service {
        Service {
            presence: Presence::Supervised,
            want: Want::Up,
            at_start: Want::Up,
            fact,
            since: Duration::from_secs(since),
            paused: false,
        }
    }

    fn up(pid: i64, ready: bool) -> Fact {
        Fact::Up { pid: Pid::new(pid).expect("above 1"), ready }
    }

    const ENDED: Fact = Fact::Down { last: Some(Status::Exited(1)) };

    #[rstest]
    #[case::between_two_runs(Want::Up, ENDED, false)]
    #[case::told_and_ended(Want::Down, ENDED, true)]
    #[case::told_and_draining(Want::Down, up(9, true), false)]
    fn down_is_down_for_good(#[case] want: Want, #[case] fact: Fact, #[case] expected: bool) {
        let profile = Profile::parse("coder").expect("legal");
        let service = Service { want, ..service(fact, 5) };
        assert_eq!(judge(&profile, Goal::Down, &service, false), Ok(expected));
    }

    #[rstest]
    #[case::ready(None, up(9, true), 6, false, Some(true))]
    #[case::not_ready(None, up(9, false), 6, true, Some(false))]
    #[case::not_started_yet(None, ENDED, 5, false, Some(false))]
    #[case::started_and_ended(None, ENDED, 6, false, None)]
    #[case::the_old_one_is_still_up(Some(8), up(8, true), 5, false, Some(false))]
    #[case::the_old_one_has_ended(Some(8), ENDED, 6, false, Some(false))]
    #[case::the_new_one_has_ended(Some(8), ENDED, 7, true, None)]
    fn readiness_is_that_of_the_new_process(
        #[case] before: Option<i64>,
        #[case] fact: Fact,
        #[case] since: u64,
        #[case] seen_new: bool,
        #[case] expected: Option<bool>,
    ) {
        let profile = Profile::parse("coder").expect("legal");
        let goal = Goal::Ready { before: before.and_then(Pid::new), since: Duration::from_secs(5) };
        assert_eq!(judge(&profile, goal, &service(fact, since), seen_new).ok(), expected);
    }
}
