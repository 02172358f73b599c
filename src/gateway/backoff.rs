//! Back-off: how long a failing gateway waits before it tries again, and what is remembered for that.
//!
//! The count lives in the state file, so it survives the container. A start is recorded as `unproven` before it is
//! attempted. If a later start finds that record in the same boot, the gateway was killed before it had run for
//! `stable_after`, and a failure is counted. In another boot the record proves nothing: the container went down with
//! the gateway.
//!
//! A new request of the operator begins the count anew: the intent's sequence number is remembered with it. Nothing
//! here starts or stops anything.

use std::time::Duration;

use serde_json::{Map, Value};

use super::exit_reason::ExitReason;
use super::{Core, Phase, Step, TurnContext, exit, state_file, stop};
use crate::error::HostError;
use crate::host::effect::{Event, Interests};
use crate::host::{Host, proc, time};
use crate::record::config::Restart;
use crate::record::identity::BootId;
use crate::record::json::{self, ReadWarning, Reading};
use crate::record::{intent, state};

/// How often a waiting gateway checks for a new request of the operator.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// What is remembered from start to start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct FailureTally {
    /// Failures one after the other.
    pub(super) failures: u32,
    /// The second of the wall clock before which there is no next try.
    pub(super) retry_at: Option<u64>,
    /// Why the last one ended.
    pub(super) reason: Option<String>,
    /// The sequence number of the operator's request that these failures belong to; `None` as long as it cannot be
    /// read.
    pub(super) sequence: Option<u64>,
    /// Started, and has not yet run for `stable_after`.
    pub(super) unproven: bool,
}

impl FailureTally {
    /// From the state file, as far as it concerns the operator's latest request.
    fn from_state_file(
        object: &Map<String, Value>,
        boot: &BootId,
        sequence: Option<u64>,
        restart: &Restart,
        wall: Duration,
    ) -> Self {
        let recorded = object.get("intent_sequence").and_then(Value::as_u64);
        let is_new_request = sequence.is_some_and(|sequence| sequence != recorded.unwrap_or(0));
        let sequence = sequence.or(recorded);
        let state = match state::StateRecord::parse(object.clone()) {
            Ok(state) if !is_new_request && !planted!(TallyForgotten) => state,
            _ => return Self { sequence, ..Self::default() },
        };
        let reason = (state.failures > 0).then_some(state.exit_reason).flatten();
        let retry_at = state.retry_at;
        let mut tally =
            Self { failures: state.failures, retry_at, reason, sequence, unproven: false };
        let unproven = object.get("unproven") == Some(&Value::Bool(true));
        let this_boot = object.get("boot_id").and_then(Value::as_str) == Some(boot.0.as_str());
        if unproven && this_boot {
            tally.add_failure(restart, wall, "it was killed soon after its start".to_owned());
        }
        tally
    }

    /// One failure more.
    pub(super) fn add_failure(&mut self, restart: &Restart, wall: Duration, reason: String) {
        self.failures = self.failures.saturating_add(1);
        let retry_at = wall + delay(restart, self.failures);
        // Rounded up: the file holds whole seconds.
        self.retry_at = Some(retry_at.as_secs() + u64::from(retry_at.subsec_nanos() > 0));
        let exhausted = self.is_exhausted(restart);
        self.reason = Some(if exhausted {
            let failures = self.failures;
            format!("failed {failures} times in a row, all that `failures_max` allows: {reason}")
        } else {
            reason
        });
    }

    /// No more tries.
    pub(super) fn is_exhausted(&self, restart: &Restart) -> bool {
        restart.failures_max > 0 && self.failures >= restart.failures_max
    }

    /// It ran long enough: earlier failures are forgotten.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
        self.retry_at = None;
        self.reason = None;
        self.unproven = false;
    }

    /// The time to the next try. It is never longer than the pause for that many failures, even if the wall clock
    /// jumped.
    fn pause(&self, restart: &Restart, wall: Duration) -> Duration {
        match self.retry_at {
            Some(retry_at) if self.failures > 0 => Duration::from_secs(retry_at)
                .saturating_sub(wall)
                .min(delay(restart, self.failures)),
            _ => Duration::ZERO,
        }
    }
}

/// The pause after this many failures: doubled each time, up to `delay_max`.
fn delay(restart: &Restart, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    restart.delay.0.saturating_mul(1 << doublings).min(restart.delay_max.0)
}

/// Called when the lock was just taken: reads earlier failures, and starts at once, later, or not at all.
pub(super) async fn start_or_pause<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
) -> Result<Step, HostError> {
    if core.tally.is_exhausted(&core.config.restart) {
        let reason = core.tally.reason.take().unwrap_or_else(|| "failed too often".to_owned());
        return Ok(exit::finish(context, core, ExitReason::permanent(reason)).await);
    }
    let pause = core.tally.pause(&core.config.restart, time::wall(context.host).await?);
    if pause.is_zero() {
        return Ok(Step::To(Phase::Launching));
    }
    mark!("H42");
    let until = time::boot(context.host).await? + pause;
    state_file::write_live_state(context, core, state_file::GatewayState::Starting).await;
    state_file::write_pidfile(context, core, None).await;
    context.add_note(format_args!(
        "waits {:.1} s after failure {}: {}",
        pause.as_secs_f32(),
        core.tally.failures,
        core.tally.reason.as_deref().unwrap_or("of an unknown cause")
    ));
    Ok(Step::To(Phase::Pausing { until }))
}

