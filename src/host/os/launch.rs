//! Starts a program as our child, or becomes it. For `OsHost::perform` and `run` only.
//!
//! The environment is the given one and nothing else; the signal mask is empty and `SIGPIPE` at its default. Does not
//! wait for children: `wait` does.

#![expect(clippy::disallowed_types, reason = "this is what `host::proc` ends in")]

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{PidfdFlags, pidfd_open};

use super::child;
use super::children::Children;
use super::process::raw_pid;
use super::table::Table;
use crate::error::Errno;
use crate::host::effect::{Pid, Program};
use crate::host::{Answer, Outcome};

pub(super) fn spawn(table: &Table, children: &mut Children, program: &Program) -> Outcome {
    let mut command = command(table, program)?;
    command.stdin(Stdio::null()).process_group(0);
    child::die_with_us(&mut command);
    let mut child = command.spawn()?;
    let pid = pid_of(&child);
    match pidfd_open(raw_pid(pid), PidfdFlags::empty()) {
        Ok(end) => {
            children.insert(pid, end);
            Ok(Answer::Pid(pid))
        }
        Err(errno) => {
            // A child that cannot be waited for must not stay.
            child.kill()?;
            child.wait()?;
            Err(errno.into())
        }
    }
}

/// Returns only on failure. By then the working directory and the inherited descriptors may already be those of the
/// program: the caller reports and exits.
pub(super) fn exec(table: &Table, program: &Program) -> Outcome {
    let mut command = command(table, program)?;
    // Record locks must survive, and a lock is released by the first close of its file.
    mark_record_locked(table, FdFlags::empty())?;
    let error = command.exec();
    child::ignore_broken_pipes();
    mark_record_locked(table, FdFlags::CLOEXEC)?;
    Err(error.into())
}

fn mark_record_locked(table: &Table, flags: FdFlags) -> Result<(), Errno> {
    for descriptor in table.record_locked() {
        fcntl_setfd(descriptor, flags)?;
    }
    Ok(())
}

/// The program with its whole environment, directory and inherited descriptors; streams and group are the caller's.
pub(super) fn command(table: &Table, program: &Program) -> Result<Command, Errno> {
    if !program.path.is_absolute() {
        // A bare name would be searched for in the child's PATH.
        return Err(Errno::INVAL);
    }
    let mut command = Command::new(&program.path);
    command.args(&program.args).env_clear().envs(&program.env);
    if let Some(cwd) = &program.cwd {
        command.current_dir(cwd);
    }
    child::inherit(&mut command, table, &program.inherit)?;
    Ok(command)
}

/// The pid of a child not yet reaped.
pub(super) fn pid_of(child: &Child) -> Pid {
    Pid::new(child.id().into()).expect("a child's number is above 1")
}
