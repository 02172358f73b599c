//! Floor 5: the long-running process of one profile, `hermes gateway run`.
//!
//! ```text
//!   begin ─► Claiming ─► Pausing ─► Launching ─┬─(built-in, or `ready = "none"`)─► Running ─► Draining ─► exit
//!            the lock    back-off              └─► Warming ─(ready)────────────────►┘            ▲
//!                                                     └─(ready_timeout, signal)──────────────────┘
//!   state file:          starting   starting       starting                      running     draining    stopped |
//!                                                                                             running | startup_failed
//! ```
//!
//! The loop is cut into turns: [`turn`] goes from one small hashable [`TurnState`] to the next and waits at most once, for
//! the first of several events. So a simulator can stop, copy and compare a gateway between any two turns. Texts for
//! people come back as notes, one line each.
//!
//! Nothing here prints, reads the environment or reads a clock by itself: everything goes through the effect interface.
//! Nothing here writes the intent: only operators' commands do. The state file, `gateway.pid` and the lock are this
//! process's own, and it writes the first two only while it holds the third.
//!
//! Signals: TERM, INT and HUP end the gateway, and the first one decides how (`stop.rs`); later ones change nothing.
//! HUP is what a foreground gateway gets when its terminal goes away: it counts as TERM.
//!
//! A command is its whole process group. The leader's exit says how the command ended, but the gateway does not exit
//! before the rest of the group has: `drain.rs`.
//!
//! Exit codes: 0 a planned stop, or a command that exited 0 · 1 failed to start, named · 75 a restart was planned ·
//! 78 the configuration is wrong, or `failures_max` was reached · 128+n an unplanned signal n (143 for TERM), or a command that
//! signal n ended · else the command's own code.

mod backoff;
mod child;
mod drain;
mod environment;
mod exit;
mod exit_reason;
mod http;
mod launch;
mod ownership;
mod readiness;
mod running;
mod server;
mod startup;
mod state_file;
mod stop;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Errno, HostError};
use crate::host::Host;
use crate::host::effect::{Pid, Signal};
use crate::host::fs::File;
use crate::layout::Layout;
use crate::name::Profile;
use crate::record::config::Config;
use crate::record::identity::Process;

use backoff::FailureTally;
use exit_reason::ExitReason;
use ownership::LockClaim;
use readiness::ReadinessProbe;
use server::Server;

/// What `main` collected for one gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Setup {
    /// The paths; the root must be absolute.
    pub layout: Layout,
    /// The profile.
    pub profile: Profile,
    /// The container's whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Our own process number.
    pub pid: u32,
    /// The descriptor that gets a newline once the gateway is ready (`notification-fd` of s6).
    pub notify: Option<i32>,
    /// A supervisor started us (`HERMES_S6_SUPERVISED_CHILD`, `HERMES_SUPERVISED_CHILD`).
    pub supervised: bool,
}

/// A gateway between two turns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TurnState {
    core: Core,
    phase: Phase,
}

/// The result of one turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Turn {
    /// The next state, or the end.
    pub next: Next,
    /// Notes for people, one line each, in order.
    pub notes: Vec<String>,
}

/// The next state, or the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// Call [`turn`] with it.
    Continue(Box<TurnState>),
    /// Exit with this code; the lock goes with the process.
    Exit(u8),
}

/// The state that all phases share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Core {
    own_process: Process,
    config: Arc<Config>,
    port: u16,
    /// The readiness descriptor; open until we are ready.
    notify: Option<File>,
    /// The command's leader, until it is reaped: its group can be signalled that long.
    command: Option<Pid>,
    /// Held while this is `Some`; the state file is ours only then.
    lock: Option<File>,
    /// Why the last write of the state file failed.
    state_file_error: Option<Errno>,
    tally: FailureTally,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Waits for the lock.
    Claiming(LockClaim),
    /// Holds the lock and waits out the back-off after an earlier failure.
    Pausing { until: Duration },
    /// About to start what the configuration says.
    Launching,
    /// The command runs and has not reported readiness.
    AwaitingReadiness { child: Pid, probe: ReadinessProbe, until: Duration },
    /// Ready. `stable_at` is `None` once it has run for `stable_after`.
    Running { work: Work, stable_at: Option<Duration> },
    /// Told to end; remaining work may take until `until`.
    Draining { work: Work, exit_reason: ExitReason, until: Duration, killed: bool },
    /// Ended in a failure that could not be recorded: the exit itself is delayed, because nothing else slows the next
    /// start.
    HoldingExit { code: u8, until: Duration },
}

