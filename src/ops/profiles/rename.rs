//! `profile rename`: the gateway ends, the directory takes its new name in one step, the slot follows.
//!
//! The intent does not change: a gateway that should run is started under the new name.

use crate::error::{HostError, if_present};
use crate::host::{Host, fs};
use crate::name::Profile;
use crate::ops::planned_stop::{self, End};
use crate::ops::{OpsContext, OpsError, Patience, home, install, timestamp};
use crate::record::intent::{self, Intent, Source};
use crate::record::marker::StopPlan;
use crate::record::{file, lock};
use crate::supervisor::{Goal, Registrar, Registration, TargetState};

use std::time::Duration;

/// Gives a profile another name, and its gateway, slot and logs with it.
pub async fn rename<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    old: &Profile,
    new: &Profile,
    patience: Patience,
) -> Result<Vec<String>, OpsError> {
    if old.is_default() || new.is_default() {
        return Err(OpsError::DefaultIsFixed("renamed"));
    }
    if old == new {
        return Err(OpsError::ProfileExists(new.clone()));
    }
    // Always in the same order, so that two renames cannot wait for each other.
    let (first, second) = if old < new { (old, new) } else { (new, old) };
    let timeout = patience.for_lock();
    let first_lock = lock::acquire(context.host, context.layout, first, timeout).await?;
    let renamed = match lock::acquire(context.host, context.layout, second, timeout).await {
        Ok(second_lock) => {
            let renamed = rename_locked(context, old, new, patience).await;
            give_back(context, second, second_lock).await?;
            renamed
        }
        Err(error) => Err(error.into()),
    };
    give_back(context, first, first_lock).await?;
    let mut renamed = renamed?;
    if renamed.is_awaited {
        await_readiness(context, new, patience, &mut renamed.notes).await;
    }
    Ok(renamed.notes)
}

/// The outcome of the part under the locks.
struct Renamed {
    /// The gateway was told to run under its new name.
    is_awaited: bool,
    /// Steps that failed.
    notes: Vec<String>,
}

/// The lock of a name without a profile is removed with its file.
async fn give_back<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    held: lock::ProfileLock,
) -> Result<(), HostError> {
    match home::exists(context.host, context.layout, profile).await? {
        true => lock::release(context.host, held).await,
        false => lock::retire(context.host, held).await,
    }
}

/// The profile has its new name whatever happens to its gateway: failures of the gateway's steps are notes.
async fn await_readiness<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    patience: Patience,
    notes: &mut Vec<String>,
) {
    let Some(timeout) = patience.timeout(Duration::ZERO) else { return };
    let service = match context.supervisor.status(profile).await {
        Ok(found) => {
            let goal = Goal::Ready { before: None, since: found.since };
            context.supervisor.wait(profile, goal, timeout).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = service {
        notes.push(error.to_string());
    }
}

async fn rename_locked<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    old: &Profile,
    new: &Profile,
    patience: Patience,
) -> Result<Renamed, OpsError> {
    let mut notes = Vec::new();
    check(context, old, new).await?;
    let intent = keep_intent(context, old).await?;
    let spec = home::spec_or_defaults(context, old).await;
    let timeout = patience.timeout(spec.kill_after).unwrap_or(Patience::USUAL);
    let before = context.supervisor.status(old).await?;
    let is_due = install::has_service(context.supervisor, old).await?;
    // A gateway that runs again under its new name must not record that it was stopped.
    let plan = if intent == Intent::Running { StopPlan::Restart } else { StopPlan::Stop };
    let end = End { plan, timeout, kill_after: spec.kill_after };
    let ended = planned_stop::end(context, old, end, &before, &mut notes).await;
    let moved = match ended {
        Ok(()) => move_dir(context, old, new).await,
        Err(error) => Err(error),
    };
    let unsynced = match moved {
        Ok(()) => None,
        Err(error) => Some(unless_it_stays(context, old, intent, error).await?),
    };
    context.supervisor.unregister(old, timeout).await?;
    move_logs(context, old, new, &mut notes).await;
    if is_due {
        register_new(context, new, intent).await?;
    }
    match unsynced {
        Some(error) => Err(error),
        // If the slot was not supervised, there is no wait.
        None => Ok(Renamed { is_awaited: is_due && intent == Intent::Running, notes }),
    }
}

/// How ending the gateway or moving the directory failed: `Err` if the profile still has its old name, and its gateway
/// then runs on. `Ok` means that it has moved, perhaps not durably: the slot follows, and the operator gets a note.
async fn unless_it_stays<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    old: &Profile,
    intent: Intent,
    error: OpsError,
) -> Result<OpsError, OpsError> {
    if !home::exists(context.host, context.layout, old).await? {
        return Ok(error);
    }
    if intent == Intent::Running {
        // The operator must learn why the name stays; `status` shows a gateway that did not come back.
        let _ = context.supervisor.start(old).await;
    }
    Err(error)
}

/// Checks, before the gateway is ended, that there is a profile to rename, and that the new name is free, also of a
/// directory that is no profile.
async fn check<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    old: &Profile,
    new: &Profile,
) -> Result<(), OpsError> {
    let old_exists = home::exists(context.host, context.layout, old).await?;
    let taken = if_present(fs::link_meta(context.host, &context.layout.profile(new)).await)?;
    if !old_exists {
        return Err(OpsError::NoSuchProfile(old.clone()));
    }
    if taken.is_some() {
        return Err(OpsError::ProfileExists(new.clone()));
    }
    Ok(())
}

/// Publishes the gateway's slot under the new name, and starts it if it should run.
async fn register_new<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    new: &Profile,
    intent: Intent,
) -> Result<(), OpsError> {
    let starts = intent == Intent::Running && !planted!(RenamedStaysDown);
    let at_start = if starts { TargetState::Up } else { TargetState::Down };
    super::register(context, new, at_start).await?;
    if starts && context.supervisor.registration() == Registration::OnRequest {
        // A new slot starts by itself, a new unit only at the next boot.
        context.supervisor.start(new).await?;
    }
    Ok(())
}

/// An older install's intent is in the state file, which the gateway is about to rewrite: it is stored as the intent.
async fn keep_intent<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Result<Intent, OpsError> {
    let path = context.layout.intent(profile);
    let inferred = intent::read_in_force(context.host, context.layout, profile).await?;
    if matches!(inferred.source, Source::DesiredState | Source::GatewayState) {
        let at = timestamp(context.host).await?;
        intent::store(context.host, &path, inferred.intent, context.operator, &at).await?;
    }
    Ok(inferred.intent)
}

async fn move_dir<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    old: &Profile,
    new: &Profile,
) -> Result<(), OpsError> {
    let (from, to) = (context.layout.profile(old), context.layout.profile(new));
    file::rename_new(context.host, &from, &to).await?;
    Ok(super::sync_profiles(context).await?)
}

/// Logs are history: if they cannot be moved, they stay under the old name.
async fn move_logs<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    old: &Profile,
    new: &Profile,
    notes: &mut Vec<String>,
) {
    let (from, to) = (context.layout.gateway_log(old), context.layout.gateway_log(new));
    match file::rename_new(context.host, &from, &to).await {
        Err(error) if !error.is_absent() => {
            notes.push(format!("the logs stay in `{}`: {}", from.display(), error.errno));
        }
        _ => {}
    }
}
