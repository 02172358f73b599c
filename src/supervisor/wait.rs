//! Waits for a goal, the same way for every backend: the service's status is polled. Differences between supervisors
//! are values in [`Service`].

use std::time::Duration;

use super::{Goal, Presence, ProcessState, Service, SupervisorError, TargetState};
use crate::host::Host;
use crate::host::effect::Pid;
use crate::name::Profile;
use crate::record::file;

/// Polls until the goal is reached, out of reach, or the time is over.
pub async fn until<H: Host>(
    host: &H,
    profile: &Profile,
    goal: Goal,
    timeout: Duration,
    mut poll: impl AsyncFnMut() -> Result<Service, SupervisorError>,
) -> Result<Service, SupervisorError> {
    let mut watch = Watch::new(goal);
    let mut last = Service::unregistered();
    let reached = file::poll_carrying(host, timeout, &mut watch, async |watch| {
        last = poll().await?;
        let reached = watch.judge(profile, &last)?;
        Ok::<_, SupervisorError>(reached.then(|| last.clone()))
    });
    let reached = reached.await?;
    reached.ok_or_else(|| SupervisorError::TimedOut {
        profile: profile.clone(),
        unmet_goal: watch.missed(),
        waited: timeout,
        last: Box::new(last),
    })
}

/// The same for a supervisor that reports no times ([`Service::since`]), and whose permanent failure is never older
/// than the start that is waited for: such a failure is the answer.
pub async fn until_or_failed<H: Host>(
    host: &H,
    profile: &Profile,
    goal: Goal,
    timeout: Duration,
    mut poll: impl AsyncFnMut() -> Result<Service, SupervisorError>,
) -> Result<Service, SupervisorError> {
    let poll = async || {
        let service = poll().await?;
        match (goal, service.process_state) {
            (Goal::Ready { .. }, ProcessState::Down { last: Some(last) })
                if service.has_failed_permanently() =>
            {
                let profile = profile.clone();
                Err(SupervisorError::Ended { profile, last, permanent: true })
            }
            _ => Ok(service),
        }
    };
    until(host, profile, goal, timeout, poll).await
}

/// One wait: the goal, and what its polls have shown so far.
#[derive(Clone, Copy, Debug, Hash)]
struct Watch {
    goal: Goal,
    /// The awaited process has been seen: its end is the answer.
    seen_new: bool,
}

impl Watch {
    /// Nothing seen yet.
    fn new(goal: Goal) -> Self {
        Self { goal, seen_new: false }
    }

    /// Judges one status. `Ok(true)`: reached; `Ok(false)`: not yet; `Err`: out of reach.
    fn judge(&mut self, profile: &Profile, service: &Service) -> Result<bool, SupervisorError> {
        if let Goal::Ready { before, .. } = self.goal {
            self.seen_new |= is_new(service, before);
        }
        if service.presence == Presence::Unregistered {
            return Err(SupervisorError::NotRegistered(profile.clone()));
        }
        match (self.goal, service.process_state) {
            (Goal::Supervised, _) => {
                Ok(service.presence == Presence::Supervised && service.is_reported)
            }
            (Goal::Gone(pid), _) => Ok(service.pid() != Some(pid)),
            // Down with target state up is a moment between two runs.
            (Goal::Down, ProcessState::Down { .. }) => {
                Ok(service.target_state == TargetState::Down)
            }
            (Goal::Down, ProcessState::Up { .. } | ProcessState::Finishing) => Ok(false),
            (Goal::Ready { before, .. }, ProcessState::Up { ready, .. }) => {
                Ok(ready && is_new(service, before))
            }
            (Goal::Ready { before, since }, ProcessState::Down { last: Some(last) })
                if self.seen_new || (before.is_none() && service.since != since) =>
            {
                let permanent = service.has_failed_permanently();
                Err(SupervisorError::Ended { profile: profile.clone(), last, permanent })
            }
            (Goal::Ready { .. }, ProcessState::Finishing | ProcessState::Down { .. }) => Ok(false),
        }
    }

