//! The drain: the work is told to end, may take `drain_timeout`, and is then killed.
//!
//! The built-in gateway stops listening and answers the requests it already has. A command's group gets TERM (or the
//! INT that we got), and KILL when the time is over. The leader's exit is not the end of the group: the remaining
//! processes have the same time, and `/proc` is scanned until none is left. Further signals change nothing; only a
//! drain that no signal began takes the first one as its reason.

use std::time::Duration;

use super::exit_reason::ExitReason;
use super::server::{self, ServeState};
use super::state_file::{self, GatewayState};
use super::{Core, Phase, Step, TurnContext, Work, child, exit, stop};
use crate::error::HostError;
use crate::host::effect::{Event, Pid, Signal};
use crate::host::{Host, proc, time};

/// The signal for a command that we end by ourselves.
pub(super) const OWN_SIGNAL: Signal = Signal::TERM;

/// How long the kernel may take to end a command after SIGKILL. Our supervisor kills us a second after the drain time.
const DEATH: Duration = Duration::from_millis(500);

/// Poll interval for the rest of a command's group.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A gateway that drains.
pub(super) struct Drain {
    pub(super) work: Work,
    pub(super) exit_reason: ExitReason,
    pub(super) until: Duration,
    pub(super) killed: bool,
}

/// Tells the work to end. The command is signalled before the state file is written: a slow disk must not shorten its
/// drain time.
pub(super) async fn begin<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    mut work: Work,
    ending: ExitReason,
    signal: Signal,
) -> Result<Step, HostError> {
    let until = time::boot(context.host).await? + core.config.drain_timeout.0;
    match &mut work {
        Work::Command(child) => {
            // A command takes SIGHUP for "read your configuration again": it gets SIGTERM, which is what SIGHUP means
            // to us.
            let signal = if signal == Signal::INT { signal } else { OWN_SIGNAL };
            child::signal(context, *child, signal).await;
        }
        Work::RemainingGroup { .. } => {}
        Work::BuiltIn(server) => server::stop_listening(context, core, server).await,
    }
    context.add_note(format_args!("draining: {}", ending.reason()));
    if let ExitReason::Asked(_) = ending {
        state_file::write_live_state(context, core, GatewayState::Draining).await;
    }
    next(context, core, Drain { work, exit_reason: ending, until, killed: false }).await
}

/// The command's leader ended by itself. Other processes of its group are told to end; usually there are none.
pub(super) async fn drain_remaining<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    work: Work,
    ending: ExitReason,
) -> Result<Step, HostError> {
    let Work::Command(leader) = work else {
        return Ok(exit::finish(context, core, ending).await);
    };
    let now = time::boot(context.host).await?;
    match check_remaining(context, core, leader, now).await {
        None => Ok(exit::finish(context, core, ending).await),
        Some(work) => {
            child::signal(context, leader, OWN_SIGNAL).await;
            context.add_note(format_args!("ends what its command left: {}", ending.reason()));
            let until = now + core.config.drain_timeout.0;
            Ok(Step::To(Phase::Draining { work, exit_reason: ending, until, killed: false }))
        }
    }
}

/// Checks for remaining processes of a command; `None` if none is left.
async fn check_remaining<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &Core,
    leader: Pid,
    now: Duration,
) -> Option<Work> {
    match child::has_live_members(context, core, leader).await {
        Some(false) => None,
        Some(true) => Some(Work::RemainingGroup { leader, next_check: Some(now + POLL_INTERVAL) }),
        None => Some(Work::RemainingGroup { leader, next_check: None }),
    }
}

pub(super) async fn turn<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    mut drain: Drain,
) -> Result<Step, HostError> {
    let mut interests = drain.work.interests(context.host).await?;
    interests.until = time::earliest([interests.until, Some(drain.until)]);
    let event = proc::wait(context.host, interests).await?;
    let now = time::boot(context.host).await?;
    match (event, &mut drain.work) {
        (Event::Child(_), Work::Command(leader)) => {
            drain.work = Work::RemainingGroup { leader: *leader, next_check: Some(now) };
        }
        (Event::Signal(signal), _) => {
            if matches!(drain.exit_reason, ExitReason::Failed(_)) || planted!(SecondSignalDecides) {
                drain.exit_reason = ExitReason::Asked(stop::classify(context, core, signal).await);
            } else {
                mark!("H2");
            }
        }
        (event, Work::BuiltIn(server)) => {
            server::handle_event(context, core, server, ServeState::Draining, event, now).await;
        }
        (_, Work::Command(_) | Work::RemainingGroup { .. }) => {}
    }
    if let Work::RemainingGroup { leader, next_check: Some(at) } = drain.work {
        if now >= at {
            match check_remaining(context, core, leader, now).await {
                None => return Ok(exit::finish(context, core, drain.exit_reason).await),
                Some(rest) => drain.work = rest,
            }
        }
    }
    if now >= drain.until {
        cut_off(context, core, drain, now).await
    } else {
        next(context, core, drain).await
    }
}

/// The end, if nothing is left to do.
async fn next<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    drain: Drain,
) -> Result<Step, HostError> {
    let Drain { work, exit_reason: ending, until, killed } = drain;
    match &work {
        Work::BuiltIn(server) if server.is_empty() => Ok(exit::finish(context, core, ending).await),
        _ => Ok(Step::To(Phase::Draining { work, exit_reason: ending, until, killed })),
    }
}

/// The time is over.
async fn cut_off<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    drain: Drain,
    now: Duration,
) -> Result<Step, HostError> {
    mark!("H16");
    let Drain { work, exit_reason: ending, .. } = drain;
    match work {
        Work::Command(child) if !drain.killed => {
            context.add_note(format_args!("kills the command, which does not end by itself"));
            child::signal(context, child, Signal::KILL).await;
            Ok(Step::To(Phase::Draining {
                work,
                exit_reason: ending,
                until: now + DEATH,
                killed: true,
            }))
        }
        Work::RemainingGroup { leader, .. } if !drain.killed => {
            context.add_note(format_args!(
                "kills what its command left, which does not end by itself"
            ));
            child::signal(context, leader, Signal::KILL).await;
            let work = Work::RemainingGroup { leader, next_check: Some(now) };
            Ok(Step::To(Phase::Draining {
                work,
                exit_reason: ending,
                until: now + DEATH,
                killed: true,
            }))
        }
        Work::RemainingGroup { leader, .. } => {
            let group = leader.raw();
            context
                .add_note(format_args!("leaves process group {group} behind, which does not die"));
            Ok(exit::finish(context, core, ending).await)
        }
        Work::Command(child) => {
            context.add_note(format_args!(
                "leaves process {} behind, which does not die",
                child.raw()
            ));
            Ok(exit::finish(context, core, ending).await)
        }
        Work::BuiltIn(server) => {
            server::close_all(context, server).await;
            Ok(exit::finish(context, core, ending).await)
        }
    }
}
