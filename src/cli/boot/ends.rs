//! `hermes boot main-finish`, `gateways-finish` and `exit-code` (hidden): how PID 1's services ended, and the container.

use super::super::args::{BootCommand, FinishArgs};
use super::super::errors::CliError;
use crate::host::Host;
use crate::ops::init::command;

/// The exit code that s6, or the engine, is to get.
pub(super) async fn run<H: Host>(host: &H, command: &BootCommand) -> Result<u8, CliError> {
    Ok(match command {
        BootCommand::MainFinish(args) => {
            command::command_ended(host, args.code, signal(args)).await?;
            0
        }
        BootCommand::GatewaysFinish(args) => command::gateways_ended(host, args.code).await?,
        _ => command::exit_code(host).await?,
    })
}

/// s6 says 0 where no signal ended the process.
fn signal(args: &FinishArgs) -> u32 {
    let signal = args.rest.first().and_then(|word| word.to_str());
    signal.and_then(|word| word.parse().ok()).unwrap_or(0)
}
