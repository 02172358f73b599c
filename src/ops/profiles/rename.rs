//! `profile rename`: the gateway ends, the directory takes its new name in one step, the slot follows.
//!
//! The operator's word does not change: a gateway that should run, runs under the new name.

use crate::error::{HostError, if_present};
use crate::host::{Host, fs};
use crate::name::Profile;
use crate::ops::{Context, OpsError, Patience, home, install, planned_stop, timestamp};
use crate::record::intent::{self, Intent, Source};
use crate::record::marker::Plan;
use crate::record::{file, lock};
use crate::supervisor::{Goal, Registrar, Registration, Want};

use std::time::Duration;

/// Gives a profile another name, and its gateway, slot and logs with it.
pub async fn rename<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
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
    let (word, mut notes) = renamed?;
    if word == Intent::Running {
        await_readiness(context, new, patience, &mut notes).await;
    }
    Ok(notes)
}

/// The lock of a name that is no profile's goes with its file.
async fn give_back<H: Host, S>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    held: lock::Held,
) -> Result<(), HostError> {
    match home::exists(context.host, context.layout, profile).await? {
        true => lock::release(context.host, held).await,
        false => lock::retire(context.host, held).await,
    }
}

/// The profile has its new name whatever becomes of its gateway: what that did not reach is a note.
async fn await_readiness<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    patience: Patience,
    notes: &mut Vec<String>,
) {
    let Some(timeout) = patience.timeout(Duration::ZERO) else { return };
    let waited = async {
        let since = context.supervisor.status(profile).await?.since;
        context.supervisor.wait(profile, Goal::Ready { before: None, since }, timeout).await
    };
    if let Err(error) = waited.await {
        notes.push(error.to_string());
    }
}

async fn rename_locked<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    old: &Profile,
    new: &Profile,
    patience: Patience,
) -> Result<(Intent, Vec<String>), OpsError> {
    let mut notes = Vec::new();
    let old_exists = home::exists(context.host, context.layout, old).await?;
    // Whatever has the name, a directory that is no profile too: it is looked for before the gateway is ended.
    let taken = if_present(fs::link_meta(context.host, &context.layout.profile(new)).await)?;
    if !old_exists {
        return Err(OpsError::NoSuchProfile(old.clone()));
    }
    if taken.is_some() {
        return Err(OpsError::ProfileExists(new.clone()));
    }
    let word = keep_intent(context, old).await?;
    let (spec, _, _) = home::spec(context.host, context.layout, old, context.program).await;
    let timeout = patience.timeout(spec.kill_after).unwrap_or(Patience::USUAL);
    let before = context.supervisor.status(old).await?;
    let is_due = install::is_due(context.supervisor, old).await?;
    // A gateway that runs again under its new name does not note that somebody stopped it.
    let plan = if word == Intent::Running { Plan::Restart } else { Plan::Stop };
    let moved = async {
        planned_stop::end(context, old, plan, &before, timeout, spec.kill_after, &mut notes)
            .await?;
        move_dir(context, old, new).await
    };
    let mut unsynced = None;
    if let Err(error) = moved.await {
        if home::exists(context.host, context.layout, old).await? {
            if word == Intent::Running {
                // Why the name stays is what the operator must hear; `status` shows a gateway that did not come back.
                let _ = context.supervisor.start(old).await;
            }
            return Err(error);
        }
        // It has moved, and maybe no disk knows. The slot follows, and the operator hears of it.
        unsynced = Some(error);
    }
    context.supervisor.unregister(old, timeout).await?;
    move_logs(context, old, new, &mut notes).await;
    let starts = word == Intent::Running && !planted!(RenamedStaysDown);
    let at_start = if starts { Want::Up } else { Want::Down };
    if is_due {
        super::register(context, new, at_start).await?;
        if starts && context.supervisor.registration() == Registration::OnRequest {
            // A new slot starts by itself, a new unit with the next boot.
            context.supervisor.start(new).await?;
        }
    }
    match unsynced {
        Some(error) => Err(error),
        // Nobody looked after it, and nobody is waited for.
        None if !is_due => Ok((Intent::Stopped, notes)),
        None => Ok((word, notes)),
    }
}

/// An older install's word stands in the state file, which the gateway is about to rewrite: it is noted as the intent.
async fn keep_intent<H: Host, S>(
    context: &Context<'_, H, S>,
    profile: &Profile,
) -> Result<Intent, OpsError> {
    let path = context.layout.intent(profile);
    let prior = intent::in_force(context.host, context.layout, profile).await?;
    if matches!(prior.source, Source::DesiredState | Source::GatewayState) {
        let at = timestamp(context.host).await?;
        intent::store(context.host, &path, prior.intent, context.operator, &at).await?;
    }
    Ok(prior.intent)
}

async fn move_dir<H: Host, S>(
    context: &Context<'_, H, S>,
    old: &Profile,
    new: &Profile,
) -> Result<(), OpsError> {
    let (from, to) = (context.layout.profile(old), context.layout.profile(new));
    file::rename_new(context.host, &from, &to).await?;
    Ok(super::sync_profiles(context).await?)
}

/// Logs are history: where they cannot follow, they stay under the old name.
async fn move_logs<H: Host, S>(
    context: &Context<'_, H, S>,
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
