//! Takes slots down: no process, logger, supervisor or directory stays behind.
//!
//! The order matters. While the directory has its name, s6-svscan would bring the supervisor back; once it is gone,
//! s6-svscan 2.12 and later would respawn a supervisor without a directory for ever. So: down, out of the scan set by
//! a rename to a dot name, `-an`, wait for the locks, delete.

use std::path::Path;
use std::time::Duration;

use super::publish::unique_suffix;
use super::{S6, control, status};
use crate::error::{Errno, HostError, if_present};
use crate::host::{Host, fs, time};
use crate::name::{Profile, Slot};
use crate::record::{file, tree};
use crate::supervisor::{
    Cause, Goal, Leftover, LeftoverKind, ProcessState, Supervisor, SupervisorError,
};

/// Supervisors whose services are down end at once.
const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(10);

/// A logger reads its pipe to the end within this time.
const ORDERLY_TIMEOUT: Duration = Duration::from_secs(1);

/// Takes a profile's slot out. If its gateway does not end in time, nothing else is touched.
pub(super) async fn unregister<H: Host>(
    s6: &S6<'_, H>,
    profile: &Profile,
    timeout: Duration,
) -> Result<(), SupervisorError> {
    let dir = s6.slot_dir(profile);
    if if_present(fs::link_meta(s6.host, &dir).await)?.is_none() {
        return Ok(());
    }
    if status::is_supervised(s6.host, &dir).await? {
        s6.stop(profile).await?;
        s6.wait(profile, Goal::Down, timeout).await?;
    }
    let slot = Slot::for_profile(profile);
    let hidden = hide(s6, &dir, |unique| slot.hidden(unique)).await?;
    remove_hidden_slot(s6, &hidden).await
}

/// Takes a leftover out. For one that is hidden already, the take-down goes on where it was interrupted; a slot with an
/// illegal name is hidden first.
pub(super) async fn sweep<H: Host>(
    s6: &S6<'_, H>,
    leftover: &Leftover,
    timeout: Duration,
) -> Result<(), SupervisorError> {
    let dir = s6.scan_dir.join(&leftover.name);
    let hidden = match leftover.kind {
        LeftoverKind::Unfinished => dir,
        LeftoverKind::IllegalName => {
            if status::is_supervised(s6.host, &dir).await? {
                control::send_control_to_dir(s6, &dir, &leftover.name, "stop", "-d").await?;
                until_down(s6, &dir, &leftover.name, timeout).await?;
            }
            hide(s6, &dir, |unique| format!(".gateway-.{unique}")).await?
        }
    };
    remove_hidden_slot(s6, &hidden).await
}

/// A slot with an illegal name is waited for through its directory.
async fn until_down<H: Host>(
    s6: &S6<'_, H>,
    dir: &Path,
    name: &str,
    timeout: Duration,
) -> Result<(), SupervisorError> {
    let down = file::poll(s6.host, timeout, async || {
        let service = status::read_service(s6, dir).await?;
        Ok::<_, SupervisorError>(
            matches!(service.process_state, ProcessState::Down { .. }).then_some(()),
        )
    })
    .await?;
    down.ok_or_else(|| SupervisorError::Hung {
        tool: "s6-svc",
        action: "stop",
        service: name.to_owned(),
        waited: timeout,
    })
}

async fn hide<H: Host>(
    s6: &S6<'_, H>,
    dir: &Path,
    name: impl Fn(&str) -> String,
) -> Result<std::path::PathBuf, HostError> {
    loop {
        let hidden = s6.scan_dir.join(name(&unique_suffix(s6.host).await?));
        match file::rename_new(s6.host, dir, &hidden).await {
            Ok(()) => return Ok(hidden),
            Err(error) if error.errno == Errno::EXIST => {}
            Err(error) => return Err(error),
        }
    }
}

/// Removes a hidden slot: makes its supervisors end, waits for that, deletes the directory.
async fn remove_hidden_slot<H: Host>(s6: &S6<'_, H>, hidden: &Path) -> Result<(), SupervisorError> {
    if !planted!(DirectoryDeletedFirst) && any_supervised(s6.host, hidden).await? {
        mark!("H20");
        control::send_scanner_control(s6, "unregister", "-an").await?;
        if !await_supervisors_end(s6, hidden, ORDERLY_TIMEOUT).await? {
            end_lone_logger(s6, hidden).await?;
        }
        if !await_supervisors_end(s6, hidden, SUPERVISOR_TIMEOUT).await? {
            return Err(HostError::new("end the supervisors of", hidden, Errno::TIMEDOUT).into());
        }
    }
    remove_settled(s6.host, hidden).await
}

async fn await_supervisors_end<H: Host>(
    s6: &S6<'_, H>,
    hidden: &Path,
    timeout: Duration,
) -> Result<bool, HostError> {
    let ended = file::poll(s6.host, timeout, async || {
        let any = any_supervised(s6.host, hidden).await?;
        Ok::<_, HostError>((!any).then_some(()))
    });
    Ok(ended.await?.is_some())
}

/// If the slot's supervisor was dead when the slot was hidden, s6-svscan keeps the pipe open for a supervisor that
/// never comes, and the logger waits for end-of-file for ever. So the logger is told to exit.
async fn end_lone_logger<H: Host>(s6: &S6<'_, H>, hidden: &Path) -> Result<(), SupervisorError> {
    let log = hidden.join("log");
    if status::is_supervised(s6.host, hidden).await?
        || !status::is_supervised(s6.host, &log).await?
    {
        return Ok(());
    }
    let name = log.display().to_string();
    match control::send_control_to_dir(s6, &log, &name, "unregister", "-dx").await {
        // It has ended by itself meanwhile.
        Err(SupervisorError::Command { cause: Cause::NotListening, .. }) => Ok(()),
        result => result,
    }
}

async fn any_supervised(host: &impl Host, dir: &Path) -> Result<bool, HostError> {
    Ok(status::is_supervised(host, dir).await?
        || status::is_supervised(host, &dir.join("log")).await?)
}

/// A supervisor that is just starting may make a file between our listing and our `rmdir`: retry a few times.
async fn remove_settled(host: &impl Host, hidden: &Path) -> Result<(), SupervisorError> {
    for _ in 0..5 {
        match remove(host, hidden).await {
            Err(error) if error.errno == Errno::NOTEMPTY => {
                time::sleep(host, Duration::from_millis(10)).await?;
            }
            other => return other.map_err(SupervisorError::from),
        }
    }
    remove(host, hidden).await.map_err(SupervisorError::from)
}

/// In a foreign tree the supervisors' directories belong to another user: they stay, hidden, until the machine's `/run`
/// goes.
async fn remove(host: &impl Host, hidden: &Path) -> Result<(), HostError> {
    let removed = tree::remove(host, hidden).await;
    if !matches!(&removed, Err(error) if error.errno == Errno::ACCESS) {
        return removed;
    }
    let own = fs::link_meta(host, hidden).await?.uid;
    match if_present(fs::link_meta(host, &hidden.join("supervise")).await)? {
        Some(theirs) if theirs.uid != own => Ok(()),
        _ => removed,
    }
}
