//! Random walks from a seed: at each choice a random number decides. For scenarios too big for an exhaustive search.

use super::{Explorer, Schedule, SearchResult, crash_matrix};
use crate::execution::{Execution, Failure, Transition};
use crate::scenario::CrashKind;

/// One in this number of transitions is not the baseline one.
const DEVIATION_ODDS: u64 = 12;
/// One in this number of transitions of a task is replaced by a fault.
const FAULT_ODDS: u64 = 400;

impl Explorer {
    /// Makes as many walks as the budget has runs.
    pub fn random(mut self) -> SearchResult {
        for number in 0..self.budget.runs {
            let mut random = RandomSource::new(self.budget.seed, number);
            let mut execution = self.initial.clone();
            let mut schedule = Schedule::default();
            match random_walk(&mut execution, &mut random, &mut schedule) {
                Ok(()) => {
                    self.tally.effects += execution.effect_count;
                    self.tally.transitions += execution.transition_count;
                    self.settle_and_check(execution, &schedule);
                }
                Err(failure) => {
                    self.tally.runs += 1;
                    self.record_failure(&schedule, failure, false);
                }
            }
        }
        // Walks are samples: they are never complete.
        self.tally.is_complete = false;
        self.tally
    }
}

/// Random numbers, the same for the same seed.
pub(super) struct RandomSource {
    seed: u64,
    number: u64,
    drawn: u64,
}

impl RandomSource {
    pub(super) fn new(seed: u64, number: u64) -> Self {
        Self { seed, number, drawn: 0 }
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.drawn += 1;
        let mixed = crate::hash::digest(&(self.seed, self.number, self.drawn));
        u64::try_from(mixed % u128::from(limit.max(1))).unwrap_or_default()
    }
}

fn random_walk(
    execution: &mut Execution,
    random: &mut RandomSource,
    schedule: &mut Schedule,
) -> Result<(), Failure> {
    let mut faults_left = 2;
    for _ in 0..200_000 {
        let transitions = execution.enabled_transitions();
        if execution.is_finished() || transitions.is_empty() {
            return Ok(());
        }
        let baseline = &transitions[0];
        let mut next = baseline.clone();
        if random.below(DEVIATION_ODDS) == 0 {
            let index = usize::try_from(random.below(transitions.len() as u64)).unwrap_or_default();
            next = transitions[index].clone();
        }
        if let (Transition::Process(who), true) =
            (&next, faults_left > 0 && random.below(FAULT_ODDS) == 0)
        {
            let faults = crash_matrix::faults_at(execution, *who, &CrashKind::ALL);
            let index = usize::try_from(random.below(faults.len() as u64)).unwrap_or_default();
            if let Some(fault) = faults.get(index) {
                faults_left -= 1;
                next = Transition::Inject(*who, fault.clone());
            }
        }
        if next != *baseline {
            execution.is_fault_free &= execution.is_in_group();
            schedule.0.push((execution.transition_count, next.clone()));
        }
        execution.step(&next)?;
    }
    Ok(())
}
