//! `hermes boot main -- CMD…` (hidden): PID 1's service for the container's command. Waits for the gateways, then
//! becomes the command.

use std::path::PathBuf;

use crate::cli::args::MainArgs;
use crate::cli::invocation::Invocation;
use crate::cli::output::Output;
use crate::cli::slot;
use crate::error::{Errno, HostError};
use crate::host::Host;
use crate::ops::init::command;

const NOT_READY: &str = "the gateways are not looked after yet; the command starts all the same";

/// As a shell: it could not be prepared, it could not be executed, it is not there.
const UNPREPARED: u8 = 111;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Returns only when the command cannot be started.
pub(super) async fn run<H: Host>(
    host: &H,
    invocation: &Invocation,
    output: &Output<'_, H>,
    args: &MainArgs,
) -> u8 {
    let env = match prepare(host, invocation, output, args).await {
        Ok(invocation) => invocation.env,
        Err(error) => {
            output.print_error(&format!("✗ {error}\n")).await;
            return UNPREPARED;
        }
    };
    let error = command::become_command(host, &args.command, &args.cwd, &env).await;
    output.print_error(&format!("✗ {error}\n")).await;
    if error.errno == Errno::NOENT { NOT_FOUND } else { NOT_EXECUTABLE }
}

async fn prepare<H: Host>(
    host: &H,
    invocation: &Invocation,
    output: &Output<'_, H>,
    args: &MainArgs,
) -> Result<Invocation, HostError> {
    let invocation = slot::in_container(host, invocation).await?;
    let bin_dir = invocation.var("HERMES_S6_BIN_DIR").map(PathBuf::from);
    if args.wait && !command::wait_for_gateways(host, bin_dir).await? {
        output.print_notes(&[NOT_READY.to_owned()]).await;
    }
    command::enter(host, &args.cwd, args.user).await?;
    Ok(invocation)
}
