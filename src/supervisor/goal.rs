//! Has a goal been reached? Pure: for backends whose supervisor is looked at from time to time.

use super::{Fact, Goal, Presence, Service, SupervisorError, Want};
use crate::host::effect::Pid;
use crate::name::Profile;

/// One wait: the goal, and what its looks have shown so far.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Watch {
    goal: Goal,
    /// The process that is waited for has been seen: its end is the answer.
    seen_new: bool,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new(goal: Goal) -> Self {
        Self { goal, seen_new: false }
    }

    /// One look. `Ok(true)`: reached; `Ok(false)`: not yet; `Err`: out of reach.
    pub fn look(&mut self, profile: &Profile, service: &Service) -> Result<bool, SupervisorError> {
        if let Goal::Ready { before, .. } = self.goal {
            self.seen_new |= is_new(service, before);
        }
        if service.presence == Presence::Unregistered {
            return Err(SupervisorError::NotRegistered(profile.clone()));
        }
        match (self.goal, service.fact) {
            (Goal::Supervised, _) => Ok(service.presence == Presence::Supervised),
            (Goal::Gone(pid), _) => Ok(service.pid() != Some(pid)),
            // Down and wanted up is a moment between two runs.
            (Goal::Down, Fact::Down { .. }) => Ok(service.want == Want::Down),
            (Goal::Down, Fact::Up { .. } | Fact::Finishing) => Ok(false),
            (Goal::Ready { before, .. }, Fact::Up { ready, .. }) => {
                Ok(ready && is_new(service, before))
            }
            (Goal::Ready { before, since }, Fact::Down { last: Some(last) })
                if self.seen_new || (before.is_none() && service.since != since) =>
            {
                let permanent = service.has_failed_permanently();
                Err(SupervisorError::Ended { profile: profile.clone(), last, permanent })
            }
            (Goal::Ready { .. }, Fact::Finishing | Fact::Down { .. }) => Ok(false),
        }
    }

    /// What did not come, in words.
    pub fn missed(&self) -> &'static str {
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
    use std::time::Duration;

    fn service(fact: Fact, since: u64) -> Service {
        let (want, since) = (Want::Up, Duration::from_secs(since));
        Service { presence: Presence::Supervised, want, at_start: want, fact, since, paused: false }
    }

    fn up(pid: i64, ready: bool) -> Fact {
        Fact::Up { pid: Pid::new(pid).expect("above 1"), ready }
    }

    const ENDED: Fact = Fact::Down { last: Some(Status::Exited(1)) };
    const NEVER_RAN: Fact = Fact::Down { last: None };

    #[rstest]
    #[case::between_two_runs(Want::Up, ENDED, false)]
    #[case::told_and_ended(Want::Down, ENDED, true)]
    #[case::told_and_draining(Want::Down, up(9, true), false)]
    fn down_is_down_for_good(#[case] want: Want, #[case] fact: Fact, #[case] expected: bool) {
        let profile = Profile::parse("coder").expect("legal");
        let service = Service { want, ..service(fact, 5) };
        assert_eq!(Watch::new(Goal::Down).look(&profile, &service), Ok(expected));
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
        #[case] looks: &[(Fact, u64)],
        #[case] expected: Option<bool>,
    ) {
        let profile = Profile::parse("coder").expect("legal");
        let goal = Goal::Ready { before: before.and_then(Pid::new), since: Duration::from_secs(5) };
        let mut watch = Watch::new(goal);
        let seen = looks.iter().map(|&(fact, since)| watch.look(&profile, &service(fact, since)));
        assert_eq!(seen.last().and_then(Result::ok), expected);
    }
}
