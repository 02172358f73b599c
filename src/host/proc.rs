//! Typed functions over the process effects: programs, signals, credentials, events. One effect each.

use std::path::Path;
use std::time::Duration;

use super::Host;
use super::effect::{Answer, Effect, Event, Finished, Interests, Pid, Program, Signal, Stream};
use super::fs::{File, done, failed};
use crate::error::HostError;

type Result<T> = std::result::Result<T, HostError>;

/// Runs a program to its end; after `timeout` it is killed and the error is `ETIMEDOUT`.
pub async fn run(host: &impl Host, program: Program, timeout: Duration) -> Result<Finished> {
    let path = program.path.clone();
    match host.perform(Effect::Run { program, timeout }).await {
        Ok(Answer::Finished(finished)) => Ok(finished),
        other => Err(failed("run", &path, other)),
    }
}

/// Starts a program as our child, leader of its own process group.
pub async fn spawn(host: &impl Host, program: Program) -> Result<Pid> {
    let path = program.path.clone();
    match host.perform(Effect::Spawn { program }).await {
        Ok(Answer::Pid(pid)) => Ok(pid),
        other => Err(failed("start", &path, other)),
    }
}

/// Becomes another program; returns only on failure.
pub async fn exec(host: &impl Host, program: Program) -> HostError {
    let path = program.path.clone();
    failed("execute", &path, host.perform(Effect::Exec { program }).await)
}

/// A handle on a process: signals through it cannot reach another that got the same number later.
pub async fn open(host: &impl Host, pid: Pid) -> Result<File> {
    let path = Path::new("process").join(pid.raw().to_string());
    match host.perform(Effect::OpenProcess { pid }).await {
        Ok(Answer::Handle(handle)) => Ok(File { handle, path }),
        other => Err(failed("open", &path, other)),
    }
}

/// Sends a signal through a process handle.
pub async fn signal(host: &impl Host, process: &File, signal: Signal) -> Result<()> {
    let effect = Effect::SignalProcess { process: process.handle, signal };
    done("signal", &process.path, host.perform(effect).await)
}

/// Reaps a child that has ended; `EAGAIN` while it lives.
pub async fn reap(host: &impl Host, child: Pid) -> Result<()> {
    let path = Path::new("process").join(child.raw().to_string());
    done("reap", &path, host.perform(Effect::Reap { child }).await)
}

/// Sends a signal to the process group of a child not yet reaped, whether or not the child itself has ended.
pub async fn signal_group(host: &impl Host, leader: Pid, signal: Signal) -> Result<()> {
    let path = Path::new("process group").join(leader.raw().to_string());
    done("signal", &path, host.perform(Effect::SignalGroup { leader, signal }).await)
}

/// Makes an open directory the one in which relative paths start, also those of a program that we become.
pub async fn change_dir(host: &impl Host, dir: &File) -> Result<()> {
    let effect = Effect::ChangeDir { handle: dir.handle };
    done("change directory to", &dir.path, host.perform(effect).await)
}

/// Sets the supplementary groups.
pub async fn set_groups(host: &impl Host, gids: Vec<u32>) -> Result<()> {
    done("set groups of", Path::new("this process"), host.perform(Effect::SetGroups { gids }).await)
}

/// Becomes a group, for good.
pub async fn set_gid(host: &impl Host, gid: u32) -> Result<()> {
    let path = Path::new("gid").join(gid.to_string());
    done("become", &path, host.perform(Effect::SetGid { gid }).await)
}

/// Becomes a user, for good.
pub async fn set_uid(host: &impl Host, uid: u32) -> Result<()> {
    let path = Path::new("uid").join(uid.to_string());
    done("become", &path, host.perform(Effect::SetUid { uid }).await)
}

/// Sets the permission bits that new files never get.
pub async fn set_umask(host: &impl Host, mask: u32) -> Result<()> {
    done("set", Path::new("umask"), host.perform(Effect::SetUmask { mask }).await)
}

/// From now on these signals are events of [`wait`].
pub async fn trap(host: &impl Host, signals: &[Signal]) -> Result<()> {
    let effect = Effect::Trap { signals: signals.to_vec() };
    done("trap", Path::new("signals"), host.perform(effect).await)
}

/// Waits for the first of several events.
pub async fn wait(host: &impl Host, interests: Interests) -> Result<Event> {
    match host.perform(Effect::Wait { interests }).await {
        Ok(Answer::Event(event)) => Ok(event),
        other => Err(failed("wait for", Path::new("events"), other)),
    }
}

/// A pipe: read end, write end.
pub async fn pipe(host: &impl Host) -> Result<(File, File)> {
    let path = Path::new("pipe");
    match host.perform(Effect::Pipe).await {
        Ok(Answer::Pair(read, write)) => Ok((
            File { handle: read, path: path.to_owned() },
            File { handle: write, path: path.to_owned() },
        )),
        other => Err(failed("make", path, other)),
    }
}

/// Takes over a descriptor that this process was started with.
pub async fn inherited(host: &impl Host, descriptor: i32) -> Result<File> {
    let path = Path::new("descriptor").join(descriptor.to_string());
    match host.perform(Effect::Inherited { descriptor }).await {
        Ok(Answer::Handle(handle)) => Ok(File { handle, path }),
        other => Err(failed("take over", &path, other)),
    }
}

/// Prints a prefix of `bytes` and returns its length. Waits for the reader, at most for `patience` if one is given:
/// then `EAGAIN`.
pub async fn print(
    host: &impl Host,
    stream: Stream,
    bytes: &[u8],
    patience: Option<Duration>,
) -> Result<usize> {
    let name = match stream {
        Stream::Out => "standard output",
        Stream::Err => "standard error",
    };
    match host.perform(Effect::Print { stream, bytes: bytes.to_vec(), patience }).await {
        Ok(Answer::Count(count)) => Ok(count),
        other => Err(failed("write", Path::new(name), other)),
    }
}
