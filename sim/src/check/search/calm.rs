//! The calm run: no surprise but the story's own. Counts, and gives the golden digest.

use super::{Explorer, Schedule, SearchResult, conclude};
use crate::execution::{Execution, Failure, Transition};

/// How many moves a story may take.
pub(super) const MOVES_MAX: u64 = 1_000_000;

impl Explorer {
    /// Plays the story once, and concludes it.
    pub fn baseline(mut self) -> SearchResult {
        let mut play = self.start.clone();
        let played = run(&mut play, &mut |_, _| {});
        let concluding = played.is_ok();
        self.tally.runs = 1;
        // A surprise may come up in the boots that conclude the run.
        let ended = played.and_then(|()| conclude::conclude(&mut play)).and_then(|()| unmet(&play));
        if let Err(failure) = ended {
            self.broken(&Schedule::default(), failure, concluding);
        }
        self.missed(&Schedule::default(), &play);
        self.tally.effects = play.effect_count;
        self.tally.mix(play.digest);
        self.tally
    }
}

/// A surprise of the story never came up; if an expectation did not hold before that, it is the reason.
fn unmet(play: &Execution) -> Result<(), Failure> {
    play.unreached_fault().filter(|_| play.missed_expectation().is_none()).map_or(Ok(()), Err)
}

/// Plays the story to its end, calmly. `see` is told of each move before it is taken.
pub(super) fn run(
    play: &mut Execution,
    see: &mut dyn FnMut(&Execution, &Transition),
) -> Result<(), Failure> {
    let moves_max = play.transition_count + MOVES_MAX;
    while !play.is_finished() && play.transition_count < moves_max {
        let Some(next) = play.baseline_transition() else { break };
        see(play, &next);
        play.step(&next)?;
    }
    Ok(())
}
