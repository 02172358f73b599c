//! `hermes gateway intended` (hidden): what systemd asks before it starts a unit (`ExecCondition=`).
//!
//! A unit is enabled a moment before the operator's word is durable, and disabled a moment after: a power cut in between
//! must not decide. Prints nothing but what keeps it from answering.

use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;
use crate::record::intent::{self, Intent};
use crate::record::state;

/// What the exit code says to systemd.
const START: u8 = 0;
const SKIP: u8 = 1;
/// A failure, which is tried again.
const TRY_AGAIN: u8 = 255;

/// The answer as an exit code.
pub(super) async fn run<H: Host>(session: &Session<'_, H>, output: &Output<'_, H>) -> u8 {
    let (host, layout) = (session.host, &session.layout);
    let record = intent::read(host, &layout.intent(&session.profile)).await;
    let state = state::read(host, &layout.state(&session.profile)).await;
    if let Some(oddity) = intent::unread(&record, &state) {
        output.err(&format!("✗ {oddity}\n")).await;
        return TRY_AGAIN;
    }
    match intent::at_boot(&record, &state, None).intent {
        Intent::Running => START,
        Intent::Stopped => SKIP,
    }
}