    /// The unreached goal, in words.
    fn missed(&self) -> &'static str {
        match self.goal {
            Goal::Supervised => "was not supervised",
            Goal::Ready { .. } => "was not ready",
            Goal::Gone(_) | Goal::Down => "was not down",
        }
    }
}

fn is_new(service: &Service, before: Option<Pid>) -> bool {
    service.pid().is_some_and(|pid| Some(pid) != before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::effect::Status;
    use rstest::rstest;

    fn service(process_state: ProcessState, since: u64) -> Service {
        let (target_state, since) = (TargetState::Up, Duration::from_secs(since));
        Service {
            presence: Presence::Supervised,
            target_state,
            at_start: target_state,
            process_state,
            since,
            paused: false,
            is_reported: true,
        }
    }

    fn up(pid: i64, ready: bool) -> ProcessState {
        ProcessState::Up { pid: Pid::new(pid).expect("above 1"), ready }
    }

    const ENDED: ProcessState = ProcessState::Down { last: Some(Status::Exited(1)) };
    const NEVER_RAN: ProcessState = ProcessState::Down { last: None };

    #[rstest]
    #[case::between_two_runs(TargetState::Up, ENDED, false)]
    #[case::told_and_ended(TargetState::Down, ENDED, true)]
    #[case::told_and_draining(TargetState::Down, up(9, true), false)]
    fn down_is_down_for_good(
        #[case] target_state: TargetState,
        #[case] process_state: ProcessState,
        #[case] expected: bool,
    ) {
        let profile = Profile::parse("coder").expect("legal");
        let service = Service { target_state, ..service(process_state, 5) };
        assert_eq!(Watch::new(Goal::Down).judge(&profile, &service), Ok(expected));
    }

    #[rstest]
    #[case::reported(Presence::Supervised, true, true)]
    #[case::about_to_be_reported(Presence::Supervised, false, false)]
    #[case::by_nobody(Presence::Unsupervised, true, false)]
    fn a_supervisor_that_has_reported_nothing_yet_is_only_about_to_be(
        #[case] presence: Presence,
        #[case] is_reported: bool,
        #[case] expected: bool,
    ) {
        let profile = Profile::parse("coder").expect("legal");
        let service = Service { presence, is_reported, ..service(NEVER_RAN, 0) };
        assert_eq!(Watch::new(Goal::Supervised).judge(&profile, &service), Ok(expected));
    }

    #[rstest]
    #[case::ready(None, &[(up(9, true), 6)], Some(true))]
    #[case::not_ready(None, &[(up(9, false), 6)], Some(false))]
    #[case::about_to_start(None, &[(NEVER_RAN, 6)], Some(false))]
    #[case::not_started_yet(None, &[(ENDED, 5)], Some(false))]
    #[case::started_and_ended(None, &[(ENDED, 6)], None)]
    #[case::the_old_one_is_still_up(Some(8), &[(up(8, true), 5)], Some(false))]
    #[case::the_old_one_has_ended(Some(8), &[(ENDED, 6)], Some(false))]
    #[case::the_new_one_has_ended(Some(8), &[(up(9, false), 6), (ENDED, 7)], None)]
    fn readiness_is_that_of_the_new_process(
        #[case] before: Option<i64>,
        #[case] statuses: &[(ProcessState, u64)],
        #[case] expected: Option<bool>,
    ) {
        let profile = Profile::parse("coder").expect("legal");
        let goal = Goal::Ready { before: before.and_then(Pid::new), since: Duration::from_secs(5) };
        let mut watch = Watch::new(goal);
        let judged = statuses
            .iter()
            .map(|&(process_state, since)| watch.judge(&profile, &service(process_state, since)));
        assert_eq!(judged.last().and_then(Result::ok), expected);
    }
}
