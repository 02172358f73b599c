//! One live gateway a profile: the lock, and what to do if another process holds it.
//!
//! ```text
//!   supervised, and the holder is a supervised gateway of this boot: its supervisor is dead, or we would not have been
//!     started. It is an orphan: TERM ─(its drain time)─► KILL, then the lock is ours.
//!   supervised, any other holder (by hand, another container): wait, looking each second. No exit, no crash loop.
//!   not supervised: exit 1 and say who holds it.
//! ```
//!
//! The lock file is never unlinked, and nothing of the state file is touched before the lock is held. Processes are
//! signalled through handles that cannot mean another process.

use std::time::Duration;

use super::exit_reason::{self, ExitReason};
use super::stop::{self, SignalMeaning};
use super::{Core, Phase, Step, TurnContext, backoff, exit};
use crate::error::{Errno, HostError};
use crate::host::effect::{Event, Interests, OpenMode, Signal};
use crate::host::fs::{self, File};
use crate::host::{Host, proc, time};
use crate::record::identity::{self, Process};
use crate::record::{group, pidfile};

/// Poll interval for a lock with an unknown holder.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Poll interval for a lock whose holder is about to end.
const TAKEOVER_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The holder's time beyond its drain time: it may need to SIGKILL its own command.
const GRACE: Duration = Duration::from_secs(1);
/// How long the kernel may take to end a process after SIGKILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(2);
/// Poll interval for processes after SIGKILL.
const KILL_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The progress of taking the lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum LockClaim {
    /// Another process may hold it as long as it likes; this note was given about it.
    Waiting { last_reason: Option<String> },
    /// An orphan was told to end. A signal that we get meanwhile takes effect after the orphan has ended.
    TakingOver { orphan: Process, until: Duration, killed: bool, asked: Option<SignalMeaning> },
}

impl Default for LockClaim {
    fn default() -> Self {
        Self::Waiting { last_reason: None }
    }
}

/// Takes the lock, or `None` while another holds it.
///
/// A POSIX lock: readers see it without taking it (`fs::is_locked`), and a child of ours never holds it. This process
/// must not open the file again once it has the lock: closing any handle of it gives the lock back.
pub(super) async fn try_lock<H: Host>(
    context: &TurnContext<'_, H>,
) -> Result<Option<File>, HostError> {
    let path = context.setup.layout.gateway_lock(&context.setup.profile);
    let lock = fs::open_no_link(context.host, &path, OpenMode::Lock { mode: 0o644 }).await?;
    if planted!(GatewayLockNotTaken) {
        return Ok(Some(lock));
    }
    match fs::lock_record(context.host, &lock).await {
        Ok(()) => Ok(Some(lock)),
        Err(error) => {
            fs::close(context.host, lock).await?;
            if error.errno == Errno::AGAIN { Ok(None) } else { Err(error) }
        }
    }
}

pub(super) async fn turn<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    claim: LockClaim,
) -> Result<Step, HostError> {
    let attempt = try_lock(context).await;
    match (attempt, claim) {
        (Ok(Some(lock)), claim) => take_ownership(context, core, lock, claim).await,
        (Ok(None), LockClaim::Waiting { last_reason }) => {
            handle_holder(context, core, last_reason).await
        }
        (Err(error), LockClaim::Waiting { last_reason }) => {
            wait_or_refuse(context, core, last_reason, error.to_string()).await
        }
        (_, LockClaim::TakingOver { orphan, until, killed, asked }) => {
            take_over(context, core, TakeOver { orphan, until, killed, asked }).await
        }
    }
}

/// We hold the lock: clear away what a dead gateway left, read its failures, go on or end.
async fn take_ownership<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    lock: File,
    claim: LockClaim,
) -> Result<Step, HostError> {
    core.lock = Some(lock);
    clear_dead_command(context, core).await;
    core.tally = backoff::read_tally(context, core).await?;
    match claim {
        LockClaim::TakingOver { asked: Some(stop), .. } => {
            Ok(exit::finish(context, core, ExitReason::Asked(stop)).await)
        }
        _ => backoff::start_or_pause(context, core).await,
    }
}

/// Another holds the lock.
async fn handle_holder<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    last_reason: Option<String>,
) -> Result<Step, HostError> {
    let path = context.setup.layout.pidfile(&context.setup.profile);
    let reading = pidfile::read(context.host, &path).await;
    let holder = match reading.whole() {
        Some(holder)
            if identity::is_alive(context.host, &core.own_process.boot, &holder.process)
                .await? =>
        {
            holder
        }
        _ => {
            let reason = "another gateway of this profile runs, outside this container or unknown";
            return wait_or_refuse(context, core, last_reason, reason.to_owned()).await;
        }
    };
    let pid = holder.process.pid;
    if !(context.setup.supervised && holder.supervised) {
        let reason = format!("another gateway of this profile runs as process {pid}");
        return wait_or_refuse(context, core, last_reason, reason).await;
    }
    mark!("H19");
    context.add_note(format_args!("takes over from process {pid}, whose supervisor is dead"));
    signal_process(context, core, &holder.process, Signal::TERM).await;
    let until = time::boot(context.host).await? + core.config.drain_timeout.0 + GRACE;
    let orphan = holder.process.clone();
    Ok(Step::To(Phase::Claiming(LockClaim::TakingOver {
        orphan,
        until,
        killed: false,
        asked: None,
    })))
}

