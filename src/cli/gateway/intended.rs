//! `hermes gateway intended` (hidden): systemd runs it before it starts a unit (`ExecCondition=`).
//!
//! A unit is enabled a moment before the intent is durable, and disabled a moment after: a power cut in between must
//! not decide. Prints only errors.

use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;
use crate::ops::OpsError;
use crate::record::intent::{self, Intent};

/// The meaning of the exit code for systemd.
const START: u8 = 0;
const SKIP: u8 = 1;
/// A failure, which systemd retries.
const TRY_AGAIN: u8 = 255;

/// The answer as an exit code.
pub(super) async fn run<H: Host>(session: &Session<'_, H>, output: &Output<'_, H>) -> u8 {
    let in_force = intent::read_in_force(session.host, &session.layout, &session.profile).await;
    match in_force.map(|inferred| inferred.intent) {
        Ok(Intent::Running) => START,
        Ok(Intent::Stopped) if planted!(IntentNotCheckedAtStart) => START,
        Ok(Intent::Stopped) => SKIP,
        Err(warning) => {
            output.print_error(&format!("✗ {}\n", OpsError::from(warning))).await;
            TRY_AGAIN
        }
    }
}
