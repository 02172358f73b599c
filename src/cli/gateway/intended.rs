//! `hermes gateway intended` (hidden): what systemd asks before it starts a unit (`ExecCondition=`).
//!
//! A unit is enabled a moment before the operator's word is durable, and disabled a moment after: a power cut in between
//! must not decide. Prints nothing but what keeps it from answering.

use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;
use crate::ops::OpsError;
use crate::record::intent::{self, Intent};

/// What the exit code says to systemd.
const START: u8 = 0;
const SKIP: u8 = 1;
/// A failure, which is tried again.
const TRY_AGAIN: u8 = 255;

/// The answer as an exit code.
pub(super) async fn run<H: Host>(session: &Session<'_, H>, output: &Output<'_, H>) -> u8 {
    let word = intent::read_in_force(session.host, &session.layout, &session.profile).await;
    match word.map(|prior| prior.intent) {
        Ok(Intent::Running) => START,
        Ok(Intent::Stopped) if planted!(IntentNotCheckedAtStart) => START,
        Ok(Intent::Stopped) => SKIP,
        Err(oddity) => {
            output.print_error(&format!("✗ {}\n", OpsError::from(oddity))).await;
            TRY_AGAIN
        }
    }
}
