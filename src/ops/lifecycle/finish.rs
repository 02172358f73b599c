//! The second half of a verb: waits for the outcome and releases the profile's lock.

use std::time::Duration;

use super::{LifecycleOutcome, Pending, Verb};
use crate::host::Host;
use crate::host::effect::Status;
use crate::name::Profile;
use crate::ops::{OpsContext, OpsError, Patience, orphan, planned_stop};
use crate::record::intent::{self, Intent};
use crate::record::json::Reading;
use crate::record::{config, lock};
use crate::supervisor::{Goal, ProcessState, Registrar, Service, SupervisorError, TargetState};

/// The second half: waits, reports the actual outcome, releases the lock. `spent` of the time limit is over already.
pub async fn finish<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    mut pending: Pending,
    patience: Patience,
    spent: Duration,
) -> Result<(LifecycleOutcome, Vec<String>), OpsError> {
    let settled = settle(context, &mut pending, patience, spent).await;
    let Pending { profile, verb, lock, begun } = pending;
    let released = lock::release(context.host, lock).await;
    let settled = settled?;
    released?;
    let done = match settled {
        Settled::Done(done) => done,
        Settled::Awaited(goal) => {
            let timeout = patience.timeout(Duration::ZERO).unwrap_or_default();
            let timeout = timeout.saturating_sub(spent);
            let service = await_readiness(context, &profile, goal, timeout).await?;
            ran(verb, &begun.before, &service)
        }
    };
    Ok((done, begun.notes))
}

/// The state of a verb that does not need the profile's lock any more.
enum Settled {
    Done(LifecycleOutcome),
    /// The old process is gone or never was; this goal is still to be waited for.
    Awaited(Goal),
}

/// The wait under the lock: until the old process is gone.
async fn settle<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    pending: &mut Pending,
    patience: Patience,
    spent: Duration,
) -> Result<Settled, OpsError> {
    let Pending { profile, verb, begun, .. } = pending;
    let (before, target) = (&begun.before, begun.target.as_ref());
    let timeout = match patience.timeout(begun.kill_after) {
        Some(timeout) if !planted!(NothingAwaited) => timeout.saturating_sub(spent),
        _ => {
            if *verb == Verb::Stop {
                orphan::signal_holder(context, profile, target).await?;
            }
            return Ok(Settled::Done(LifecycleOutcome::Requested));
        }
    };
    let goal = match (*verb, before.pid()) {
        (Verb::Stop, _) => Goal::Down,
        (Verb::Restart, Some(pid)) => Goal::Gone(pid),
        (Verb::Start, _) | (Verb::Restart, None) => {
            return Ok(Settled::Awaited(readiness(before)));
        }
    };
    let gone = context.supervisor.wait(profile, goal, timeout).await;
    planned_stop::withdraw(context, profile, target, &mut begun.notes).await;
    let gone = gone?;
    if *verb == Verb::Restart {
        return Ok(Settled::Awaited(readiness_after(before, &gone)));
    }
    let lived = orphan::is_gateway_locked(context.host, context.layout, profile).await?;
    orphan::end(context, profile, begun.kill_after).await?;
    let was_down = matches!(before.process_state, ProcessState::Down { .. });
    let done = if was_down && !lived {
        LifecycleOutcome::AlreadyStopped
    } else {
        LifecycleOutcome::Stopped
    };
    Ok(Settled::Done(done))
}

/// What a start waits for. A process that was told to end does not count, even if it still looks ready.
fn readiness(before: &Service) -> Goal {
    let leaving = before.pid().filter(|_| before.target_state == TargetState::Down);
    Goal::Ready { before: leaving, since: before.since }
}

/// What a restart waits for. Once it was seen down, the time stamp of the old process's end is the reference: a later
/// end belongs to the new process.
fn readiness_after(before: &Service, gone: &Service) -> Goal {
    match gone.process_state {
        ProcessState::Down { .. } => Goal::Ready { before: None, since: gone.since },
        ProcessState::Up { .. } | ProcessState::Finishing => {
            Goal::Ready { before: before.pid(), since: before.since }
        }
    }
}

async fn await_readiness<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    goal: Goal,
    timeout: Duration,
) -> Result<Service, OpsError> {
    match context.supervisor.wait(profile, goal, timeout).await {
        Ok(service) => Ok(service),
        Err(SupervisorError::Ended { permanent: true, last, .. }) => {
            Err(misconfigured(context, profile, last).await)
        }
        Err(error) => Err(overtaken(context, profile).await.unwrap_or(error.into())),
    }
}

fn ran(verb: Verb, before: &Service, service: &Service) -> LifecycleOutcome {
    let pid = service.pid().expect("the goal was a process that runs");
    match (verb, before.pid()) {
        (Verb::Restart, Some(_)) => LifecycleOutcome::Restarted(pid),
        (Verb::Start, Some(old))
            if old == pid
                && matches!(before.process_state, ProcessState::Up { ready: true, .. }) =>
        {
            LifecycleOutcome::AlreadyRunning(pid)
        }
        _ => LifecycleOutcome::Started(pid),
    }
}

/// The error for a permanent failure names the mistake in the configuration, if we can find it.
async fn misconfigured<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    last: Status,
) -> OpsError {
    mark!("H12");
    let profile = profile.clone();
    match config::read(context.host, &context.layout.config(&profile)).await {
        Err(error) => OpsError::Misconfigured { profile, error },
        Ok(_) => SupervisorError::Ended { profile, last, permanent: true }.into(),
    }
}

/// If a wait fails because another command changed the intent meanwhile, the error says so.
async fn overtaken<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Option<OpsError> {
    match intent::read(context.host, &context.layout.intent(profile)).await {
        Reading::Whole(record) if record.intent != Some(Intent::Running) => {
            Some(OpsError::Overtaken { profile: profile.clone(), word_in_force: record.value })
        }
        _ => None,
    }
}
