//! `hermes boot stop PID` (hidden): what the gateways' s6-svscan runs when it gets SIGTERM. Stops it, in order.

use crate::backend::s6::S6;
use crate::cli::args::BootStopArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::host::Host;
use crate::ops::init::Settings;

/// Returns when that scanner is gone.
pub(super) async fn run<H: Host>(
    host: &H,
    invocation: &Invocation,
    args: &BootStopArgs,
) -> Result<Exit, CliError> {
    let settings =
        Settings::read(&invocation.env).map_err(|error| CliError::Message(error.to_string()))?;
    let s6 = S6::open(host, settings.scan_dir, settings.bin_dir).await;
    s6.stop_scanner(args.scanner).await?;
    Ok(Exit::Done)
}
