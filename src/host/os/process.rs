//! Other processes through handles, our children's groups, and this process's credentials.
//!
//! Starts nothing and waits for nothing. A number is signalled only if it is that of a child not yet reaped, because no
//! other number is safe from reuse. For `OsHost::perform` only.

use std::os::fd::AsFd;

use rustix::fs::Mode;
use rustix::process::{
    Gid, Pid as RawPid, PidfdFlags, Signal as RawSignal, Uid, WaitId, WaitIdOptions, fchdir,
    kill_process_group, pidfd_open, pidfd_send_signal, umask, waitid,
};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::children::Children;
use super::done;
use super::table::Table;
use crate::error::Errno;
use crate::host::effect::{Handle, Pid, Signal};
use crate::host::{Answer, Outcome};

pub(super) fn open(table: &mut Table, pid: Pid) -> Outcome {
    let process = pidfd_open(raw_pid(pid), PidfdFlags::empty())?;
    Ok(Answer::Handle(table.insert(process)?))
}

pub(super) fn signal(table: &Table, process: Handle, signal: Signal) -> Outcome {
    done(pidfd_send_signal(table.get(process)?, raw_signal(signal)?))
}

pub(super) fn signal_group(children: &Children, leader: Pid, signal: Signal) -> Outcome {
    if !children.contains_key(&leader) {
        return Err(Errno::SRCH);
    }
    done(kill_process_group(raw_pid(leader), raw_signal(signal)?))
}

pub(super) fn reap(children: &mut Children, child: Pid) -> Outcome {
    let end = children.get(&child).ok_or(rustix::io::Errno::CHILD)?;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    if waitid(WaitId::PidFd(end.as_fd()), options)?.is_none() {
        return Err(Errno::AGAIN);
    }
    children.remove(&child);
    Ok(Answer::Done)
}

pub(super) fn change_dir(table: &Table, handle: Handle) -> Outcome {
    done(fchdir(table.get(handle)?))
}

// The thread's ids are the process's: this process has one thread.
pub(super) fn set_groups(gids: &[u32]) -> Outcome {
    let gids: Vec<Gid> = gids.iter().map(|&gid| gid_of(gid)).collect::<Result<_, _>>()?;
    done(set_thread_groups(&gids))
}

pub(super) fn set_gid(gid: u32) -> Outcome {
    let gid = gid_of(gid)?;
    done(set_thread_res_gid(gid, gid, gid))
}

pub(super) fn set_uid(uid: u32) -> Outcome {
    let uid = uid_of(uid)?;
    done(set_thread_res_uid(uid, uid, uid))
}

pub(super) fn set_umask(mask: u32) -> Outcome {
    umask(Mode::from_raw_mode(mask));
    Ok(Answer::Done)
}

/// The kernel reads the highest number as "leave it as it is", which is never meant here.
pub(super) fn uid_of(uid: u32) -> Result<Uid, Errno> {
    if uid == u32::MAX { Err(Errno::INVAL) } else { Ok(Uid::from_raw(uid)) }
}

/// As [`uid_of`].
pub(super) fn gid_of(gid: u32) -> Result<Gid, Errno> {
    if gid == u32::MAX { Err(Errno::INVAL) } else { Ok(Gid::from_raw(gid)) }
}

pub(super) fn raw_pid(pid: Pid) -> RawPid {
    RawPid::from_raw(pid.raw()).expect("a Pid is above 1")
}

fn raw_signal(signal: Signal) -> Result<RawSignal, Errno> {
    RawSignal::from_named_raw(signal.0).ok_or(Errno::INVAL)
}
