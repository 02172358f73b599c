//! The calm run: no surprise but the story's own. Counts, and gives the golden digest.

use super::{Explorer, Schedule, SearchResult, settle_check};
use crate::execution::{Execution, Failure, Transition};

/// How many moves a story may take.
pub(super) const TRANSITIONS_MAX: u64 = 1_000_000;

impl Explorer {
    /// Plays the story once, and concludes it.
    pub fn baseline(mut self) -> SearchResult {
        let mut play = self.initial.clone();
        let played = run_baseline(&mut play, &mut |_, _| {});
        let concluding = played.is_ok();
        self.tally.runs = 1;
        // A surprise may come up in the boots that conclude the run.
        let ended = played
            .and_then(|()| settle_check::settle_and_check(&mut play))
            .and_then(|()| check_faults_reached(&play));
        if let Err(failure) = ended {
            self.record_failure(&Schedule::default(), failure, concluding);
        }
        self.record_missed_expectation(&Schedule::default(), &play);
        self.tally.effects = play.effect_count;
        self.tally.mix(play.digest);
        self.tally
    }
}

/// A surprise of the story never came up; if an expectation did not hold before that, it is the reason.
fn check_faults_reached(play: &Execution) -> Result<(), Failure> {
    play.unreached_fault().filter(|_| play.missed_expectation().is_none()).map_or(Ok(()), Err)
}

/// Plays the story to its end, calmly. `see` is told of each move before it is taken.
pub(super) fn run_baseline(
    play: &mut Execution,
    see: &mut dyn FnMut(&Execution, &Transition),
) -> Result<(), Failure> {
    let moves_max = play.transition_count + TRANSITIONS_MAX;
    while !play.is_finished() && play.transition_count < moves_max {
        let Some(next) = play.baseline_transition() else { break };
        see(play, &next);
        play.step(&next)?;
    }
    Ok(())
}
