//! Removes leftovers: profiles half made or half deleted, stages, slots without a profile.
//!
//! Each is removed under the lock of the profile it is named after, so that a running command is not disturbed.

use std::time::Duration;

use super::{Pass, RescanTiming};
use crate::host::Host;
use crate::name::Profile;
use crate::ops::home::{self, GONE_PREFIX, SurveyEntry};
use crate::ops::{OpsContext, OpsError};
use crate::record::lock::LockError;
use crate::record::tree::{self, Removal};
use crate::record::{file, lock};
use crate::supervisor::{Leftover, Registrar};

/// How long a gateway without a profile may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(20);

/// One pass removes no more files and directories: the gateways wait for it. The next pass goes on.
const ENTRIES_MAX: u64 = 100_000;

/// What a pass would remove.
pub(super) async fn predict<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    pass: &mut Pass,
) {
    match context.supervisor.list().await {
        Ok(listing) => {
            pass.swept.extend(listing.leftovers.into_iter().map(|leftover| leftover.name));
            let ownerless = pass.ownerless(listing.profiles);
            pass.swept.extend(ownerless.iter().map(|profile| format!("gateway-{profile}")));
        }
        Err(error) => pass.failures.push(error.to_string()),
    }
    // An unreadable directory was already reported when profiles were listed.
    for found in home::survey(context.host, context.layout).await.unwrap_or_default() {
        if let SurveyEntry::Unfinished(name, _) = found {
            pass.swept.push(name);
        }
    }
}

/// Removes profiles half made or half deleted.
pub(super) async fn sweep_unfinished<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    scan: RescanTiming,
    pass: &mut Pass,
) {
    if planted!(UnfinishedNotSwept) {
        return;
    }
    let mut allowance = ENTRIES_MAX;
    // An unreadable directory is reported when profiles are listed.
    for found in home::survey(context.host, context.layout).await.unwrap_or_default() {
        let SurveyEntry::Unfinished(name, owner) = found else { continue };
        match remove_unfinished(context, scan, &name, &owner, &mut allowance).await {
            Ok(Removal::Whole) => pass.swept.push(name),
            Ok(Removal::Begun) => {
                mark!("H66");
                pass.failures.push(format!(
                    "{name}: too much lies there to be removed in one boot: the next one goes on"
                ));
                break;
            }
            Err(error) => pass.failures.push(format!("{name}: {error}")),
        }
    }
}

async fn remove_unfinished<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    scan: RescanTiming,
    name: &str,
    owner: &Profile,
    allowance: &mut u64,
) -> Result<Removal, OpsError> {
    let held = lock::acquire(context.host, context.layout, owner, scan.patience()).await?;
    let path = context.layout.profiles().join(name);
    let removed = tree::remove_within(context.host, &path, allowance).await;
    let was_deleted = name.starts_with(GONE_PREFIX);
    if was_deleted {
        mark!("H22");
    }
    if !was_deleted {
        mark!("H23");
    }
    let gone = !home::exists(context.host, context.layout, owner).await?;
    let logs = match was_deleted && gone && removed == Ok(Removal::Whole) {
        true => tree::remove(context.host, &context.layout.gateway_log(owner)).await,
        false => Ok(()),
    };
    // The lock file is removed with its profile.
    match gone {
        true => lock::retire(context.host, held).await?,
        false => lock::release(context.host, held).await?,
    }
    logs?;
    Ok(removed?)
}

/// Removes stages, and slots that no profile owns.
pub(super) async fn sweep_ownerless<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    scan: RescanTiming,
    pass: &mut Pass,
) {
    if planted!(OwnerlessNotSwept) {
        return;
    }
    let listing = match context.supervisor.list().await {
        Ok(listing) => listing,
        Err(error) => return pass.failures.push(error.to_string()),
    };
    for leftover in listing.leftovers {
        let swept = sweep_leftover(context, scan, &leftover).await;
        record_swept(pass, leftover.name, swept);
    }
    for profile in pass.ownerless(listing.profiles) {
        match unregister_ownerless(context, scan, &profile).await {
            Ok(false) => {}
            Ok(true) => pass.swept.push(format!("gateway-{profile}")),
            Err(error) => pass.failures.push(error.to_string()),
        }
    }
}

async fn sweep_leftover<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    scan: RescanTiming,
    leftover: &Leftover,
) -> Result<(), OpsError> {
    let held = match &leftover.owner {
        Some(owner) => {
            Some(lock::acquire(context.host, context.layout, owner, scan.patience()).await?)
        }
        None => None,
    };
    let swept = context.supervisor.sweep(leftover, END_TIMEOUT).await;
    if let Some(held) = held {
        lock::release(context.host, held).await?;
    }
    Ok(swept?)
}

/// A slot whose profile is gone: its deletion was interrupted. Checked again under the lock.
async fn unregister_ownerless<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    scan: RescanTiming,
    profile: &Profile,
) -> Result<bool, OpsError> {
    let held = lock::acquire(context.host, context.layout, profile, scan.patience()).await?;
    if home::exists(context.host, context.layout, profile).await? {
        lock::release(context.host, held).await?;
        return Ok(false);
    }
    mark!("H36");
    let out = context.supervisor.unregister(profile, END_TIMEOUT).await;
    if out.is_err() {
        lock::release(context.host, held).await?;
    } else {
        lock::retire(context.host, held).await?;
    }
    out?;
    Ok(true)
}

/// Removes locks of profiles that are gone: the command that made one was killed. A lock that a command holds is left.
pub(super) async fn sweep_locks<H: Host, S>(context: &OpsContext<'_, H, S>, pass: &mut Pass) {
    let names = match file::list_names(context.host, &context.layout.locks()).await {
        Ok(names) => names,
        Err(error) => return pass.failures.push(error.to_string()),
    };
    let profiles = names.iter().filter_map(|name| Profile::parse(name.to_str()?).ok()).collect();
    for profile in pass.ownerless(profiles) {
        match remove_lock(context, &profile).await {
            Ok(()) | Err(OpsError::Lock(LockError::Busy { .. })) => {}
            Err(error) => pass.failures.push(error.to_string()),
        }
    }
}

async fn remove_lock<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Result<(), OpsError> {
    let held = lock::acquire(context.host, context.layout, profile, Duration::ZERO).await?;
    match home::exists(context.host, context.layout, profile).await? {
        true => lock::release(context.host, held).await?,
        false => lock::retire(context.host, held).await?,
    }
    Ok(())
}

fn record_swept(pass: &mut Pass, name: String, swept: Result<(), OpsError>) {
    match swept {
        Ok(()) => pass.swept.push(name),
        Err(error) => pass.failures.push(format!("{name}: {error}")),
    }
}
