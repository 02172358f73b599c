//! Supervisors that outlived their s6-svscan: they hold their services' locks, and the new scanner could start nothing.
//!
//! Only for a home that is claimed: a live scanner's services must not be touched. Bounded, whatever they do.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::HostError;
use crate::host::effect::OpenMode;
use crate::host::{Host, fs};
use crate::record::file;

/// A logger reads to the end of its pipe by itself; one that has not ended so much later is told to.
const LOGGER_PATIENCE: Duration = Duration::from_secs(1);

/// Brings them down, services before loggers, within `limit`.
pub(super) async fn bring_down(
    host: &impl Host,
    scan_dir: &Path,
    limit: Duration,
    notes: &mut Vec<String>,
) -> Result<(), HostError> {
    let (mut services, mut loggers) = (Vec::new(), Vec::new());
    for name in file::list_names(host, scan_dir).await? {
        if name == OsStr::new(".s6-svscan") {
            continue;
        }
        let slot = scan_dir.join(name);
        let log = slot.join("log");
        if is_supervised(host, &slot).await {
            services.push(slot);
        }
        if is_supervised(host, &log).await {
            loggers.push(log);
        }
    }
    if services.is_empty() && loggers.is_empty() {
        return Ok(());
    }
    notes.push(format!(
        "supervisors that outlived a killed scanner are brought down first: {}",
        services.len() + loggers.len()
    ));
    tell(host, &services, b"dx").await;
    tell(host, &loggers, b"x").await;
    let late = wait(host, services, limit).await?;
    let loggers = wait(host, loggers, LOGGER_PATIENCE).await?;
    tell(host, &loggers, b"dx").await;
    let late = late.into_iter().chain(wait(host, loggers, LOGGER_PATIENCE).await?);
    notes.extend(late.map(|dir| {
        format!("the supervisor of `{}` does not end: its successor waits for it", dir.display())
    }));
    Ok(())
}

/// A directory that cannot be read counts as unsupervised: the new s6-svscan will report what it finds.
async fn is_supervised(host: &impl Host, service: &Path) -> bool {
    let Ok(lock) = fs::open_no_link(host, &service.join("supervise/lock"), OpenMode::Read).await
    else {
        return false;
    };
    let locked = fs::is_locked(host, &lock).await;
    let closed = fs::close(host, lock).await;
    locked.unwrap_or(false) && closed.is_ok()
}

/// Tells each what to do, as `s6-svc` would.
async fn tell(host: &impl Host, services: &[PathBuf], letters: &[u8]) {
    for service in services {
        // A supervisor that cannot be told is waited for, and named if it does not end.
        let _ = tell_one(host, service, letters).await;
    }
}

async fn tell_one(host: &impl Host, service: &Path, letters: &[u8]) -> Result<(), HostError> {
    let control =
        fs::open_no_link(host, &service.join("supervise/control"), OpenMode::Write).await?;
    let told = file::write_all(host, &control, letters).await;
    fs::close(host, control).await?;
    told
}

/// Waits until they have ended; gives back who has not.
async fn wait(
    host: &impl Host,
    services: Vec<PathBuf>,
    limit: Duration,
) -> Result<Vec<PathBuf>, HostError> {
    let mut left = services;
    file::poll_carrying(host, limit, &mut left, async |left| {
        let mut still = Vec::new();
        for service in &*left {
            if is_supervised(host, service).await {
                still.push(service.clone());
            }
        }
        *left = still;
        Ok::<_, HostError>(left.is_empty().then_some(()))
    })
    .await?;
    Ok(left)
}

#[cfg(all(test, unix))]
mod tests;
