//! `gateway install | uninstall`, for supervisors whose services are registered on request: a host's supervisor belongs
//! to the operator, and learns of a gateway when the operator says so.

use super::lifecycle::{self, Verb};
use super::planned_stop::{self, End};
use super::{OpsContext, OpsError, Patience, home};
use crate::host::Host;
use crate::name::Profile;
use crate::record::intent::{self, Intent};
use crate::record::marker::StopPlan;
use crate::record::{file, lock};
use crate::supervisor::{
    Presence, Published, Registrar, Registration, Supervisor, SupervisorError, TargetState,
};

/// The outcome for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallOutcome {
    /// It was registered.
    Installed,
    /// It was registered and is starting, because its intent is running.
    InstalledAndStarted,
    /// It was there and has been updated.
    Updated,
    /// It was there, as it should be.
    Unchanged,
    /// It was removed.
    Uninstalled,
    /// It was not there.
    Absent,
}

/// Registers the service. It is started if its intent is running.
pub async fn install<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Result<(InstallOutcome, Vec<String>), OpsError> {
    must_exist(context, profile).await?;
    file::make_dirs(context.host, context.layout.root(), 0o755).await?;
    let patience = Patience::Usual.for_lock();
    let held = lock::acquire(context.host, context.layout, profile, patience).await?;
    let installed = install_locked(context, profile).await;
    lock::release(context.host, held).await?;
    let notes = match &installed {
        Ok(_) => context.supervisor.caveats().await,
        Err(_) => Vec::new(),
    };
    Ok((installed?, notes))
}

async fn install_locked<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Result<InstallOutcome, OpsError> {
    must_exist(context, profile).await?;
    let inferred = intent::read_in_force(context.host, context.layout, profile).await?;
    let at_start = match inferred.intent {
        Intent::Running => TargetState::Up,
        Intent::Stopped => TargetState::Down,
    };
    let spec = home::spec_or_defaults(context, profile).await;
    let published = context.supervisor.publish(&spec, at_start).await?;
    lifecycle::make_live(context.supervisor, profile).await?;
    if at_start == TargetState::Up {
        context.supervisor.start(profile).await?;
    }
    Ok(match published {
        Published::New if at_start == TargetState::Up => InstallOutcome::InstalledAndStarted,
        Published::New => InstallOutcome::Installed,
        Published::Updated => InstallOutcome::Updated,
        Published::Unchanged => InstallOutcome::Unchanged,
    })
}

/// Ends the gateway, stores the intent stopped, and removes the service. The profile stays.
pub async fn uninstall<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    patience: Patience,
) -> Result<(InstallOutcome, Vec<String>), OpsError> {
    let before = context.supervisor.status(profile).await?;
    if before.presence == Presence::Unregistered {
        must_exist(context, profile).await?;
        return Ok((InstallOutcome::Absent, Vec::new()));
    }
    let held = lock::acquire(context.host, context.layout, profile, patience.for_lock()).await?;
    let uninstalled = uninstall_locked(context, profile, patience).await;
    lock::release(context.host, held).await?;
    Ok((InstallOutcome::Uninstalled, uninstalled?))
}

async fn uninstall_locked<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    patience: Patience,
) -> Result<Vec<String>, OpsError> {
    let mut notes = Vec::new();
    if home::exists(context.host, context.layout, profile).await? {
        lifecycle::store_intent(context, profile, Verb::Stop).await?;
    }
    let spec = home::spec_or_defaults(context, profile).await;
    let timeout = patience.timeout(spec.kill_after).unwrap_or(Patience::USUAL);
    let before = context.supervisor.status(profile).await?;
    let end = End { plan: StopPlan::Stop, timeout, kill_after: spec.kill_after };
    planned_stop::end(context, profile, end, &before, &mut notes).await?;
    context.supervisor.unregister(profile, timeout).await?;
    Ok(notes)
}

async fn must_exist<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Result<(), OpsError> {
    match home::exists(context.host, context.layout, profile).await? {
        true => Ok(()),
        false => Err(SupervisorError::NotRegistered(profile.clone()).into()),
    }
}

/// Does the profile have a service? If services come with the profile, boot and create are responsible for it.
pub(super) async fn has_service<S: Supervisor>(
    supervisor: &S,
    profile: &Profile,
) -> Result<bool, SupervisorError> {
    Ok(match supervisor.registration() {
        Registration::WithProfile => true,
        Registration::OnRequest => {
            supervisor.status(profile).await?.presence != Presence::Unregistered
        }
    })
}
