//! `profile delete`: the gateway ends first, then one rename hides the directory, then slot, logs and files are
//! removed.

use std::path::PathBuf;

use super::{hidden_name, sync_profiles};
use crate::error::{Errno, HostError};
use crate::host::Host;
use crate::name::Profile;
use crate::ops::lifecycle::{Verb, store_intent};
use crate::ops::planned_stop::{self, End};
use crate::ops::{OpsContext, OpsError, Patience, home};
use crate::record::marker::StopPlan;
use crate::record::tree::{self, Removal};
use crate::record::{file, lock};
use crate::supervisor::{Presence, Registrar, Service};

/// One command removes no more files and directories: a process of hermes' could make new ones for ever.
const ENTRIES_MAX: u64 = 1_000_000;

/// Deletes a profile with its slot and its logs. A gateway that does not end in time keeps its profile.
pub async fn delete<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    patience: Patience,
) -> Result<Vec<String>, OpsError> {
    if profile.is_default() {
        return Err(OpsError::DefaultIsFixed("deleted"));
    }
    let held = lock::acquire(context.host, context.layout, profile, patience.for_lock()).await?;
    match delete_locked(context, profile, patience).await {
        Ok(notes) => {
            lock::retire(context.host, held).await?;
            Ok(notes)
        }
        Err(OpsError::NoSuchProfile(profile)) => {
            lock::retire(context.host, held).await?;
            Err(OpsError::NoSuchProfile(profile))
        }
        Err(error) => {
            lock::release(context.host, held).await?;
            Err(error)
        }
    }
}

async fn delete_locked<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    patience: Patience,
) -> Result<Vec<String>, OpsError> {
    let mut notes = Vec::new();
    let service = context.supervisor.status(profile).await?;
    let exists = home::exists(context.host, context.layout, profile).await?;
    let has_slot = matches!(service.presence, Presence::Supervised | Presence::Unsupervised);
    if !exists && !has_slot {
        return Err(OpsError::NoSuchProfile(profile.clone()));
    }
    let spec = home::spec_or_defaults(context, profile).await;
    let timeout = patience.timeout(spec.kill_after).unwrap_or(Patience::USUAL);
    let gone = if exists {
        store_intent(context, profile, Verb::Stop).await?;
        let end = End { plan: StopPlan::Stop, timeout, kill_after: spec.kill_after };
        end_gateway(context, profile, end, &service, &mut notes).await?;
        Some(hide_dir(context, profile).await?)
    } else {
        sync_hidden(context).await?;
        None
    };
    if !planted!(DeleteLeavesSlot) {
        context.supervisor.unregister(profile, timeout).await?;
    }
    tree::remove(context.host, &context.layout.gateway_log(profile)).await?;
    // Last: while it is there, the next boot knows that leftovers may remain to be deleted.
    if let Some(gone) = gone {
        let removed = tree::remove_within(context.host, &gone, &mut { ENTRIES_MAX }).await?;
        if removed == Removal::Begun {
            notes.push(format!(
                "its files are too many to be removed at once: the next boot goes on with `{}`",
                gone.display()
            ));
        }
    }
    Ok(notes)
}

async fn end_gateway<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    end: End,
    before: &Service,
    notes: &mut Vec<String>,
) -> Result<(), OpsError> {
    if planted!(DeletedUnderLiveGateway) {
        return Ok(());
    }
    planned_stop::end(context, profile, end, before, notes).await
}

/// An interrupted delete hid the directory, perhaps without syncing that.
async fn sync_hidden<H: Host, S>(context: &OpsContext<'_, H, S>) -> Result<(), HostError> {
    if planted!(DeleteAgainNotSynced) {
        return Ok(());
    }
    sync_profiles(context).await
}

/// Hides a profile's directory by one durable rename, then removes it.
pub(super) async fn remove_dir<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Result<(), HostError> {
    let gone = hide_dir(context, profile).await?;
    tree::remove(context.host, &gone).await
}

async fn hide_dir<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Result<PathBuf, HostError> {
    if planted!(DeletedInPlace) {
        return Ok(context.layout.profile(profile));
    }
    let gone = loop {
        let gone = hidden_name(context, home::GONE_PREFIX, profile).await?;
        match file::rename_new(context.host, &context.layout.profile(profile), &gone).await {
            Ok(()) => break gone,
            Err(error) if error.errno == Errno::EXIST => {}
            Err(error) => return Err(error),
        }
    };
    sync_profiles(context).await?;
    Ok(gone)
}
