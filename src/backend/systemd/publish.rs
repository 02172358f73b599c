//! Publishes and removes units: a unit file is written whole and durably, enabled or not, and systemd reloads.
//!
//! A unit outlives the boot, unlike a slot: its file and its link in the target's `.wants` are synced.

use super::super::file_services;
use super::unit::{UnitParams, can_start, home_line, is_expressible, render, target};
use super::{Systemd, owner, unit_name, version};
use crate::detect::Scope;
use crate::error::{Errno, HostError, if_present};
use crate::host::effect::FileKind;
use crate::host::{Host, fs};
use crate::name::Profile;
use crate::record::file;
use crate::supervisor::{
    Goal, Listing, Published, ServiceSpec, Supervisor as _, SupervisorError, TargetState,
};

/// Ensures that the unit is there, current, and enabled or not.
pub(super) async fn publish<H: Host>(
    systemd: &Systemd<'_, H>,
    spec: &ServiceSpec,
    at_start: TargetState,
) -> Result<Published, SupervisorError> {
    let unsaid = (!is_expressible(&spec.home)).then_some(&spec.home);
    if let Some(path) = unsaid.or((!can_start(&spec.program)).then_some(&spec.program)) {
        return Err(HostError::new("name in a unit", path, Errno::INVAL).into());
    }
    let host = systemd.host;
    let path = systemd.unit_path(&spec.profile);
    if matches!(if_present(fs::link_meta(host, &path).await)?, Some(meta) if meta.kind == FileKind::Link)
    {
        let service = unit_name(&spec.profile);
        return Err(SupervisorError::Masked { path, service });
    }
    let present = read_unit(host, &path).await?;
    if let Some(present) = present.as_ref().filter(|present| !is_ours(present, &spec.home)) {
        let home = present.lines().find_map(|line| line.strip_prefix("Environment="));
        let home = home.unwrap_or("no home of hermes").to_owned();
        return Err(SupervisorError::Taken { path, by: home });
    }
    let owner = match systemd.scope {
        Scope::System => owner::of_unit(host, &spec.home, present.as_deref()).await?,
        Scope::User => systemd.uid,
    };
    let version = version(&systemd.systemctl, host).await?;
    let terms = UnitParams { scope: systemd.scope, version, owner };
    let unit = render(spec, terms);
    if systemd.scope == Scope::User {
        // systemd opens the log itself, and makes no directories for it.
        file::make_dirs(host, &spec.log_dir, 0o755).await?;
    }
    let mut published = Published::Unchanged;
    if present.as_deref() != Some(&unit) {
        file::make_dirs(host, &systemd.unit_dir, 0o755).await?;
        file::replace(host, &path, unit.as_bytes(), 0o644).await?;
        systemd.systemctl.run_action(host, "daemon-reload", "systemd", &[]).await?;
        published = if present.is_some() { Published::Updated } else { Published::New };
    }
    let switched = set_at_start(systemd, &spec.profile, at_start).await?;
    if switched && published == Published::Unchanged {
        published = Published::Updated;
    }
    Ok(published)
}

/// Enables or disables the unit; returns whether that changed anything.
pub(super) async fn set_at_start<H: Host>(
    systemd: &Systemd<'_, H>,
    profile: &Profile,
    at_start: TargetState,
) -> Result<bool, SupervisorError> {
    let (host, name) = (systemd.host, unit_name(profile));
    let wants = systemd.unit_dir.join(format!("{}.wants", target(systemd.scope)));
    let link = if_present(fs::link_meta(host, &wants.join(&name)).await)?;
    let now = if link.is_some() { TargetState::Up } else { TargetState::Down };
    if now == at_start {
        return Ok(false);
    }
    let action = match at_start {
        TargetState::Up => "enable",
        TargetState::Down => "disable",
    };
    systemd.systemctl.run_action(host, action, &name, &["--quiet", &name]).await?;
    // The directory goes with its last link.
    if_present(file::sync_dir(host, &wants).await)?;
    file::sync_dir(host, &systemd.unit_dir).await?;
    Ok(true)
}

/// Takes the unit out, once its gateway has ended.
pub(super) async fn unregister<H: Host>(
    systemd: &Systemd<'_, H>,
    profile: &Profile,
    timeout: std::time::Duration,
) -> Result<(), SupervisorError> {
    let (host, name) = (systemd.host, unit_name(profile));
    let path = systemd.unit_path(profile);
    match read_unit(host, &path).await? {
        Some(unit) if is_ours(&unit, &systemd.home) => {}
        _ => return Ok(()),
    }
    systemd.stop(profile).await?;
    systemd.wait(profile, Goal::Down, timeout).await?;
    file::remove(host, &path).await?;
    file::sync_dir(host, &systemd.unit_dir).await?;
    systemd.systemctl.run_action(host, "daemon-reload", "systemd", &[]).await?;
    // `reset-failed` is refused for a unit that did not fail, and then there is nothing to reset.
    let _ = systemd.systemctl.run_action(host, "reset-failed", &name, &[&name]).await;
    Ok(())
}

/// The profiles of this home that have a unit.
pub(super) async fn list<H: Host>(systemd: &Systemd<'_, H>) -> Result<Listing, SupervisorError> {
    let (host, names) = (systemd.host, ["hermes-gateway-", ".service"]);
    file_services::list(host, &systemd.unit_dir, names, async |profile| {
        let unit = read_unit(host, &systemd.unit_path(profile)).await?;
        Ok(unit.is_some_and(|unit| is_ours(&unit, &systemd.home)))
    })
    .await
}

/// Is there a unit of that name that serves another home?
pub(super) async fn serves_another_home<H: Host>(
    systemd: &Systemd<'_, H>,
    profile: &Profile,
) -> Result<bool, HostError> {
    let unit = read_unit(systemd.host, &systemd.unit_path(profile)).await?;
    Ok(unit.is_some_and(|unit| !is_ours(&unit, &systemd.home)))
}

/// Is there a file of its name, of any author?
pub(super) async fn unit_exists<H: Host>(
    systemd: &Systemd<'_, H>,
    profile: &Profile,
) -> Result<bool, HostError> {
    let meta = fs::link_meta(systemd.host, &systemd.unit_path(profile)).await;
    Ok(if_present(meta)?.is_some())
}

fn is_ours(unit: &str, home: &std::path::Path) -> bool {
    let ours = home_line(home);
    unit.lines().any(|line| line == ours)
}

/// A masked unit is a link to a device, which is no unit of ours.
async fn read_unit<H: Host>(host: &H, path: &std::path::Path) -> Result<Option<String>, HostError> {
    match if_present(file::read(host, path, file::RECORD_BYTES_MAX).await) {
        Ok(bytes) => Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.errno == Errno::INVAL => Ok(None),
        Err(error) => Err(error),
    }
}