/// A supervised gateway waits for the lock, any other ends; both say why, once.
async fn wait_or_refuse<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    last_reason: Option<String>,
    reason: String,
) -> Result<Step, HostError> {
    if !context.setup.supervised {
        let ending = ExitReason::failed(
            super::state_file::GatewayState::StartupFailed,
            exit_reason::FAILURE_CODE,
            reason,
        );
        return Ok(exit::finish(context, core, ending).await);
    }
    if last_reason.as_ref() != Some(&reason) {
        context.add_note(format_args!("waits for its lock: {reason}"));
    }
    let until = time::boot(context.host).await? + POLL_INTERVAL;
    match wait(context, until).await? {
        Event::Signal(signal) => {
            let stop = stop::classify(context, core, signal).await;
            Ok(exit::finish(context, core, ExitReason::Asked(stop)).await)
        }
        _ => Ok(Step::To(Phase::Claiming(LockClaim::Waiting { last_reason: Some(reason) }))),
    }
}

struct TakeOver {
    orphan: Process,
    until: Duration,
    killed: bool,
    asked: Option<SignalMeaning>,
}

/// The orphan still holds the lock.
async fn take_over<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    mut over: TakeOver,
) -> Result<Step, HostError> {
    let now = time::boot(context.host).await?;
    if now >= over.until && over.killed {
        return match over.asked {
            Some(stop) => Ok(exit::finish(context, core, ExitReason::Asked(stop)).await),
            None => Ok(Step::To(Phase::Claiming(LockClaim::default()))),
        };
    }
    if now >= over.until {
        context.add_note(format_args!("kills process {}, which does not end", over.orphan.pid));
        signal_process(context, core, &over.orphan, Signal::KILL).await;
        over.killed = true;
        over.until = now + KILL_TIMEOUT;
    }
    let event = wait(context, over.until.min(now + TAKEOVER_POLL_INTERVAL)).await?;
    if let Event::Signal(signal) = event {
        if over.asked.is_none() {
            over.asked = Some(stop::classify(context, core, signal).await);
        }
    }
    let TakeOver { orphan, until, killed, asked } = over;
    Ok(Step::To(Phase::Claiming(LockClaim::TakingOver { orphan, until, killed, asked })))
}

async fn wait<H: Host>(context: &TurnContext<'_, H>, until: Duration) -> Result<Event, HostError> {
    proc::wait(context.host, Interests { until: Some(until), ..Interests::default() }).await
}

/// Signals that very process if it is alive; a failure is only noted, because the lock decides in the end.
async fn signal_process<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &Core,
    process: &Process,
    signal: Signal,
) {
    let handle = identity::open(context.host, &core.own_process.boot, process).await;
    send_and_close(context, handle, signal).await;
}

async fn send_and_close<H: Host>(
    context: &mut TurnContext<'_, H>,
    handle: Result<Option<File>, HostError>,
    signal: Signal,
) {
    let sent = match handle {
        Ok(None) => Ok(()),
        Err(error) => Err(error),
        Ok(Some(handle)) => {
            let sent = proc::signal(context.host, &handle, signal).await;
            let closed = fs::close(context.host, handle).await;
            sent.and(closed)
        }
    };
    match sent {
        Err(error) if error.errno != Errno::SRCH => context.add_note(error),
        _ => {}
    }
}

/// Ends the command of a gateway that died without ending it, all of its group, and waits until it is gone.
async fn clear_dead_command<H: Host>(context: &mut TurnContext<'_, H>, core: &Core) {
    let path = context.setup.layout.pidfile(&context.setup.profile);
    let reading = pidfile::read(context.host, &path).await;
    if let Some(warning) = reading.warning() {
        context.add_note(warning);
    }
    let Some(leader) = reading.whole().and_then(|gateway| gateway.child.clone()) else { return };
    let killed = kill_remaining_group(context, core, &leader).await;
    context.record_failure(killed);
}

async fn kill_remaining_group<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &Core,
    leader: &Process,
) -> Result<(), HostError> {
    let (host, boot) = (context.host, &core.own_process.boot);
    let until = time::boot(host).await? + KILL_TIMEOUT;
    let mut met: Vec<Process> = Vec::new();
    loop {
        let mut left = group::live_members_of(host, boot, leader).await?;
        // The process that started us may belong to that group.
        left.retain(|process| *process != core.own_process);
        for process in &left {
            if !met.contains(process) {
                let pid = process.pid;
                context.add_note(format_args!("kills process {pid}, which a dead gateway left"));
                let handle = group::open(host, boot, leader, process).await;
                send_and_close(context, handle, Signal::KILL).await;
                met.push(process.clone());
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        if time::boot(host).await? >= until {
            for process in left {
                context.add_note(format_args!("process {} does not die", process.pid));
            }
            return Ok(());
        }
        time::sleep(host, KILL_POLL_INTERVAL).await?;
    }
}
