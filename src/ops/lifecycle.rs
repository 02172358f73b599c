//! Start, stop and restart of one gateway, or of all.
//!
//! ```text
//!   begin:   lock → intent (durable) → read status → slot → marker → tell the supervisor
//!   finish:  wait → withdraw an unconsumed marker → unlock → wait for readiness
//! ```
//!
//! There are two halves, so that `--all` tells all gateways before it waits for any. The intent stays stored even if
//! the act fails: it is what the operator asked for, and the next boot follows it.

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

/// A verb: what an operator asks of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Run, now and after every boot.
    Start,
    /// Do not run until asked.
    Stop,
    /// End if it runs, then run.
    Restart,
}

/// The outcome of a verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LifecycleOutcome {
    /// It runs now.
    Started(Pid),
    /// It ran already.
    AlreadyRunning(Pid),
    /// It runs, in a new process.
    Restarted(Pid),
    /// It has stopped.
    Stopped,
    /// It did not run.
    AlreadyStopped,
    /// The supervisor was told; the command did not wait.
    Requested,
}

/// A verb that the supervisor was told of, and whose outcome is still open.
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

/// The first half: stores the intent durably and tells the supervisor.
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
            // The verb's own failure is reported to the operator; the process's end releases the lock in any case.
            let _ = match home::exists(context.host, context.layout, profile).await {
                // The profile was deleted while we waited, and its lock file with it: this lock file was made by us.
                Ok(false) => lock::retire(context.host, lock).await,
                _ => lock::release(context.host, lock).await,
            };
            Err(error)
        }
    }
}

/// What the second half must know of the first.
#[derive(Debug)]
struct Begun {
    /// The service as it was before the supervisor was told.
    before: Service,
    /// The process that was marked: its end is planned.
    target: Option<identity::Process>,
    kill_after: Duration,
    /// A step that failed without making the verb fail.
    notes: Vec<String>,
}

async fn begin_locked<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    verb: Verb,
) -> Result<Begun, OpsError> {
    let mut notes = Vec::new();
    enable(context, profile, verb, &mut notes).await?;
    // Checked again: the profile may have been deleted while we waited for the lock.
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
    if let Err(error) = tell_supervisor(context, profile, verb, &before).await {
        planned_stop::cancel(context, profile, target.as_ref(), &mut notes).await;
        return Err(error.into());
    }
    if acts_first {
        store_intent(context, profile, verb).await?;
    }
    Ok(Begun { before, target, kill_after: spec.kill_after, notes })
}

/// If the machine itself starts services after a reboot, it must know of this one before the intent is durable: a power
/// cut in between must not keep a gateway down that shall run. The intent is checked again before the gateway starts.
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

/// A profile without a slot (copied in, half made) gets one, and a supervisor for it. The slot's `down` file follows
/// the new intent before anything is waited for, so that a supervisor that starts late follows it, too. Returns the
/// service's status afterwards.
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
        // Only the slot's `down` file matters to a stop, and the stop itself writes it.
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
                // The operator must learn why the slot is not supervised; a slot that stays is removed at the next
                // boot.
                let _ = supervisor.unregister(&spec.profile, LISTEN_TIMEOUT).await;
            }
            live
        }
    }
}

/// Makes the supervisor scan for new slots, and gives it a moment to supervise this one.
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

/// A slot that was just published is supervised within this time.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Is it a real profile? A slot that outlived its profile can still be stopped, without an intent to store.
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

/// Stores the verb's intent. The profile's lock is held by the caller.
pub(super) async fn store_intent<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    verb: Verb,
) -> Result<(), HostError> {
    let intent_asked = match verb {
        Verb::Start | Verb::Restart => Intent::Running,
        Verb::Stop => Intent::Stopped,
    };
    let at = timestamp(context.host).await?;
    let path = context.layout.intent(profile);
    intent::store(context.host, &path, intent_asked, context.operator, &at).await?;
    // An intent is only as durable as the profile's own name: the command that made the profile may have been killed
    // before it synced the directory.
    match profile.is_default() {
        true => Ok(()),
        false => file::sync_dir(context.host, &context.layout.profiles()).await,
    }
}

async fn tell_supervisor<H: Host, S: Registrar>(
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
