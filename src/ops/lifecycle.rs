//! Start, stop and restart of one gateway, or of all.
//!
//! ```text
//!   begin:   lock → intent (durable) → look → slot → marker → tell the supervisor
//!   finish:  wait → withdraw what is left of the marker → unlock → wait for readiness
//! ```
//!
//! In two halves, so that `--all` tells everybody before it waits for anybody. The intent stands even where the act
//! fails: it is what the operator said, and the next boot follows it.

mod all;
mod finish;

use std::time::Duration;

pub use all::{ProfileResult, run_all};
pub use finish::finish;

use super::{OpsContext, OpsError, Patience, home, planned_stop, timestamp};
use crate::error::HostError;
use crate::host::Host;
use crate::host::effect::Pid;
use crate::name::{Profile, Slot};
use crate::record::file;
use crate::record::identity;
use crate::record::intent::{self, Intent};
use crate::record::lock::{self, ProfileLock};
use crate::record::marker::StopPlan;
use crate::supervisor::{
    Goal, Presence, Published, Registrar, Registration, Service, ServiceSpec, SupervisorError,
    TargetState,
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
pub enum LifecycleOutcome {
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
    lock: ProfileLock,
    begun: Begun,
}

/// One gateway's verb, from beginning to end.
pub async fn run<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    verb: Verb,
    patience: Patience,
) -> Result<(LifecycleOutcome, Vec<String>), OpsError> {
    let pending = begin(context, profile, verb, patience).await?;
    finish(context, pending, patience, Duration::ZERO).await
}

/// The first half: the operator's word is durable and the supervisor knows it.
pub async fn begin<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    verb: Verb,
    patience: Patience,
) -> Result<Pending, OpsError> {
    must_exist(context, profile, verb).await?;
    let lock = lock::acquire(context.host, context.layout, profile, patience.for_lock()).await?;
    match begin_locked(context, profile, verb).await {
        Ok(begun) => Ok(Pending { profile: profile.clone(), verb, lock, begun }),
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

/// What the first half found, and what the second must know of it.
#[derive(Debug)]
struct Begun {
    /// The service as it was before the supervisor was told.
    before: Service,
    /// The process that was marked: its end is planned.
    target: Option<identity::Process>,
    kill_after: Duration,
    /// A step that could not be taken and does not keep the verb from its end.
    notes: Vec<String>,
}

async fn begin_locked<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    verb: Verb,
) -> Result<Begun, OpsError> {
    let mut notes = Vec::new();
    enable(context, profile, verb, &mut notes).await?;
    // Looked at again: it may have been deleted while we waited for the lock.
    let exists = must_exist(context, profile, verb).await?;
    let acts_first = planted!(IntentAfterRequest);
    if exists && !acts_first {
        store_intent(context, profile, verb).await?;
    }
    let spec = home::spec_or_defaults(context, profile).await;
    let found = context.supervisor.status(profile).await?;
    let before = ensure_published(context, &spec, verb, found).await?;
    let target = match verb {
        Verb::Start => {
            planned_stop::withdraw_stale(context, profile, &before, &mut notes).await?;
            None
        }
        Verb::Stop => {
            planned_stop::mark(context, profile, StopPlan::Stop, &before, &mut notes).await?
        }
        Verb::Restart => {
            planned_stop::mark(context, profile, StopPlan::Restart, &before, &mut notes).await?
        }
    };
    if let Err(error) = tell(context, profile, verb, &before).await {
        planned_stop::cancel(context, profile, target.as_ref(), &mut notes).await;
        return Err(error.into());
    }
    if acts_first {
        store_intent(context, profile, verb).await?;
    }
    Ok(Begun { before, target, kill_after: spec.kill_after, notes })
}

/// Where the machine itself starts services after a reboot, it must know of this one before the word is durable: a power
/// cut in between must not keep down what shall run. The word is asked again before the gateway starts.
async fn enable<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    verb: Verb,
    notes: &mut Vec<String>,
) -> Result<(), OpsError> {
    let is_asked_first = context.supervisor.registration() == Registration::OnRequest;
    if verb == Verb::Stop || !is_asked_first || planted!(EnabledAfterIntent) {
        return Ok(());
    }
    if !home::exists(context.host, context.layout, profile).await? {
        return Ok(());
    }
    let spec = home::spec_or_defaults(context, profile).await;
    let published = context.supervisor.publish(&spec, TargetState::Up).await?;
    if published == Published::New {
        notes.extend(context.supervisor.caveats().await);
    }
    Ok(())
}

/// A profile without a slot (copied in, half made) gets one, and a supervisor for it. The slot says the new word before
/// anything is waited for, so that a supervisor that comes late follows it, too. Returns the service as it is then.
async fn ensure_published<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    spec: &ServiceSpec,
    verb: Verb,
    found: Service,
) -> Result<Service, SupervisorError> {
    let supervisor = context.supervisor;
    let at_start = if verb == Verb::Stop { TargetState::Down } else { TargetState::Up };
    match found.presence {
        Presence::Foreground => Ok(found),
        // Nothing in a slot but its `down` file matters to a stop, and that one is the stop's own.
        Presence::Supervised if verb == Verb::Stop => Ok(found),
        Presence::Supervised => {
            supervisor.publish(spec, at_start).await?;
            Ok(found)
        }
        Presence::Unsupervised | Presence::Unregistered => {
            mark!("R12");
            supervisor.publish(spec, at_start).await?;
            let live = make_live(supervisor, &spec.profile).await;
            if live.is_err() && found.presence == Presence::Unregistered {
                // What the operator must hear is why nobody looks after it; a slot that stays goes at the next boot.
                let _ = supervisor.unregister(&spec.profile, LISTEN_TIMEOUT).await;
            }
            live
        }
    }
}

/// Has the supervisor look for new slots, and gives it a moment to look after this one.
pub(super) async fn make_live<S: Registrar>(
    supervisor: &S,
    profile: &Profile,
) -> Result<Service, SupervisorError> {
    supervisor.rescan().await?;
    match supervisor.wait(profile, Goal::Supervised, LISTEN_TIMEOUT).await {
        Err(SupervisorError::TimedOut { .. }) => {
            Err(SupervisorError::NotListening(Slot::for_profile(profile).to_string()))
        }
        other => other,
    }
}

/// A slot that was just shown is looked after within this.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Is it a real profile? A slot that outlived its profile can still be stopped, without a word to keep.
async fn must_exist<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
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
    context: &OpsContext<'_, H, S>,
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
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    verb: Verb,
    before: &Service,
) -> Result<(), SupervisorError> {
    match verb {
        Verb::Start => context.supervisor.start(profile).await,
        Verb::Stop => context.supervisor.stop(profile).await,
        Verb::Restart if planted!(RestartLeavesDown) && before.pid().is_none() => Ok(()),
        Verb::Restart => context.supervisor.restart(profile).await,
    }
}
