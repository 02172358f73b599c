//! Seeded walks: at each fork in the road a die is thrown. For stories too big to be searched to the end.

use super::{Explorer, Schedule, SearchResult, crash_matrix};
use crate::execution::{Execution, Failure, Transition};
use crate::scenario::CrashKind;

/// One in so many moves is not the calm one.
const DEVIATION_ODDS: u64 = 12;
/// One in so many moves of a task befalls it.
const FAULT_ODDS: u64 = 400;

impl Explorer {
    /// Walks as often as the budget says.
    pub fn random(mut self) -> SearchResult {
        for number in 0..self.budget.runs {
            let mut die = Die::new(self.budget.seed, number);
            let mut play = self.initial.clone();
            let mut schedule = Schedule::default();
            match random_walk(&mut play, &mut die, &mut schedule) {
                Ok(()) => {
                    self.tally.effects += play.effect_count;
                    self.tally.transitions += play.transition_count;
                    self.settle_and_check(play, &schedule);
                }
                Err(failure) => {
                    self.tally.runs += 1;
                    self.record_failure(&schedule, failure, false);
                }
            }
        }
        // Walks are samples: there is no end of them.
        self.tally.is_complete = false;
        self.tally
    }
}

/// Throws the same numbers for the same seed.
pub(super) struct Die {
    seed: u64,
    number: u64,
    thrown: u64,
}

impl Die {
    pub(super) fn new(seed: u64, number: u64) -> Self {
        Self { seed, number, thrown: 0 }
    }

    pub(super) fn below(&mut self, sides: u64) -> u64 {
        self.thrown += 1;
        let mixed = crate::hash::digest(&(self.seed, self.number, self.thrown));
        u64::try_from(mixed % u128::from(sides.max(1))).unwrap_or_default()
    }
}

fn random_walk(
    play: &mut Execution,
    die: &mut Die,
    schedule: &mut Schedule,
) -> Result<(), Failure> {
    let mut harms = 2;
    for _ in 0..200_000 {
        let moves = play.enabled_transitions();
        if play.is_finished() || moves.is_empty() {
            return Ok(());
        }
        let calm = &moves[0];
        let mut next = calm.clone();
        if die.below(DEVIATION_ODDS) == 0 {
            let index = usize::try_from(die.below(moves.len() as u64)).unwrap_or_default();
            next = moves[index].clone();
        }
        if let (Transition::Process(who), true) = (&next, harms > 0 && die.below(FAULT_ODDS) == 0) {
            let deeds = crash_matrix::faults_at(play, *who, &CrashKind::ALL);
            let index = usize::try_from(die.below(deeds.len() as u64)).unwrap_or_default();
            if let Some(deed) = deeds.get(index) {
                harms -= 1;
                next = Transition::Inject(*who, deed.clone());
            }
        }
        if next != *calm {
            play.is_fault_free &= play.is_in_group();
            schedule.0.push((play.transition_count, next.clone()));
        }
        play.step(&next)?;
    }
    Ok(())
}
