//! Orphans: a gateway that lives outside its slot, because its s6-supervise was killed and it went on alone.
//!
//! The gateway's own lock says that one lives; `gateway.pid` says which process it is. Only a process whose pid, start
//! time and boot all match is signalled, through a handle that cannot mean another process.

use std::time::Duration;

use super::{OpsContext, OpsError, timestamp};
use crate::error::{HostError, if_present};
use crate::host::effect::{OpenMode, Signal};
use crate::host::{Host, fs, proc};
use crate::layout::Layout;
use crate::name::Profile;
use crate::record::identity::{self, Process};
use crate::record::marker::{self, Marker, StopPlan};
use crate::record::{file, pidfile};

/// Is a gateway of the profile alive, in its slot or outside, in this container or another?
pub async fn is_gateway_locked(
    host: &impl Host,
    layout: &Layout,
    profile: &Profile,
) -> Result<bool, HostError> {
    let path = layout.gateway_lock(profile);
    let Some(lock) = if_present(fs::open_no_link(host, &path, OpenMode::Read).await)? else {
        return Ok(false);
    };
    let held = fs::is_locked(host, &lock).await;
    fs::close(host, lock).await?;
    if planted!(LockFileUnlinked) {
        file::remove(host, &path).await?;
    }
    if matches!(held, Ok(true)) {
        mark!("H40");
    }
    held
}

/// A gateway that ends removes `gateway.pid` before it releases its lock, and one that begins has not written it yet:
/// each may take this long.
const PIDFILE_GRACE: Duration = Duration::from_secs(2);

/// Ends a gateway that is still alive although its slot is down: TERM, the drain time, KILL.
pub(super) async fn end<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    kill_after: Duration,
) -> Result<(), OpsError> {
    if planted!(OrphanLeft) {
        return Ok(());
    }
    let holder = match find(context, profile).await? {
        Outside::NoSupervisor => return Ok(()),
        Outside::Unnamed => None,
        Outside::Named(holder) => Some(holder),
    };
    if let Some(holder) = &holder {
        write_marker(context, profile, holder).await;
        let ended = end_holder(context, profile, holder, kill_after).await;
        // If the marker was not consumed and cannot be withdrawn, the next boot removes it, because it names a process
        // of this boot.
        let _ = marker::consume(context.host, &context.layout.marker(profile), holder).await;
        if ended? {
            return Ok(());
        }
    }
    Err(OpsError::StillHeld {
        profile: profile.clone(),
        lock: context.layout.gateway_lock(profile),
        pid: holder.map(|process| process.pid),
    })
}

/// The gateway that lives outside its slot.
enum Outside {
    NoSupervisor,
    /// A process holds the lock, and `gateway.pid` does not identify it.
    Unnamed,
    Named(Process),
}

async fn find<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Result<Outside, HostError> {
    let patience = if planted!(PidfileReadOnce) { Duration::ZERO } else { PIDFILE_GRACE };
    let found = file::poll(context.host, patience, async || {
        if !is_gateway_locked(context.host, context.layout, profile).await? {
            return Ok::<_, HostError>(Some(Outside::NoSupervisor));
        }
        Ok(read_holder(context.host, context.layout, profile).await.map(Outside::Named))
    })
    .await?;
    Ok(found.unwrap_or(Outside::Unnamed))
}

/// Sends TERM to a live gateway, in its slot or outside, for a stop that does not wait: the supervisor may not know of
/// it. The `marked` process already knows that its end is planned.
pub(super) async fn signal_holder<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    marked: Option<&Process>,
) -> Result<(), HostError> {
    if !is_gateway_locked(context.host, context.layout, profile).await? {
        return Ok(());
    }
    let Some(holder) = read_holder(context.host, context.layout, profile).await else {
        return Ok(());
    };
    if marked != Some(&holder) {
        write_marker(context, profile, &holder).await;
    }
    signal_process(context.host, &holder, Signal::TERM).await
}

/// TERM, the drain time, KILL.
async fn end_holder<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    holder: &Process,
    kill_after: Duration,
) -> Result<bool, HostError> {
    for (signal, patience) in [(Signal::TERM, kill_after), (Signal::KILL, Duration::from_secs(2))] {
        signal_process(context.host, holder, signal).await?;
        let is_free = wait_until_free(context, profile, patience).await?;
        if is_free {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Marks its end as planned. If the marker cannot be written, the gateway is ended anyway; the intent is stored
/// already.
async fn write_marker<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    holder: &Process,
) {
    let Ok(at) = timestamp(context.host).await else { return };
    let path = context.layout.marker(profile);
    let marker = Marker { target: holder.clone(), plan: StopPlan::Stop };
    // Its log then calls the stop unplanned; nothing else depends on the marker.
    let _ = marker::write(context.host, &path, &marker, context.operator.pid, &at).await;
}

async fn wait_until_free<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    patience: Duration,
) -> Result<bool, HostError> {
    let free = file::poll(context.host, patience, async || {
        let held = is_gateway_locked(context.host, context.layout, profile).await?;
        Ok::<_, HostError>((!held).then_some(()))
    });
    Ok(free.await?.is_some())
}

/// The process that `gateway.pid` names.
pub async fn read_holder(host: &impl Host, layout: &Layout, profile: &Profile) -> Option<Process> {
    pidfile::read(host, &layout.pidfile(profile))
        .await
        .whole()
        .map(|gateway| gateway.process.clone())
}

async fn signal_process(
    host: &impl Host,
    holder: &Process,
    signal: Signal,
) -> Result<(), HostError> {
    let boot = identity::current_boot(host).await?;
    let Some(process) = identity::open(host, &boot, holder).await? else { return Ok(()) };
    let signalled = proc::signal(host, &process, signal).await;
    fs::close(host, process).await?;
    signalled
}