/// Reads what earlier starts recorded.
pub(super) async fn read_tally<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &Core,
) -> Result<FailureTally, HostError> {
    let (sequence, warning) = intent_sequence(context).await;
    if let Some(warning) = warning {
        context.add_note(warning);
    }
    let path = context.setup.layout.state(&context.setup.profile);
    let object = match json::read(context.host, &path).await {
        Reading::Whole(object) => object,
        Reading::Missing => Map::new(),
        Reading::Unusable(warning) => {
            context.add_note(warning);
            Map::new()
        }
    };
    let wall = time::wall(context.host).await?;
    Ok(FailureTally::from_state_file(
        &object,
        &core.own_process.boot,
        sequence,
        &core.config.restart,
        wall,
    ))
}

/// The number of the operator's latest request: 0 where there is none, `None` where it cannot be read.
async fn intent_sequence<H: Host>(
    context: &TurnContext<'_, H>,
) -> (Option<u64>, Option<ReadWarning>) {
    let path = context.setup.layout.intent(&context.setup.profile);
    match intent::read(context.host, &path).await {
        Reading::Whole(record) => (Some(record.sequence), None),
        Reading::Missing => (Some(0), None),
        Reading::Unusable(warning) => (None, Some(warning)),
    }
}

/// Waits out the pause; a signal or a new request of the operator ends the wait.
pub(super) async fn turn<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    until: Duration,
) -> Result<Step, HostError> {
    let look_at = time::boot(context.host).await? + POLL_INTERVAL;
    let interests = Interests { until: Some(until.min(look_at)), ..Interests::default() };
    let event = proc::wait(context.host, interests).await?;
    if let Event::Signal(signal) = event {
        let stop = stop::classify(context, core, signal).await;
        return Ok(exit::finish(context, core, ExitReason::Asked(stop)).await);
    }
    if time::boot(context.host).await? >= until {
        return Ok(Step::To(Phase::Launching));
    }
    // A warning about the intent file was given when the wait began; repeating it each second would fill the log.
    let (sequence, _) = intent_sequence(context).await;
    if sequence.is_some() && sequence != core.tally.sequence {
        core.tally = FailureTally { sequence, ..FailureTally::default() };
        return Ok(Step::To(Phase::Launching));
    }
    Ok(Step::To(Phase::Pausing { until }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::config::{Delay, DelayMax};
    use rstest::rstest;
    use serde_json::json;

    fn restart() -> Restart {
        Restart {
            delay: Delay(Duration::from_secs(2)),
            delay_max: DelayMax(Duration::from_secs(15)),
            failures_max: 0,
            ..Restart::default()
        }
    }

    #[rstest]
    #[case(1, 2)]
    #[case(2, 4)]
    #[case(3, 8)]
    #[case(4, 15)]
    #[case(u32::MAX, 15)]
    fn the_pause_doubles_up_to_its_limit(#[case] failures: u32, #[case] seconds: u64) {
        assert_eq!(delay(&restart(), failures), Duration::from_secs(seconds));
    }

    #[rstest]
    #[case::on_time(1000, 1004, 4)]
    #[case::half_way(1002, 1004, 2)]
    #[case::over(1004, 1004, 0)]
    #[case::clock_went_forward(9000, 1004, 0)]
    #[case::clock_went_back(10, 1004, 4)]
    fn a_clock_that_jumped_never_makes_the_pause_longer(
        #[case] wall: u64,
        #[case] retry_at: u64,
        #[case] seconds: u64,
    ) {
        let tally =
            FailureTally { failures: 2, retry_at: Some(retry_at), ..FailureTally::default() };
        let pause = tally.pause(&restart(), Duration::from_secs(wall));
        assert_eq!(pause, Duration::from_secs(seconds));
    }

    #[rstest]
    #[case::recorded(json!({"failures": 2, "intent_sequence": 5}), Some(5), 2)]
    #[case::operator_spoke(json!({"failures": 2, "intent_sequence": 4}), Some(5), 0)]
    #[case::intent_unreadable(json!({"failures": 2, "intent_sequence": 4}), None, 2)]
    #[case::killed(json!({"failures": 2, "unproven": true, "boot_id": "b", "intent_sequence": 5}), Some(5), 3)]
    #[case::killed_before_the_operator_spoke(json!({"unproven": true, "boot_id": "b"}), Some(5), 0)]
    #[case::container_died(json!({"failures": 2, "unproven": true, "boot_id": "a", "intent_sequence": 5}), Some(5), 2)]
    #[case::fresh(json!({}), Some(0), 0)]
    #[case::odd(json!({"failures": 2, "gateway_state": []}), Some(0), 0)]
    fn earlier_failures_are_remembered(
        #[case] state: Value,
        #[case] sequence: Option<u64>,
        #[case] failures: u32,
    ) {
        let Value::Object(object) = state else { panic!("an object") };
        let wall = Duration::from_secs(1000);
        let tally =
            FailureTally::from_state_file(&object, &BootId("b".into()), sequence, &restart(), wall);
        assert_eq!((tally.failures, tally.unproven), (failures, false));
    }

    #[test]
    fn the_last_failure_allowed_is_permanent_and_says_so() {
        let restart = Restart { failures_max: 2, ..restart() };
        let mut tally = FailureTally::default();
        tally.add_failure(&restart, Duration::from_millis(1500), "x".into());
        assert_eq!((tally.is_exhausted(&restart), tally.retry_at), (false, Some(4)));
        tally.add_failure(&restart, Duration::ZERO, "x".into());
        assert!(tally.is_exhausted(&restart));
        let reason = tally.reason.unwrap_or_default();
        assert_eq!(reason, "failed 2 times in a row, all that `failures_max` allows: x");
    }
}
