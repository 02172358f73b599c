//! Waiting for a goal where the supervisor is looked at from time to time. s6 has its own wait: its records tell more.

use std::time::Duration;

use crate::host::Host;
use crate::name::Profile;
use crate::record::file;
use crate::supervisor::goal::Watch;
use crate::supervisor::{Fact, Goal, Service, SupervisorError};

/// Looks until the goal is reached, out of reach, or the time is over.
pub(super) async fn until<H: Host>(
    host: &H,
    profile: &Profile,
    goal: Goal,
    timeout: Duration,
    mut look: impl AsyncFnMut() -> Result<Service, SupervisorError>,
) -> Result<Service, SupervisorError> {
    let mut watch = Watch::new(goal);
    let mut last = Service::unregistered();
    let reached = file::poll_carrying(host, timeout, &mut watch, async |watch| {
        last = look().await?;
        let reached = watch.look(profile, &last)?;
        Ok::<_, SupervisorError>(reached.then(|| last.clone()))
    });
    let reached = reached.await?;
    reached.ok_or_else(|| SupervisorError::TimedOut {
        profile: profile.clone(),
        what: watch.missed(),
        waited: timeout,
        last: Box::new(last),
    })
}

/// The same where a failure for good is no older than the start that is waited for: that is its answer.
pub(super) async fn until_or_failed<H: Host>(
    host: &H,
    profile: &Profile,
    goal: Goal,
    timeout: Duration,
    mut look: impl AsyncFnMut() -> Result<Service, SupervisorError>,
) -> Result<Service, SupervisorError> {
    let look = async || {
        let service = look().await?;
        match (goal, service.fact) {
            (Goal::Ready { .. }, Fact::Down { last: Some(last) })
                if service.has_failed_permanently() =>
            {
                let profile = profile.clone();
                Err(SupervisorError::Ended { profile, last, permanent: true })
            }
            _ => Ok(service),
        }
    };
    until(host, profile, goal, timeout, look).await
}
