//! Plays again what a search found, move by move: a schedule as it was found, or a scenario with its own surprises.

use std::sync::Arc;

use crate::check::search::matrix::{self, GoesOn};
use crate::check::search::{Found, Schedule};
use crate::execution::{Failure, Move, Play};
use crate::scenario::{Finder, Scenario};

/// A story that makes more moves than this is given up.
const MOVES_MAX: u64 = 1_000_000;

/// How a scenario that was told came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything held.
    Held,
    /// This was broken.
    Broke(Failure),
    /// A surprise never came up: nothing is proved.
    Unmet(Failure),
}

/// Told of each move before it is taken.
pub type See<'a> = &'a mut dyn FnMut(&Play, &Move);

/// Plays a scenario calmly, with its own surprises, and concludes it. What each move did is in `heard` of the play.
/// `done` is told of the play when it is over, however it ended.
pub fn told(scenario: &Arc<Scenario>, see: See<'_>, done: &mut dyn FnMut(&Play)) -> Ended {
    let mut play = match Play::new(scenario) {
        Ok(play) => play,
        Err(failure) => return Ended::Broke(failure),
    };
    play.heard = Some(Vec::new());
    let ended = tell(&mut play, see);
    done(&play);
    ended
}

fn tell(play: &mut Play, see: See<'_>) -> Ended {
    if let Err(failure) = walk(play, &Schedule::default(), see) {
        return Ended::Broke(failure);
    }
    // A surprise may come up in the boots that conclude the run.
    let concluded = conclude(play, see);
    if let (Some(failure), None) = (play.unmet(), play.missed()) {
        return Ended::Unmet(failure);
    }
    if let Err(failure) = concluded {
        return Ended::Broke(failure);
    }
    play.missed().cloned().map_or(Ended::Held, Ended::Broke)
}

/// Plays what a search found. The crash matrix cuts the story off after its last crash; the others play it to the end.
pub fn found(
    scenario: &Arc<Scenario>,
    found: &Found,
    by: Option<Finder>,
    see: See<'_>,
) -> Result<(), Failure> {
    let mut play = Play::new(scenario)?;
    if by != Some(Finder::CrashMatrix) {
        walk(&mut play, &found.schedule, see)?;
        return conclude(&mut play, see);
    }
    let goes_on = if found.repeated.is_some() { GoesOn::Yes } else { GoesOn::No };
    matrix::replay(&mut play, &found.schedule, goes_on, see)
}

fn walk(play: &mut Play, schedule: &Schedule, see: See<'_>) -> Result<(), Failure> {
    let mut surprises = schedule.0.iter().peekable();
    while play.moves < MOVES_MAX {
        if play.is_over() && surprises.peek().is_none() {
            break;
        }
        let due = surprises.next_if(|(at, _)| *at == play.moves).map(|(_, next)| next.clone());
        let Some(next) = due.or_else(|| play.calm()) else { break };
        see(play, &next);
        play.take(&next)?;
    }
    Ok(())
}

fn conclude(play: &mut Play, see: See<'_>) -> Result<(), Failure> {
    play.abandon();
    Schedule::default().play(play, true, see)
}
