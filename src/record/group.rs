//! The members of a process group, found by a scan of `/proc`, because the kernel offers no list of them.
//!
//! A scan is no snapshot: a process that is forked meanwhile may be missed. Sends no signals.

use std::path::Path;

use super::identity::{self, BootId, Process};
use crate::error::{Errno, HostError};
use crate::host::Host;
use crate::host::effect::OpenMode;
use crate::host::fs::{self, File};

/// The live processes of this process group, zombies left out, by number.
pub async fn members(
    host: &impl Host,
    boot: &BootId,
    group: i32,
) -> Result<Vec<Process>, HostError> {
    let mut members = Vec::new();
    for pid in list_pids(host).await? {
        match identity::read_stat(host, pid).await {
            Ok(Some(stat)) if stat.is_alive && stat.group == group => {
                members.push(Process { pid, start_time: stat.start_time, boot: boot.clone() });
            }
            // A hidden process belongs to another user, and we could not signal it either.
            Err(error) if !matches!(error.errno, Errno::ACCESS | Errno::PERM) => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(members)
}

/// All processes' numbers.
async fn list_pids(host: &impl Host) -> Result<Vec<u32>, HostError> {
    let proc = fs::open(host, Path::new("/proc"), OpenMode::Directory).await?;
    let listed = fs::list(host, &proc).await;
    let closed = fs::close(host, proc).await;
    let listed = listed?;
    closed?;
    Ok(listed.iter().filter_map(|entry| entry.name.to_str()?.parse().ok()).collect())
}

/// The live processes of a leader's group, whether the leader is gone or not.
///
/// The kernel gives no process the number of a group that has members. So another process with the leader's number
/// means that the group was empty by then, and a process that is older than the leader was not started by it.
pub async fn live_members_of(
    host: &impl Host,
    boot: &BootId,
    leader: &Process,
) -> Result<Vec<Process>, HostError> {
    let Some(number) = i32::try_from(leader.pid).ok().filter(|&pid| pid > 1) else {
        return Ok(Vec::new());
    };
    if leader.boot != *boot {
        return Ok(Vec::new());
    }
    let named = identity::read_stat(host, leader.pid).await?;
    if named.is_some_and(|stat| stat.start_time != leader.start_time) {
        return Ok(Vec::new());
    }
    let mut left = members(host, boot, number).await?;
    left.retain(|member| member.start_time >= leader.start_time);
    if named.is_some_and(|stat| stat.is_alive) && !left.contains(leader) {
        left.push(leader.clone());
    }
    Ok(left)
}

/// As [`identity::open`], for a process that is still what [`live_members_of`] found: the leader, or of its group.
pub async fn open(
    host: &impl Host,
    boot: &BootId,
    leader: &Process,
    member: &Process,
) -> Result<Option<File>, HostError> {
    let Some(opened) = identity::open(host, boot, member).await? else { return Ok(None) };
    let stat = match identity::read_stat(host, member.pid).await {
        Ok(stat) => stat,
        Err(error) => {
            fs::close(host, opened).await?;
            return Err(error);
        }
    };
    let group = i64::from(leader.pid);
    if member == leader || stat.is_some_and(|stat| i64::from(stat.group) == group) {
        return Ok(Some(opened));
    }
    fs::close(host, opened).await?;
    Ok(None)
}
