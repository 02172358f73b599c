//! The settle check, at the end of every run: the machine settles, boots, settles; the invariants of a world at rest are
//! checked each time. A fault during the settle check starts it anew: a boot that was cut short need not have repaired all.

use std::time::Duration;

use super::status_check;
use crate::execution::{Execution, Failure, Transition};
use crate::invariants::Monitor;
use crate::scenario::Invariant;

/// Everything that still goes on after a fault ends within this time.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(90);

/// A run that takes more transitions than this does not come to rest.
const TRANSITIONS_MAX: u64 = 400_000;

/// Faults to inject, keyed by the number of the transition.
type ScheduledFaults<'a> = &'a [(u64, Transition)];

/// Called before each transition.
type OnTransition<'a> = &'a mut dyn FnMut(&Execution, &Transition);

/// How a part of the settle check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SettleOutcome {
    /// Nothing moves any more.
    AtRest,
    /// A fault was injected.
    FaultInjected,
}

/// Settles, checks, boots, settles, checks, boots once more: the second boot may change nothing.
pub(super) fn settle_and_check(execution: &mut Execution) -> Result<(), Failure> {
    settle_and_check_with(execution, &[], &mut |_, _| {})
}

/// The same, with faults to inject, keyed by the number of the transition. `observe` gets each transition before it is taken.
pub(super) fn settle_and_check_with(
    execution: &mut Execution,
    mut faults: ScheduledFaults<'_>,
    observe: OnTransition<'_>,
) -> Result<(), Failure> {
    execution.skip_remaining_steps();
    while settle_and_check_once(execution, &mut faults, observe)? == SettleOutcome::FaultInjected {}
    Ok(())
}

fn settle_and_check_once(
    execution: &mut Execution,
    faults: &mut ScheduledFaults<'_>,
    observe: OnTransition<'_>,
) -> Result<SettleOutcome, Failure> {
    if settle(execution, faults, observe)? == SettleOutcome::FaultInjected {
        return Ok(SettleOutcome::FaultInjected);
    }
    execution.monitor.check_at_rest(&execution.machine.world)?;
    status_check::check_status_at_rest(execution)?;
    execution.restart_containers();
    if settle(execution, faults, observe)? == SettleOutcome::FaultInjected {
        return Ok(SettleOutcome::FaultInjected);
    }
    execution.monitor.check_after_boot(&execution.machine.world)?;
    status_check::check_status_at_rest(execution)?;
    let once = Monitor::fingerprint(&execution.machine.world);
    execution.restart_containers();
    if settle(execution, faults, observe)? == SettleOutcome::FaultInjected {
        return Ok(SettleOutcome::FaultInjected);
    }
    if Monitor::fingerprint(&execution.machine.world) != once {
        let detail = "a second boot changed the state that the first one had reached";
        return Err(Failure::violation(Invariant::L1, detail));
    }
    Ok(SettleOutcome::AtRest)
}

/// Takes baseline transitions until nothing moves.
pub(super) fn settle_without_faults(execution: &mut Execution) -> Result<(), Failure> {
    settle(execution, &mut &[][..], &mut |_, _| {}).map(|_| ())
}

fn settle(
    execution: &mut Execution,
    faults: &mut ScheduledFaults<'_>,
    observe: OnTransition<'_>,
) -> Result<SettleOutcome, Failure> {
    let until = execution.machine.world.clock.boot + SETTLE_TIMEOUT;
    let transitions_max = execution.transition_count + TRANSITIONS_MAX;
    loop {
        if let Some(((_, fault), later)) =
            faults.split_first().filter(|((at, _), _)| *at == execution.transition_count)
        {
            *faults = later;
            observe(execution, fault);
            execution.step(fault)?;
            return Ok(SettleOutcome::FaultInjected);
        }
        let Some(next) = execution.baseline_transition() else { return Ok(SettleOutcome::AtRest) };
        if next == Transition::AdvanceTime && execution.next_moment().is_some_and(|at| at > until) {
            return Ok(SettleOutcome::AtRest);
        }
        if execution.transition_count > transitions_max {
            let detail = "the machine does not come to rest";
            return Err(Failure::violation(Invariant::L1, detail));
        }
        observe(execution, &next);
        execution.step(&next)?;
        if matches!(next, Transition::InjectScripted(..)) {
            return Ok(SettleOutcome::FaultInjected);
        }
    }
}
