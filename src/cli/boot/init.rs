//! `hermes boot init -- [CMD…]`: the image's PID 1. Prepares, says what it did, becomes s6-svscan.

use crate::cli::args::InitArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::output::Output;
use crate::host::{Host, proc};
use crate::ops::init;

/// Returns only to say why the container cannot start.
pub(super) async fn run<H: Host>(
    host: &H,
    invocation: &Invocation,
    output: &Output<'_, H>,
    args: &InitArgs,
) -> Result<Exit, CliError> {
    let facts = init::InitInputs {
        uid: invocation.uid,
        pid: invocation.pid,
        env: invocation.env.clone(),
        command: args.command.clone(),
        program: invocation.program.clone(),
    };
    let ready =
        init::run(host, &facts).await.map_err(|error| CliError::Message(error.to_string()))?;
    output.print_notes(&ready.notes).await;
    Err(proc::exec(host, ready.exec).await.into())
}
