//! A stop that is planned: the process is marked before it gets SIGTERM, so that it can tell this from a container's end.

use std::time::Duration;

use super::{OpsContext, OpsError, orphan, timestamp};
use crate::error::HostError;
use crate::host::Host;
use crate::host::effect::Pid;
use crate::name::Profile;
use crate::record::identity;
use crate::record::marker::{self, Marker, StopPlan};
use crate::supervisor::{Goal, Presence, Registrar, Service};

/// Marks the process that is about to get SIGTERM, if one runs. This comes before the supervisor is told; if that then
/// fails, [`cancel`] follows.
pub(super) async fn mark<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    plan: StopPlan,
    before: &Service,
    notes: &mut Vec<String>,
) -> Result<Option<identity::Process>, HostError> {
    let Some(pid) = before.pid() else { return Ok(None) };
    let host = context.host;
    let Some(target) = process(host, pid).await? else { return Ok(None) };
    let home = Profile::default_profile();
    let home = if planted!(MarkerInCallersHome) { &home } else { profile };
    let path = context.layout.marker(home);
    let marker = Marker { target: target.clone(), plan };
    let at = timestamp(host).await?;
    if let Err(error) = marker::write(host, &path, &marker, context.operator.pid, &at).await {
        // The intent is stored already; the gateway just cannot tell this stop from a container's stop.
        notes.push(format!("the planned stop could not be noted: {error}"));
    }
    Ok(Some(target))
}

/// The supervisor could not be told: the marked process runs on, and its next end is not planned.
pub(super) async fn cancel<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    target: Option<&identity::Process>,
    notes: &mut Vec<String>,
) {
    if target.is_some() {
        mark!("H5");
    }
    withdraw(context, profile, target, notes).await;
}

/// Removes a marker that its target did not consume.
pub(super) async fn withdraw<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    target: Option<&identity::Process>,
    notes: &mut Vec<String>,
) {
    let Some(target) = target.filter(|_| !planted!(MarkerNotWithdrawn)) else { return };
    let path = context.layout.marker(profile);
    if let Err(error) = marker::consume(context.host, &path, target).await {
        notes.push(format!("the note of the planned stop stays until the next boot: {error}"));
    }
}

/// Removes the marker of a stop command that was killed before it was carried out: the end of the process that runs on
/// is not planned.
pub(super) async fn withdraw_stale<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    before: &Service,
    notes: &mut Vec<String>,
) -> Result<(), HostError> {
    let Some(pid) = before.pid().filter(|_| !planted!(MarkerOutlivesTheStop)) else {
        return Ok(());
    };
    let target = process(context.host, pid).await?;
    withdraw(context, profile, target.as_ref(), notes).await;
    Ok(())
}

async fn process<H: Host>(host: &H, pid: Pid) -> Result<Option<identity::Process>, HostError> {
    let boot = identity::current_boot(host).await?;
    let number = u32::try_from(pid.raw()).expect("a Pid is above 1");
    identity::find_process(host, &boot, number).await
}

/// How a gateway is to end.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// What it records at its end: `stopped`, or that it will run again.
    pub plan: StopPlan,
    /// The time limit until its supervisor sees it down.
    pub timeout: Duration,
    /// From SIGTERM to SIGKILL, if it lives outside its slot.
    pub kill_after: Duration,
}

/// Ends a gateway as planned and waits for its end, in its slot or outside. The profile's lock is held by the caller.
pub(super) async fn end<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    end: End,
    before: &Service,
    notes: &mut Vec<String>,
) -> Result<(), OpsError> {
    if before.presence == Presence::Supervised {
        let target = mark(context, profile, end.plan, before, notes).await?;
        if let Err(error) = context.supervisor.stop(profile).await {
            cancel(context, profile, target.as_ref(), notes).await;
            return Err(error.into());
        }
        let down = context.supervisor.wait(profile, Goal::Down, end.timeout).await;
        withdraw(context, profile, target.as_ref(), notes).await;
        if down.is_err() {
            mark!("H21");
        }
        down?;
    }
    orphan::end(context, profile, end.kill_after).await
}
