//! The end of every run: it settles, boots, settles; what must hold at rest is looked at each time. Where something
//! befalls meanwhile, it begins anew: a boot that was cut short is not the one that must have mended all.

use std::time::Duration;

use super::laws;
use crate::execution::{Failure, Move, Play};
use crate::invariants::Monitor;

/// Whatever still goes on after a fault ends within this.
const SETTLES: Duration = Duration::from_secs(90);

/// A run that makes more moves than this does not come to rest.
const MOVES_MAX: u64 = 400_000;

/// At these numbers of moves these befall.
type Cells<'a> = &'a [(u64, Move)];

/// Told of each move before it is taken.
type See<'a> = &'a mut dyn FnMut(&Play, &Move);

/// What a part of it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// Nobody moves any more.
    AtRest,
    /// Something befell.
    Disturbed,
}

/// Settles, looks, boots, settles, looks, boots once more: nothing may change then.
pub(super) fn conclude(play: &mut Play) -> Result<(), Failure> {
    conclude_with(play, &[], &mut |_, _| {})
}

/// The same, telling of each move before it is taken. At these numbers of moves these befall.
pub(super) fn conclude_with(
    play: &mut Play,
    mut cells: Cells<'_>,
    see: See<'_>,
) -> Result<(), Failure> {
    play.abandon();
    while once(play, &mut cells, see)? == Ended::Disturbed {}
    Ok(())
}

fn once(play: &mut Play, cells: &mut Cells<'_>, see: See<'_>) -> Result<Ended, Failure> {
    if settle(play, cells, see)? == Ended::Disturbed {
        return Ok(Ended::Disturbed);
    }
    play.watch.check_at_rest(&play.machine.world)?;
    laws::is_told(play)?;
    play.restart_all();
    if settle(play, cells, see)? == Ended::Disturbed {
        return Ok(Ended::Disturbed);
    }
    play.watch.check_after_boot(&play.machine.world)?;
    laws::is_told(play)?;
    let once = Monitor::fingerprint(&play.machine.world);
    play.restart_all();
    if settle(play, cells, see)? == Ended::Disturbed {
        return Ok(Ended::Disturbed);
    }
    if Monitor::fingerprint(&play.machine.world) != once {
        let what = "a second boot changed what the first had brought about".to_owned();
        return Err(Failure::of("L1", what));
    }
    Ok(Ended::AtRest)
}

/// Lets everybody move until nobody does.
pub(super) fn settle_calmly(play: &mut Play) -> Result<(), Failure> {
    settle(play, &mut &[][..], &mut |_, _| {}).map(|_| ())
}

fn settle(play: &mut Play, cells: &mut Cells<'_>, see: See<'_>) -> Result<Ended, Failure> {
    let until = play.machine.world.clock.boot + SETTLES;
    let moves_max = play.moves + MOVES_MAX;
    loop {
        if let Some(((_, deed), later)) = cells.split_first().filter(|(it, _)| it.0 == play.moves) {
            *cells = later;
            see(play, deed);
            play.take(deed)?;
            return Ok(Ended::Disturbed);
        }
        let Some(next) = play.calm() else { return Ok(Ended::AtRest) };
        if next == Move::Time && play.next_moment().is_some_and(|at| at > until) {
            return Ok(Ended::AtRest);
        }
        if play.moves > moves_max {
            let what = "the machine does not come to rest".to_owned();
            return Err(Failure::of("L1", what));
        }
        see(play, &next);
        play.take(&next)?;
        if matches!(next, Move::Told(..)) {
            return Ok(Ended::Disturbed);
        }
    }
}
