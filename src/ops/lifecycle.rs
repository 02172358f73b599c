//! Start, stop and restart of one gateway, or of all.
//!
//! ```text
//!   begin:   lock → look → intent (durable) → marker → tell the supervisor
//!   finish:  wait → withdraw what is left of the marker → unlock → wait for readiness
//! ```
//!
//! In two halves, so that `--all` tells everybody before it waits for anybody. The intent stands even where the act
//! fails: it is what the operator said, and the next boot follows it.

mod all;

use std::time::Duration;

pub use all::{Share, run_all};

use super::{Context, OpsError, Patience, home, orphan, planned_stop, timestamp};
use crate::error::HostError;
use crate::host::Host;
use crate::host::effect::{Pid, Status};
use crate::name::{Profile, Slot};
use crate::record::identity;
use crate::record::intent::{self, Intent};
use crate::record::json::Reading;
use crate::record::lock::{self, Held};
use crate::record::marker::Plan;
use crate::record::{config, file};
use crate::supervisor::{
    Fact, Goal, Presence, Published, Registrar, Registration, Service, ServiceSpec,
    SupervisorError, Want,
};

/// What an operator asks of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Run, now and after every boot.
    Start,
    /// Do not run until asked.
    Stop,
    /// End if it runs, then run.
    Restart,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It runs now.
    Started(Pid),
    /// It ran already.
    AlreadyRunning(Pid),
    /// It runs, in a new process.
    Restarted(Pid),
    /// It runs no more.
    Stopped,
    /// It did not run.
    AlreadyStopped,
    /// The supervisor was told; nobody waited.
    Requested,
}

/// A verb that has been carried to the supervisor and not yet to its end.
#[derive(Debug)]
pub struct Pending {
    profile: Profile,
    verb: Verb,
    lock: Held,
    before: Service,
    target: Option<identity::Process>,
    kill_after: Duration,
    /// A step that could not be taken and does not keep the verb from its end.
    notes: Vec<String>,
}

/// One gateway's verb, from beginning to end.
pub async fn run<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    verb: Verb,
    patience: Patience,
) -> Result<(Done, Vec<String>), OpsError> {
    let pending = begin(context, profile, verb, patience).await?;
    finish(context, pending, patience, Duration::ZERO).await
}

/// The first half: the operator's word is durable and the supervisor knows it.
pub async fn begin<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    verb: Verb,
    patience: Patience,
) -> Result<Pending, OpsError> {
    must_exist(context, profile, verb).await?;
    let lock = lock::acquire(context.host, context.layout, profile, patience.for_lock()).await?;
    match begin_locked(context, profile, verb).await {
        Ok((before, target, kill_after, notes)) => {
            let profile = profile.clone();
            Ok(Pending { profile, verb, lock, before, target, kill_after, notes })
        }
        Err(error) => {
            // The verb's own failure is what the operator must hear; death gives the lock back in any case.
            let _ = match home::exists(context.host, context.layout, profile).await {
                // It was deleted while we waited, and the lock's file with it: this one is ours.
                Ok(false) => lock::retire(context.host, lock).await,
                _ => lock::release(context.host, lock).await,
            };
            Err(error)
        }
    }
}

type Begun = (Service, Option<identity::Process>, Duration, Vec<String>);

async fn begin_locked<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    verb: Verb,
) -> Result<Begun, OpsError> {
    let mut notes = Vec::new();
    let is_asked_first = context.supervisor.registration() == Registration::OnRequest;
    if verb != Verb::Stop && is_asked_first && !planted!(EnabledAfterTheWord) {
        enable(context, profile, &mut notes).await?;
    }
    // Looked at again: it may have been deleted while we waited for the lock.
    if must_exist(context, profile, verb).await? && !planted!(IntentAfterTheAct) {
        store_intent(context, profile, verb).await?;
    }
    let (spec, _, _) = home::spec(context.host, context.layout, profile, context.program).await;
    let before = look(context, &spec, verb).await?;
    let target = tell(context, profile, verb, &before, &mut notes).await?;
    if planted!(IntentAfterTheAct) {
        store_intent(context, profile, verb).await?;
    }
    Ok((before, target, spec.kill_after, notes))
}

