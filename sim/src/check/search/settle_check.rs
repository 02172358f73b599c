//! The end of every run: it settles, boots, settles; what must hold at rest is looked at each time. Where something
//! befalls meanwhile, it begins anew: a boot that was cut short is not the one that must have mended all.

use std::time::Duration;

use super::status_check;
use crate::execution::{Execution, Failure, Transition};
use crate::invariants::Monitor;

/// Whatever still goes on after a fault ends within this.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(90);

/// A run that makes more moves than this does not come to rest.
const TRANSITIONS_MAX: u64 = 400_000;

/// Faults to inject, keyed by the number of the transition.
type ScheduledFaults<'a> = &'a [(u64, Transition)];

/// Called before each transition.
type OnTransition<'a> = &'a mut dyn FnMut(&Execution, &Transition);

/// What a part of it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SettleOutcome {
    /// Nobody moves any more.
    AtRest,
    /// Something befell.
    FaultInjected,
}

/// Settles, looks, boots, settles, looks, boots once more: nothing may change then.
pub(super) fn settle_and_check(play: &mut Execution) -> Result<(), Failure> {
    settle_and_check_with(play, &[], &mut |_, _| {})
}

/// The same, telling of each move before it is taken. Faults to inject, keyed by the number of the transition.
pub(super) fn settle_and_check_with(
    play: &mut Execution,
    mut cells: ScheduledFaults<'_>,
    see: OnTransition<'_>,
) -> Result<(), Failure> {
    play.skip_remaining_steps();
    while settle_and_check_once(play, &mut cells, see)? == SettleOutcome::FaultInjected {}
    Ok(())
}

fn settle_and_check_once(
    play: &mut Execution,
    cells: &mut ScheduledFaults<'_>,
    see: OnTransition<'_>,
) -> Result<SettleOutcome, Failure> {
    if settle(play, cells, see)? == SettleOutcome::FaultInjected {
        return Ok(SettleOutcome::FaultInjected);
    }
    play.monitor.check_at_rest(&play.machine.world)?;
    status_check::check_status_at_rest(play)?;
    play.restart_containers();
    if settle(play, cells, see)? == SettleOutcome::FaultInjected {
        return Ok(SettleOutcome::FaultInjected);
    }
    play.monitor.check_after_boot(&play.machine.world)?;
    status_check::check_status_at_rest(play)?;
    let once = Monitor::fingerprint(&play.machine.world);
    play.restart_containers();
    if settle(play, cells, see)? == SettleOutcome::FaultInjected {
        return Ok(SettleOutcome::FaultInjected);
    }
    if Monitor::fingerprint(&play.machine.world) != once {
        let what = "a second boot changed what the first had brought about".to_owned();
        return Err(Failure::violation("L1", what));
    }
    Ok(SettleOutcome::AtRest)
}

/// Lets everybody move until nobody does.
pub(super) fn settle_without_faults(play: &mut Execution) -> Result<(), Failure> {
    settle(play, &mut &[][..], &mut |_, _| {}).map(|_| ())
}

fn settle(
    play: &mut Execution,
    cells: &mut ScheduledFaults<'_>,
    see: OnTransition<'_>,
) -> Result<SettleOutcome, Failure> {
    let until = play.machine.world.clock.boot + SETTLE_TIMEOUT;
    let moves_max = play.transition_count + TRANSITIONS_MAX;
    loop {
        if let Some(((_, deed), later)) =
            cells.split_first().filter(|(it, _)| it.0 == play.transition_count)
        {
            *cells = later;
            see(play, deed);
            play.step(deed)?;
            return Ok(SettleOutcome::FaultInjected);
        }
        let Some(next) = play.baseline_transition() else { return Ok(SettleOutcome::AtRest) };
        if next == Transition::AdvanceTime && play.next_moment().is_some_and(|at| at > until) {
            return Ok(SettleOutcome::AtRest);
        }
        if play.transition_count > moves_max {
            let what = "the machine does not come to rest".to_owned();
            return Err(Failure::violation("L1", what));
        }
        see(play, &next);
        play.step(&next)?;
        if matches!(next, Transition::InjectScripted(..)) {
            return Ok(SettleOutcome::FaultInjected);
        }
    }
}
