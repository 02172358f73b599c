//! The end of every run: it settles, boots, settles; what must hold at rest is looked at each time.

use std::time::Duration;

use crate::play::{Failure, Move, Play};
use crate::promise::Watch;

/// Whatever still goes on after a fault ends within this.
const SETTLES: Duration = Duration::from_secs(90);

/// A run that makes more moves than this does not come to rest.
const MOVES_MAX: u64 = 400_000;

/// Settles, looks, boots, settles, looks, boots once more: nothing may change then.
pub(super) fn conclude(play: &mut Play) -> Result<(), Failure> {
    conclude_seen(play, &mut |_, _| {})
}

/// The same, telling of each move.
pub(super) fn conclude_seen(
    play: &mut Play,
    see: &mut dyn FnMut(&Play, &Move),
) -> Result<(), Failure> {
    settle(play, see)?;
    play.watch.at_rest(&play.machine.world)?;
    play.restart_all();
    settle(play, see)?;
    play.watch.booted(&play.machine.world)?;
    let once = Watch::fingerprint(&play.machine.world);
    play.restart_all();
    settle(play, see)?;
    if Watch::fingerprint(&play.machine.world) != once {
        let what = "a second boot changed what the first had brought about".to_owned();
        return Err(Failure::of("L1", what));
    }
    Ok(())
}

fn settle(play: &mut Play, see: &mut dyn FnMut(&Play, &Move)) -> Result<(), Failure> {
    let until = play.machine.world.clock.boot + SETTLES;
    let moves_max = play.moves + MOVES_MAX;
    loop {
        let Some(next) = play.calm() else { return Ok(()) };
        if next == Move::Time && play.next_moment().is_some_and(|at| at > until) {
            return Ok(());
        }
        if play.moves > moves_max {
            let what = "the machine does not come to rest".to_owned();
            return Err(Failure::of("L1", what));
        }
        see(play, &next);
        play.take(&next)?;
    }
}