/// Where the machine itself starts services after a reboot, it must know of this one before the word is durable: a power
/// cut in between must not keep down what shall run. The word is asked again before the gateway starts.
async fn enable<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    notes: &mut Vec<String>,
) -> Result<(), OpsError> {
    if !home::exists(context.host, context.layout, profile).await? {
        return Ok(());
    }
    let (spec, _, _) = home::spec(context.host, context.layout, profile, context.program).await;
    if context.supervisor.publish(&spec, Want::Up).await? == Published::New {
        notes.extend(context.supervisor.caveats().await);
    }
    Ok(())
}

/// What is so before the act. A profile without a slot (copied in, half made) gets one. The slot says the new word before
/// anything is waited for, so that a supervisor that comes late follows it, too.
async fn look<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    spec: &ServiceSpec,
    verb: Verb,
) -> Result<Service, SupervisorError> {
    let supervisor = context.supervisor;
    let before = supervisor.status(&spec.profile).await?;
    let at_start = if verb == Verb::Stop { Want::Down } else { Want::Up };
    match before.presence {
        Presence::Foreground => return Ok(before),
        // Nothing in a slot but its `down` file matters to a stop, and that one is the stop's own.
        Presence::Supervised if verb == Verb::Stop => return Ok(before),
        Presence::Supervised => {
            supervisor.publish(spec, at_start).await?;
            return Ok(before);
        }
        Presence::Unsupervised | Presence::Unregistered => {
            mark!("R12");
            supervisor.publish(spec, at_start).await?;
        }
    }
    match show(supervisor, &spec.profile).await {
        Err(error) if before.presence == Presence::Unregistered => {
            // What the operator must hear is why nobody looks after it; a slot that stays goes at the next boot.
            let _ = supervisor.unregister(&spec.profile, LISTEN_TIMEOUT).await;
            Err(error)
        }
        other => other,
    }
}

/// Has the supervisor look for new slots, and gives it a moment to look after this one.
pub(super) async fn show<S: Registrar>(
    supervisor: &S,
    profile: &Profile,
) -> Result<Service, SupervisorError> {
    supervisor.rescan().await?;
    match supervisor.wait(profile, Goal::Supervised, LISTEN_TIMEOUT).await {
        Err(SupervisorError::TimedOut { .. }) => {
            Err(SupervisorError::NotListening(Slot::of(profile).to_string()))
        }
        other => other,
    }
}

/// A slot that was just shown is looked after within this.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Is it a real profile? A slot that outlived its profile can still be stopped, without a word to keep.
async fn must_exist<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    verb: Verb,
) -> Result<bool, OpsError> {
    if home::exists(context.host, context.layout, profile).await? {
        return Ok(true);
    }
    let presence = context.supervisor.status(profile).await?.presence;
    if verb == Verb::Stop && matches!(presence, Presence::Supervised | Presence::Unsupervised) {
        return Ok(false);
    }
    mark!("R3");
    Err(SupervisorError::NotRegistered(profile.clone()).into())
}

/// Makes the verb's word the intent in force. The profile's lock is the caller's.
pub(super) async fn store_intent<H: Host, S>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    verb: Verb,
) -> Result<(), HostError> {
    let word = match verb {
        Verb::Start | Verb::Restart => Intent::Running,
        Verb::Stop => Intent::Stopped,
    };
    let at = timestamp(context.host).await?;
    let path = context.layout.intent(profile);
    intent::store(context.host, &path, word, context.operator, &at).await?;
    // The word is as durable as the profile's own name: whoever made that may have been killed before it was.
    match profile.is_default() {
        true => Ok(()),
        false => file::sync_dir(context.host, &context.layout.profiles()).await,
    }
}

async fn tell<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    verb: Verb,
    before: &Service,
    notes: &mut Vec<String>,
) -> Result<Option<identity::Process>, OpsError> {
    match verb {
        Verb::Start => {
            planned_stop::take_back(context, profile, before, notes).await?;
            context.supervisor.start(profile).await?;
            Ok(None)
        }
        Verb::Stop => {
            let stop = context.supervisor.stop(profile);
            planned_stop::tell(context, profile, Plan::Stop, before, notes, stop).await
        }
        Verb::Restart if planted!(RestartLeavesDown) && before.pid().is_none() => Ok(None),
        Verb::Restart => {
            let restart = context.supervisor.restart(profile);
            planned_stop::tell(context, profile, Plan::Restart, before, notes, restart).await
        }
    }
}

