//! Reads a slot's status: the status record, the supervisor's lock, the `down` file. Changes nothing.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::slot::DOWN;
use super::status_record::{StatusRecord, decode, tai64n};
use super::{S6, control};
use crate::error::{Errno, HostError, if_present};
use crate::host::effect::{OpenMode, Pid, Signal, Status};
use crate::host::{Host, fs};
use crate::record::file;
use crate::supervisor::{Presence, ProcessState, Service, SupervisorError, TargetState};

/// A logger hands its slot over within this time after its start: its script tries for five seconds.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a slot. A record without a live supervisor is ignored: the process it names may be long gone.
pub(super) async fn read_service<H: Host>(
    s6: &S6<'_, H>,
    dir: &Path,
) -> Result<Service, SupervisorError> {
    if if_present(fs::link_meta(s6.host, dir).await)?.is_none() {
        return Ok(Service::unregistered());
    }
    let at_start = match if_present(fs::link_meta(s6.host, &dir.join(DOWN)).await)? {
        Some(_) => TargetState::Down,
        None => TargetState::Up,
    };
    let unsupervised =
        Service { presence: Presence::Unsupervised, at_start, ..Service::unregistered() };
    let supervised = is_supervised(s6.host, dir).await.map_err(|error| match error.errno {
        Errno::ACCESS => SupervisorError::Forbidden(error),
        _ => error.into(),
    });
    if !supervised? {
        return Ok(unsupervised);
    }
    let Some(record) = read_record(s6, dir).await? else {
        return Ok(Service {
            presence: Presence::Supervised,
            target_state: at_start,
            ..unsupervised
        });
    };
    Ok(Service {
        presence: Presence::Supervised,
        target_state: record.target_state,
        at_start,
        process_state: record.process_state,
        since: record.since,
        paused: record.paused,
        is_reported: true,
    })
}

/// A live s6-supervise holds the lock of its directory. Where one has just started in root's tree, its slot's logger gets
/// a moment to hand the slot over.
pub(super) async fn is_supervised(host: &impl Host, dir: &Path) -> Result<bool, HostError> {
    let refused = match is_locked(host, dir).await {
        Err(error) if error.errno == Errno::ACCESS => error,
        other => return other,
    };
    if !is_still_roots(host, dir).await? {
        // It may have been handed over between the two reads.
        return is_locked(host, dir).await;
    }
    let handed = file::poll(host, HAND_OVER_TIMEOUT, async || match is_locked(host, dir).await {
        Err(error) if error.errno == Errno::ACCESS => Ok(None),
        other => other.map(Some),
    });
    handed.await?.ok_or(refused)
}

/// Does `supervise/` belong to another user's supervisor, which makes it inaccessible to us?
async fn is_still_roots(host: &impl Host, dir: &Path) -> Result<bool, HostError> {
    let Some(own) = if_present(fs::link_meta(host, dir).await)? else { return Ok(false) };
    let theirs = if_present(fs::link_meta(host, &dir.join("supervise")).await)?;
    Ok(theirs.is_some_and(|theirs| theirs.uid != own.uid && theirs.mode & 0o077 == 0))
}

async fn is_locked(host: &impl Host, dir: &Path) -> Result<bool, HostError> {
    let lock = dir.join("supervise/lock");
    let Some(lock) = if_present(fs::open(host, &lock, OpenMode::Read).await)? else {
        return Ok(false);
    };
    let locked = fs::is_locked(host, &lock).await;
    fs::close(host, lock).await?;
    locked
}

/// The record; `None` until a new supervisor has written its first one.
pub(super) async fn read_record<H: Host>(
    s6: &S6<'_, H>,
    dir: &Path,
) -> Result<Option<StatusRecord>, SupervisorError> {
    let path = dir.join("supervise/status");
    let Some(bytes) = if_present(file::read(s6.host, &path, 4096).await)? else { return Ok(None) };
    match decode(&bytes) {
        Some(record) => Ok(Some(record)),
        None => read_by_svstat(s6, dir).await.map(Some),
    }
}

const FIELDS: &str = "wantedup,ready,paused,pid,exitcode,signum,updownsince";

/// Asks the installed version's own `s6-svstat`, for fields, never for its sentence.
async fn read_by_svstat<H: Host>(
    s6: &S6<'_, H>,
    dir: &Path,
) -> Result<StatusRecord, SupervisorError> {
    let args = [OsString::from("-o"), OsString::from(FIELDS), dir.into()];
    let service = dir.display().to_string();
    let finished = control::run_tool(s6, "s6-svstat", "status", &service, args).await?;
    let line = String::from_utf8_lossy(&finished.stdout).trim().to_owned();
    parse_fields(&line).ok_or_else(|| SupervisorError::OddStatus {
        path: dir.join("supervise/status"),
        reason: format!("s6-svstat -o {FIELDS} says {line:?}"),
    })
}

fn parse_fields(line: &str) -> Option<StatusRecord> {
    let fields: Vec<&str> = line.split(' ').collect();
    let [wanted_up, ready, paused, pid, exit_code, signal, since] = fields.try_into().ok()?;
    let last = match (exit_code.parse::<i32>().ok()?, signal.parse::<i32>().ok()?) {
        (_, signal) if signal > 0 => Some(Status::Signalled(Signal(signal))),
        (code, _) => u8::try_from(code).ok().map(Status::Exited),
    };
    let fact = match Pid::new(pid.parse().ok()?) {
        Some(pid) => ProcessState::Up { pid, ready: ready.parse().ok()? },
        None => ProcessState::Down { last },
    };
    let stamp = since.strip_prefix('@').filter(|hex| hex.len() == 24 && hex.is_ascii())?;
    let seconds = u64::from_str_radix(&stamp[..16], 16).ok()?;
    let nanoseconds = u32::from_str_radix(&stamp[16..], 16).ok()?;
    Some(StatusRecord {
        target_state: if wanted_up.parse().ok()? { TargetState::Up } else { TargetState::Down },
        process_state: fact,
        since: tai64n(seconds, nanoseconds),
        paused: paused.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_live_service_are_read() {
        let record = parse_fields("true true false 1738 -1 -1 @400000006b00f8f5002cc02b");
        let pid = Pid::new(1738).expect("above 1");
        assert_eq!(
            record.map(|record| record.process_state),
            Some(ProcessState::Up { pid, ready: true })
        );
    }

    #[test]
    fn the_minus_one_of_no_process_is_no_pid() {
        let record = parse_fields("false false false -1 3 -1 @400000006b00f8f5002cc02b");
        let down = ProcessState::Down { last: Some(Status::Exited(3)) };
        assert_eq!(record.map(|record| record.process_state), Some(down));
    }

    #[test]
    fn a_sentence_is_not_fields() {
        assert_eq!(parse_fields("up (pid 1738 pgid 1738) 5 seconds"), None);
    }
}