/// What does the gateway's work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Work {
    BuiltIn(Server),
    Command(Pid),
    /// The command's leader has ended and is not reaped; other processes of its group may be alive. The next check
    /// comes at `next_check`, or if `/proc` cannot be read, when the drain time is over.
    RemainingGroup {
        leader: Pid,
        next_check: Option<Duration>,
    },
}

/// The result of a phase.
enum Step {
    To(Phase),
    Exit(u8),
}

/// The context of one turn.
struct TurnContext<'a, H> {
    host: &'a H,
    setup: &'a Setup,
    notes: Vec<String>,
}

impl<H> TurnContext<'_, H> {
    fn add_note(&mut self, text: impl std::fmt::Display) {
        self.notes.push(format!("gateway '{}': {text}", self.setup.profile));
    }

    /// Records a failure that changes nothing else.
    fn record_failure<T>(&mut self, result: Result<T, HostError>) {
        if let Err(error) = result {
            self.add_note(error);
        }
    }
}

/// The signals that end a gateway.
const SIGNALS: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

/// The first turn: from here on signals are events, never the end of the process. Waits for nothing.
pub async fn begin(host: &impl Host, setup: &Setup) -> Turn {
    let mut context = TurnContext { host, setup, notes: Vec::new() };
    let next = match startup::begin(&mut context).await {
        Ok((core, Step::To(phase))) => Next::Continue(Box::new(TurnState { core, phase })),
        Ok((_, Step::Exit(code))) => Next::Exit(code),
        Err(error) => {
            context.add_note(error);
            Next::Exit(exit_reason::FAILURE_CODE)
        }
    };
    Turn { next, notes: context.notes }
}

/// One turn of the loop: waits at most once, for the first of several events, and handles it.
pub async fn turn(host: &impl Host, setup: &Setup, state: TurnState) -> Turn {
    let TurnState { mut core, phase } = state;
    let mut context = TurnContext { host, setup, notes: Vec::new() };
    let broken = FailedPhase::from_phase(&phase);
    let step = match step(&mut context, &mut core, phase).await {
        Ok(step) => step,
        Err(error) => {
            context.add_note(&error);
            exit::finish(&mut context, &mut core, broken.ending(&error)).await
        }
    };
    let next = match step {
        Step::To(phase) => Next::Continue(Box::new(TurnState { core, phase })),
        Step::Exit(code) => Next::Exit(code),
    };
    Turn { next, notes: context.notes }
}

async fn step<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    phase: Phase,
) -> Result<Step, HostError> {
    match phase {
        Phase::Claiming(claim) => ownership::turn(context, core, claim).await,
        Phase::Pausing { until } => backoff::turn(context, core, until).await,
        Phase::Launching => launch::turn(context, core).await,
        Phase::AwaitingReadiness { child, probe, until } => {
            readiness::turn(context, core, child, probe, until).await
        }
        Phase::Running { work, stable_at } => running::turn(context, core, work, stable_at).await,
        Phase::Draining { work, exit_reason: ending, until, killed } => {
            drain::turn(context, core, drain::Drain { work, exit_reason: ending, until, killed })
                .await
        }
        Phase::HoldingExit { code, until } => exit::part(context, core, code, until).await,
    }
}

/// How a gateway ends if the machine fails in the middle of a turn (no clock, no events): an end that was already
/// decided stays.
enum FailedPhase {
    Decided(ExitReason),
    Ready,
    NotReady,
}

impl FailedPhase {
    fn from_phase(phase: &Phase) -> Self {
        match phase {
            Phase::Draining { exit_reason: ending, .. } => Self::Decided(ending.clone()),
            Phase::Running { .. } | Phase::HoldingExit { .. } => Self::Ready,
            _ => Self::NotReady,
        }
    }

    fn ending(self, error: &HostError) -> ExitReason {
        let final_state = match self {
            Self::Decided(ending) => return ending,
            Self::Ready => state_file::GatewayState::Running,
            Self::NotReady => state_file::GatewayState::StartupFailed,
        };
        ExitReason::failed(final_state, exit_reason::FAILURE_CODE, error.to_string())
    }
}