/// The second half: waits, tells the truth, gives the lock back. `spent` of the time to wait is over already.
pub async fn finish<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    mut pending: Pending,
    patience: Patience,
    spent: Duration,
) -> Result<(Done, Vec<String>), OpsError> {
    let settled = settle(context, &mut pending, patience, spent).await;
    let Pending { profile, lock, before, notes, .. } = pending;
    let released = lock::release(context.host, lock).await;
    let settled = settled?;
    released?;
    let done = match settled {
        Settled::Done(done) => done,
        Settled::Awaited(goal) => {
            let timeout = patience.timeout(Duration::ZERO).unwrap_or_default();
            let timeout = timeout.saturating_sub(spent);
            let service = await_readiness(context, &profile, goal, timeout).await?;
            ran(pending.verb, &before, &service)
        }
    };
    Ok((done, notes))
}

/// Where a verb stands once nothing needs the profile's lock any more.
enum Settled {
    Done(Done),
    /// The old process is gone or never was; this is still to come.
    Awaited(Goal),
}

/// What must be waited for under the lock: that the old process is gone.
async fn settle<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    pending: &mut Pending,
    patience: Patience,
    spent: Duration,
) -> Result<Settled, OpsError> {
    let timeout = match patience.timeout(pending.kill_after) {
        Some(timeout) if !planted!(NothingAwaited) => timeout.saturating_sub(spent),
        _ => {
            if pending.verb == Verb::Stop {
                orphan::tell(context, &pending.profile, pending.target.as_ref()).await?;
            }
            return Ok(Settled::Done(Done::Requested));
        }
    };
    let (profile, before) = (&pending.profile, &pending.before);
    let goal = match (pending.verb, before.pid()) {
        (Verb::Stop, _) => Goal::Down,
        (Verb::Restart, Some(pid)) => Goal::Gone(pid),
        (Verb::Start, _) | (Verb::Restart, None) => {
            return Ok(Settled::Awaited(readiness(before)));
        }
    };
    let gone = context.supervisor.wait(profile, goal, timeout).await;
    planned_stop::withdraw(context, profile, pending.target.as_ref(), &mut pending.notes).await;
    let gone = gone?;
    if pending.verb == Verb::Restart {
        return Ok(Settled::Awaited(readiness_after(before, &gone)));
    }
    let lived = orphan::is_held(context.host, context.layout, profile).await?;
    orphan::end(context, profile, pending.kill_after).await?;
    let was_down = matches!(before.fact, Fact::Down { .. });
    let done = if was_down && !lived { Done::AlreadyStopped } else { Done::Stopped };
    Ok(Settled::Done(done))
}

/// What a start waits for. A process that was told to go does not count, however ready it still looks.
fn readiness(before: &Service) -> Goal {
    let leaving = before.pid().filter(|_| before.want == Want::Down);
    Goal::Ready { before: leaving, since: before.since }
}

/// What a restart waits for. Seen down, the old process' end is the mark: any later end is the new one's.
fn readiness_after(before: &Service, gone: &Service) -> Goal {
    match gone.fact {
        Fact::Down { .. } => Goal::Ready { before: None, since: gone.since },
        Fact::Up { .. } | Fact::Finishing => {
            Goal::Ready { before: before.pid(), since: before.since }
        }
    }
}

async fn await_readiness<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
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

fn ran(verb: Verb, before: &Service, service: &Service) -> Done {
    let pid = service.pid().expect("the goal was a process that runs");
    match (verb, before.pid()) {
        (Verb::Restart, Some(_)) => Done::Restarted(pid),
        (Verb::Start, Some(old))
            if old == pid && matches!(before.fact, Fact::Up { ready: true, .. }) =>
        {
            Done::AlreadyRunning(pid)
        }
        _ => Done::Started(pid),
    }
}

/// What ends for good says what is wrong with its configuration, if that can be seen from here.
async fn misconfigured<H: Host, S>(
    context: &Context<'_, H, S>,
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

/// A wait that fails because somebody else said otherwise meanwhile says so.
async fn overtaken<H: Host, S>(context: &Context<'_, H, S>, profile: &Profile) -> Option<OpsError> {
    match intent::read(context.host, &context.layout.intent(profile)).await {
        Reading::Whole(record) if record.intent != Some(Intent::Running) => {
            Some(OpsError::Overtaken { profile: profile.clone(), now: record.word })
        }
        _ => None,
    }
}
