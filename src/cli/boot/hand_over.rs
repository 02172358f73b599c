//! `hermes boot hand-over` (hidden): a boot hook for a foreign image, whose scan directory belongs to root's s6-svscan.
//!
//! Runs as root once that listens: hands the directory and its control FIFO over to hermes, then makes a pass as hermes.
//! Each slot's logger, which starts as root, hands its slot over.

use crate::backend::s6::hand_over;
use crate::cli::errors::CliError;
use crate::cli::invocation::Invocation;
use crate::cli::session;
use crate::host::Host;
use crate::ops::identity;

const NO_HERMES: &str =
    "this container has no user `hermes`: add one to `/etc/passwd` before the hook";

/// Records who hermes is, and gives hermes what it must have to make slots.
pub(super) async fn run<H: Host>(host: &H, invocation: &Invocation) -> Result<(), CliError> {
    let scan_dir = session::scan_dir(host, invocation).await;
    let hermes = identity::from_users(host).await?;
    let hermes = hermes.ok_or_else(|| CliError::Message(NO_HERMES.to_owned()))?;
    // Before anything is hermes', so that no command typed as root stays root.
    identity::write_record(host, hermes).await?;
    hand_over::scan_dir(host, &scan_dir, hermes).await?;
    Ok(())
}
