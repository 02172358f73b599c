//! Every interleaving of a small scenario, with a visited set: it ends with "N states, M transitions, complete", or says
//! that its budget ended it.
//!
//! Time passes only when nobody can move, and effects that nobody else can see are not cut before: both leave out
//! interleavings that no observer could tell from another.

use std::collections::BTreeSet;

use super::{Schedule, Search, Tally, faults};
use crate::play::{Deed, Move, Play};

/// A fork in the road that is still to be walked.
struct Fork {
    play: Play,
    schedule: Schedule,
    crashes_left: u8,
}

impl Search {
    /// Walks all.
    pub fn closed(mut self) -> Tally {
        let mut visited = BTreeSet::new();
        let crashes_left = self.start.scenario().search.closed_crashes;
        let schedule = Schedule::default();
        let mut forks = vec![Fork { play: self.start.clone(), schedule, crashes_left }];
        while let Some(fork) = forks.pop() {
            if !visited.insert((fork.play.state(), fork.crashes_left)) {
                continue;
            }
            self.tally.states += 1;
            if self.tally.states >= self.budget.states {
                self.tally.is_complete = false;
                break;
            }
            let effects = fork.play.effects;
            self.walk(fork, &mut forks);
            self.tally.effects = self.tally.effects.max(effects);
        }
        self.tally
    }

    /// All that can come next.
    fn walk(&mut self, fork: Fork, forks: &mut Vec<Fork>) {
        let Fork { play, schedule, crashes_left } = fork;
        if play.is_over() {
            self.conclude(play, &schedule);
            return;
        }
        let moves = self.choices(&play, crashes_left);
        let calm = play.moves().into_iter().next();
        for (next, crashes) in moves {
            self.tally.transitions += 1;
            let schedule = match Some(&next) == calm.as_ref() {
                true => schedule.clone(),
                false => schedule.with(play.moves, next.clone()),
            };
            let mut forked = play.clone();
            match forked.take(&next).and_then(|()| run_private(&mut forked)) {
                Ok(()) => forks.push(Fork {
                    play: forked,
                    schedule,
                    crashes_left: crashes_left - crashes,
                }),
                Err(failure) => self.broken(&schedule, failure, false),
            }
        }
    }

    /// Every move of anybody, and a crash of each command, if one is left.
    fn choices(&self, play: &Play, crashes_left: u8) -> Vec<(Move, u8)> {
        let moves = play.moves();
        let mut choices: Vec<(Move, u8)> = moves.iter().cloned().map(|next| (next, 0)).collect();
        if crashes_left > 0 {
            for next in &moves {
                if let Move::Step(who) = next {
                    if play.task(*who).is_some() {
                        choices.push((Move::Befall(*who, Deed::Kill), 1));
                    }
                }
            }
        }
        choices
    }
}

/// Goes on with the task that moved last as long as nobody could tell.
fn run_private(play: &mut Play) -> Result<(), crate::play::Failure> {
    loop {
        let Some(Move::Step(who)) = play.moves().into_iter().next() else { return Ok(()) };
        if !play.next_effect(who).is_some_and(faults::is_private) {
            return Ok(());
        }
        play.take(&Move::Step(who))?;
    }
}
