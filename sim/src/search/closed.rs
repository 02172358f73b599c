//! Every interleaving of a small scenario, with a visited set: it ends with "N states, M transitions, complete", or says
//! that its budget ended it.
//!
//! Time passes only when nobody can move, and effects of which nobody could tell when they came are not cut before: both
//! leave out interleavings that no observer could tell from another. As the power stays on, nothing is remembered that
//! only a power cut could bring back: two orders of changes that end in the same files are one state. Only the steps of
//! a group overlap.

use std::collections::BTreeSet;

use super::{Schedule, Search, Tally, faults};
use crate::play::{Deed, Failure, Move, Play};

/// A fork in the road that is still to be walked.
struct Fork {
    play: Play,
    schedule: Schedule,
    crashes_left: u8,
}

impl Search {
    /// Walks all.
    pub fn closed(mut self) -> Tally {
        self.start.machine.world.disk.forget_the_past();
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

    /// All that can come next. The calm way goes on with the play itself, and so with the futures of its tasks.
    fn walk(&mut self, fork: Fork, forks: &mut Vec<Fork>) {
        let Fork { play, schedule, crashes_left } = fork;
        let choices = self.choices(&play, crashes_left);
        let mut choices = choices.into_iter();
        let Some((calm, _)) = choices.next().filter(|_| !play.is_over()) else {
            self.conclude(play, &schedule);
            return;
        };
        for (next, crashes) in choices {
            let schedule = schedule.with(play.moves, next.clone());
            let crashes_left = crashes_left - crashes;
            self.go(Fork { play: play.clone(), schedule, crashes_left }, &next, forks);
        }
        self.go(Fork { play, schedule, crashes_left }, &calm, forks);
    }

    /// One move, and whatever of the same task nobody could tell.
    fn go(&mut self, mut fork: Fork, next: &Move, forks: &mut Vec<Fork>) {
        self.tally.transitions += 1;
        match fork.play.take(next).and_then(|()| run_unseen(&mut fork.play)) {
            Ok(()) => forks.push(fork),
            Err(failure) => self.broken(&fork.schedule, failure, false),
        }
    }

    /// Every move of anybody, and a crash of each command, if one is left.
    fn choices(&self, play: &Play, crashes_left: u8) -> Vec<(Move, u8)> {
        let mut moves = play.moves();
        if !play.is_in_group() {
            // Steps one after the other: nobody types the next command while the last one is at work.
            let is_quiet = matches!(moves.first(), None | Some(Move::Begin(_)));
            moves.retain(|next| is_quiet || !matches!(next, Move::Begin(_)));
        }
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
fn run_unseen(play: &mut Play) -> Result<(), Failure> {
    loop {
        let Some(next @ Move::Step(who)) = play.calm() else { return Ok(()) };
        let is_unseen = |effect| faults::is_unseen(&play.machine.world, who, effect);
        if !play.next_effect(who).is_some_and(is_unseen) {
            return Ok(());
        }
        play.take(&next)?;
    }
}
