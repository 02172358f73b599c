//! The command: it is looked up, started in its own process group, recorded in `gateway.pid`, and signalled as a group.
//!
//! Its leader dies with us (parent-death signal). The rest of its group does not: we end it before we exit
//! (`drain.rs`), and after a kill of ours the next gateway does (`ownership.rs`). A process that leaves the group no
//! longer belongs to the command. Nothing here waits for the command.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::exit_reason::{self, ExitReason};
use super::state_file::{self, GatewayState};
use super::{Core, TurnContext, environment};
use crate::error::{Errno, HostError};
use crate::host::effect::{FileKind, Pid, Program, Signal};
use crate::host::fs::{self, File};
use crate::host::{Host, proc};
use crate::record::config::CommandLine;
use crate::record::group;
use crate::record::identity::{self, Process};

/// The descriptor on which a command reports readiness.
const READY_DESCRIPTOR: i32 = 3;

/// The kernel cannot execute it: not a program, or its interpreter is missing.
const NOT_A_PROGRAM: Errno = Errno(8);

/// Starts the command; a failure decides how the gateway ends.
pub(super) async fn start<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    command: &CommandLine,
    ready: Option<&File>,
) -> Result<Pid, ExitReason> {
    let env = environment::command_environment(context.setup, &core.config, core.port);
    let candidates = environment::candidates(context.setup, &env, &command.program);
    let path = match first_executable(context, &candidates).await {
        Ok(Some(path)) => path,
        Ok(None) => return Err(ExitReason::permanent(not_found(command, &env))),
        Err(error) => return Err(not_started(error)),
    };
    let program = Program {
        path,
        args: command.args.iter().map(Into::into).collect(),
        env,
        cwd: Some(context.setup.layout.profile(&context.setup.profile)),
        inherit: ready.map(|file| (file.handle, READY_DESCRIPTOR)).into_iter().collect(),
    };
    let child = proc::spawn(context.host, program).await.map_err(not_started)?;
    core.command = Some(child);
    name(context, core, child).await;
    Ok(child)
}

async fn first_executable<H: Host>(
    context: &TurnContext<'_, H>,
    candidates: &[PathBuf],
) -> Result<Option<PathBuf>, HostError> {
    for path in candidates {
        match fs::meta(context.host, path).await {
            Ok(meta) if meta.kind == FileKind::File && meta.mode & 0o111 != 0 => {
                return Ok(Some(path.clone()));
            }
            Err(error) if !matches!(error.errno, Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => {
                return Err(error);
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}

fn not_found(command: &CommandLine, env: &BTreeMap<OsString, OsString>) -> String {
    let program = &command.program;
    if program.contains('/') {
        format!("the command `{program}` is no executable file")
    } else {
        let path = crate::environment::search_path(env).to_string_lossy();
        format!("the command `{program}` is in no directory of PATH `{path}`")
    }
}

/// A mistake in the configuration is permanent; a shortage of the machine may pass.
fn not_started(error: HostError) -> ExitReason {
    match error.errno {
        Errno::NOENT | Errno::ACCESS | NOT_A_PROGRAM => ExitReason::permanent(error.to_string()),
        _ => ExitReason::failed(
            GatewayState::StartupFailed,
            exit_reason::FAILURE_CODE,
            error.to_string(),
        ),
    }
}

/// Records the child in `gateway.pid`, for the next gateway in case we are killed.
async fn name<H: Host>(context: &mut TurnContext<'_, H>, core: &Core, child: Pid) {
    let number = child.raw().unsigned_abs();
    match identity::read_stat(context.host, number).await {
        // It may have ended by now, but its group may live.
        Ok(stat) => {
            let boot = core.own_process.boot.clone();
            let named =
                |stat: identity::Stat| Process { pid: number, start_time: stat.start_time, boot };
            state_file::write_pidfile(context, core, stat.map(named)).await;
        }
        Err(error) => context.add_note(error),
    }
}

/// Signals the command's whole process group.
pub(super) async fn signal<H: Host>(context: &mut TurnContext<'_, H>, child: Pid, signal: Signal) {
    let sent = proc::signal_group(context.host, child, signal).await;
    match sent {
        Err(error) if error.errno != Errno::SRCH => context.add_note(error),
        _ => {}
    }
}

/// Is any process alive in the group of a command whose leader has ended? `None` if that cannot be found out.
pub(super) async fn has_live_members<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &Core,
    leader: Pid,
) -> Option<bool> {
    match group::members(context.host, &core.own_process.boot, leader.raw()).await {
        Ok(members) => Some(!members.is_empty()),
        Err(error) => {
            context.add_note(error);
            None
        }
    }
}

/// The gateway ends: no process of the command may outlive it. SIGKILL to the group also reaches processes forked after
/// our last scan of `/proc`. It is sent before the leader is reaped, while the group's number cannot belong to another
/// group.
pub(super) async fn kill_group_and_reap<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
) {
    let Some(leader) = core.command.take() else { return };
    signal(context, leader, Signal::KILL).await;
    match proc::reap(context.host, leader).await {
        // It is dying, and is reaped with us.
        Err(error) if error.errno == Errno::AGAIN => {}
        reaped => context.record_failure(reaped),
    }
}
