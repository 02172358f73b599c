//! The files that the gateway writes about itself: the state file and `gateway.pid`.
//!
//! A gateway does not end because its state file cannot be written: that is noted once, and the next write tries again
//! (`running.rs` does so every ten seconds). Each write holds all our keys, so that the next one makes up for a lost
//! one. Nothing here decides the state.

use std::time::Duration;

use serde_json::Value;

use super::{Core, TurnContext};
use crate::error::HostError;
use crate::host::{Host, time};
use crate::record::identity::Process;
use crate::record::{file, pidfile, state};

/// The values of `gateway_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum GatewayState {
    Starting,
    Running,
    Draining,
    Stopped,
    StartupFailed,
}

impl GatewayState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::StartupFailed => "startup_failed",
        }
    }
}

/// Writes the state of a live gateway.
pub(super) async fn write_live_state<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    gateway_state: GatewayState,
) {
    let mut changes = common_changes(core, gateway_state);
    changes.push(("pid", core.own_process.pid.into()));
    changes.push(("start_time", core.own_process.start_time.into()));
    update_state_file(context, core, changes).await;
}

/// Writes that we are ready from now on.
pub(super) async fn write_ready<H: Host>(context: &mut TurnContext<'_, H>, core: &mut Core) {
    let mut changes = common_changes(core, GatewayState::Running);
    changes.push(("pid", core.own_process.pid.into()));
    changes.push(("start_time", core.own_process.start_time.into()));
    changes.push(("started_at", Value::Null));
    update_state_file(context, core, changes).await;
}

/// Writes our final state: the process is about to be gone.
pub(super) async fn write_final_state<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    gateway_state: GatewayState,
) {
    let mut changes = common_changes(core, gateway_state);
    changes.push(("pid", Value::Null));
    changes.push(("start_time", Value::Null));
    update_state_file(context, core, changes).await;
}

type Changes = Vec<(&'static str, Value)>;

fn common_changes(core: &Core, gateway_state: GatewayState) -> Changes {
    let tally = &core.tally;
    let failures = if tally.failures == 0 { Value::Null } else { tally.failures.into() };
    let unproven = if tally.unproven { Value::Bool(true) } else { Value::Null };
    vec![
        ("gateway_state", gateway_state.as_str().into()),
        ("boot_id", core.own_process.boot.0.clone().into()),
        ("port", core.port.into()),
        ("exit_reason", tally.reason.clone().map_or(Value::Null, Value::String)),
        ("failures", failures),
        ("retry_at", tally.retry_at.map_or(Value::Null, Value::from)),
        ("intent_sequence", tally.sequence.map_or(Value::Null, Value::from)),
        ("unproven", unproven),
    ]
}

async fn update_state_file<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    changes: Changes,
) {
    let path = context.setup.layout.state(&context.setup.profile);
    match stamp_and_update(context.host, &path, changes).await {
        Ok(()) => {
            let trouble = core.state_file_error.take();
            if trouble.is_some() {
                context.add_note(format_args!("`{}` is written again", path.display()));
            }
        }
        Err(error) => {
            let known = core.state_file_error.replace(error.errno) == Some(error.errno);
            if !known {
                context.add_note(format_args!("goes on without writing its state: {error}"));
            }
        }
    }
}

async fn stamp_and_update(
    host: &impl Host,
    path: &std::path::Path,
    mut changes: Changes,
) -> Result<(), HostError> {
    let now = Value::from(timestamp(time::wall(host).await?));
    for change in &mut changes {
        if change.0 == "started_at" {
            change.1 = now.clone();
        }
    }
    changes.push(("updated_at", now));
    state::update(host, path, changes).await
}

/// A time of the wall clock as ISO-8601 UTC, in whole seconds.
fn timestamp(wall: Duration) -> String {
    let seconds = i64::try_from(wall.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// Records our identity and our child's in `gateway.pid`.
pub(super) async fn write_pidfile<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &Core,
    child: Option<Process>,
) {
    let path = context.setup.layout.pidfile(&context.setup.profile);
    let supervised = context.setup.supervised;
    let gateway = pidfile::PidRecord { process: core.own_process.clone(), child, supervised };
    let written = pidfile::write(context.host, &path, &gateway).await;
    context.record_failure(written);
}

/// Removes `gateway.pid`: best effort, because it means nothing without the lock.
pub(super) async fn remove_pidfile<H: Host>(context: &mut TurnContext<'_, H>) {
    let path = context.setup.layout.pidfile(&context.setup.profile);
    let removed = file::remove(context.host, &path).await;
    context.record_failure(removed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, "1970-01-01T00:00:00Z")]
    #[case(1_767_225_600, "2026-01-01T00:00:00Z")]
    fn a_moment_is_written_in_utc(#[case] seconds: u64, #[case] expected: &str) {
        assert_eq!(timestamp(Duration::from_millis(seconds * 1000 + 999)), expected);
    }
}
