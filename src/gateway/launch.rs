//! Starts what the configuration says: the built-in gateway on its port, or the command.
//!
//! Waits for nothing: a command that is not ready at once is watched by `readiness.rs`.

use super::diary::{self, Word};
use super::ending::{self, Ending};
use super::readiness::Probe;
use super::server::Server;
use super::{Context, Core, Phase, Step, Work, child, exit, running};
use crate::error::{Errno, HostError};
use crate::host::fs;
use crate::host::{Host, net, proc, time};
use crate::record::config::{Command, Ready};

pub(super) async fn turn<H: Host>(
    context: &mut Context<'_, H>,
    core: &mut Core,
) -> Result<Step, HostError> {
    core.tally.unproven = true;
    diary::write(context, core, Word::Starting).await;
    diary::write_pid(context, core, None).await;
    match core.config.command.clone() {
        None => built_in(context, core).await,
        Some(command) => start(context, core, &command).await,
    }
}

async fn built_in<H: Host>(
    context: &mut Context<'_, H>,
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
            let ending = Ending::failed(Word::StartupFailed, ending::FAILED, reason);
            Ok(exit::finish(context, core, ending).await)
        }
    }
}

async fn start<H: Host>(
    context: &mut Context<'_, H>,
    core: &mut Core,
    command: &Command,
) -> Result<Step, HostError> {
    let pipe = match core.config.ready {
        Ready::Fd => Some(proc::pipe(context.host).await?),
        Ready::Http | Ready::None => None,
    };
    let (ours, theirs) = pipe.unzip();
    let started = child::start(context, core, command, theirs.as_ref()).await;
    if let Some(theirs) = theirs {
        // Kept open, it would hide that the command closed its own.
        let closed = fs::close(context.host, theirs).await;
        context.note_failure(closed);
    }
    let child = match started {
        Ok(child) => child,
        Err(ending) => return Ok(exit::finish(context, core, ending).await),
    };
    let probe = match core.config.ready {
        Ready::None => return running::enter(context, core, Work::Command(child)).await,
        Ready::Fd => Probe::Pipe(ours),
        Ready::Http => Probe::default(),
    };
    let until = time::boot(context.host).await? + core.config.ready_timeout.0;
    Ok(Step::To(Phase::Warming { child, probe, until }))
}
