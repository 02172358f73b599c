//! Starts what is configured: the built-in gateway on its port, or the command.
//!
//! Waits for nothing: a command that is not ready at once is watched by `readiness.rs`.

use super::exit_reason::{self, ExitReason};
use super::readiness::ReadinessProbe;
use super::server::Server;
use super::state_file::{self, GatewayState};
use super::{Core, Phase, Step, TurnContext, Work, child, exit, running};
use crate::error::{Errno, HostError};
use crate::host::fs;
use crate::host::{Host, net, proc, time};
use crate::record::config::{CommandLine, ReadinessMethod};

pub(super) async fn turn<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
) -> Result<Step, HostError> {
    core.tally.unproven = true;
    state_file::write_live_state(context, core, GatewayState::Starting).await;
    state_file::write_pidfile(context, core, None).await;
    match core.config.command.clone() {
        None => start_built_in(context, core).await,
        Some(command) => start_command(context, core, &command).await,
    }
}

async fn start_built_in<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
) -> Result<Step, HostError> {
    match net::listen(context.host, core.port).await {
        Ok(listener) => running::enter(context, core, Work::BuiltIn(Server::new(listener))).await,
        Err(error) => {
            let mut reason = error.to_string();
            if error.errno == Errno::ADDRINUSE {
                let config = context.setup.layout.config(&context.setup.profile);
                reason.push_str(&format!("; `port` in `{}` chooses another", config.display()));
            }
            let ending =
                ExitReason::failed(GatewayState::StartupFailed, exit_reason::FAILURE_CODE, reason);
            Ok(exit::finish(context, core, ending).await)
        }
    }
}

async fn start_command<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    command: &CommandLine,
) -> Result<Step, HostError> {
    let pipe = match core.config.ready {
        ReadinessMethod::Fd => Some(proc::pipe(context.host).await?),
        ReadinessMethod::Http | ReadinessMethod::None => None,
    };
    let (ours, theirs) = pipe.unzip();
    let started = child::start(context, core, command, theirs.as_ref()).await;
    if let Some(theirs) = theirs {
        // If ours stayed open, we would not notice that the command closed its own.
        let closed = fs::close(context.host, theirs).await;
        context.record_failure(closed);
    }
    let child = match started {
        Ok(child) => child,
        Err(ending) => return Ok(exit::finish(context, core, ending).await),
    };
    let probe = match core.config.ready {
        ReadinessMethod::None => return running::enter(context, core, Work::Command(child)).await,
        ReadinessMethod::Fd => ReadinessProbe::Pipe(ours),
        ReadinessMethod::Http => ReadinessProbe::default(),
    };
    let until = time::boot(context.host).await? + core.config.ready_timeout.0;
    Ok(Step::To(Phase::AwaitingReadiness { child, probe, until }))
}
