//! Every interleaving of a small scenario, with a visited set: it ends with "N states, M transitions, complete", or says
//! that its budget ended it.
//!
//! Left out are orders that nobody could tell apart:
//! - time passes only when nobody can move;
//! - a move that touches only what no other process ever touches, or what nobody ever changes, goes first alone. Who
//!   touches what is learned: first by walks at random, then by the search itself, which is made again if it has met
//!   something shared that it did not know of (`sharing`). A crash of that task before that move is still tried;
//! - as the power stays on, nothing is remembered that only a power cut could bring back;
//! - only the steps of a group overlap.
//!
//! What is promised is looked at after every move that is made.

mod sharing;

use std::collections::BTreeSet;

use self::sharing::Sharing;
use super::{Schedule, Search, Tally, faults};
use crate::hash;
use crate::play::{Deed, Failure, Move, Play};
use crate::touched::{self, Touched};
use crate::world::Who;

/// A fork in the road that is still to be walked.
struct Fork {
    play: Play,
    schedule: Schedule,
    crashes_left: u8,
}

/// So many walks are made to learn.
const WALKS: u64 = 40;

impl Search {
    /// Walks all.
    pub fn closed(mut self) -> Tally {
        self.start.machine.world.disk.forget_the_past();
        let mut sharing = Sharing::default();
        for walk in 0..WALKS {
            self.learn(walk, &mut sharing);
        }
        loop {
            self.tally.states = 0;
            self.tally.transitions = 0;
            let known = sharing.len();
            self.pass(&mut sharing);
            if sharing.len() == known || !self.tally.is_complete {
                return self.tally;
            }
        }
    }

    /// One walk at random, to learn what is shared before all is searched. What it breaks the search will break.
    fn learn(&self, walk: u64, sharing: &mut Sharing) {
        let mut play = self.start.clone();
        while !play.is_over() {
            let moves = choices(&play);
            if moves.is_empty() {
                return;
            }
            let any = hash::of(&(walk, play.moves)) % moves.len() as u128;
            let next = &moves[usize::try_from(any).expect("less than their number")];
            let serial = serial_of(&play, next);
            let (taken, touched) = touched::by(|| play.take(next));
            if taken.is_err() {
                return;
            }
            if let Some(serial) = serial {
                sharing.learn(serial, &touched);
            }
        }
    }

    /// Walks all that is left if this is all that is shared.
    fn pass(&mut self, sharing: &mut Sharing) {
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
                return;
            }
            self.tally.effects = self.tally.effects.max(fork.play.effects);
            self.walk(fork, &mut forks, sharing);
        }
    }

    /// All that can come next; on a way without forks, as far as the next one.
    fn walk(&mut self, mut fork: Fork, forks: &mut Vec<Fork>, sharing: &mut Sharing) {
        loop {
            let moves = choices(&fork.play);
            if moves.is_empty() || fork.play.is_over() {
                self.conclude(fork.play, &fork.schedule);
                return;
            }
            match self.step(&fork, &moves, forks, sharing) {
                Some(next) => fork = next,
                None => return,
            }
        }
    }

    /// Tries every move. If one goes alone, that is where it leads.
    fn step(
        &mut self,
        fork: &Fork,
        moves: &[Move],
        forks: &mut Vec<Fork>,
        sharing: &mut Sharing,
    ) -> Option<Fork> {
        let first = forks.len();
        // The calm move lies on top in the end.
        for (place, next) in moves.iter().enumerate().rev() {
            let (after, touched) = self.go(fork, next, place == 0);
            let (Move::Step(who), Some(serial)) = (next, serial_of(&fork.play, next)) else {
                forks.extend(after);
                continue;
            };
            let goes_alone = sharing.learn(serial, &touched);
            if goes_alone {
                forks.truncate(first);
            }
            if fork.crashes_left > 0 && fork.play.task(*who).is_some() {
                forks.extend(self.crash(fork, *who));
            }
            if goes_alone {
                return after;
            }
            forks.extend(after);
        }
        None
    }

    /// The task that would move is killed before.
    fn crash(&mut self, fork: &Fork, who: Who) -> Option<Fork> {
        let (mut crashed, _) = self.go(fork, &Move::Befall(who, Deed::Kill), false);
        if let Some(crashed) = &mut crashed {
            crashed.crashes_left -= 1;
        }
        crashed
    }

    /// One move, and whatever of the same task nobody could tell.
    fn go(&mut self, fork: &Fork, next: &Move, is_calm: bool) -> (Option<Fork>, Touched) {
        self.tally.transitions += 1;
        let mut play = fork.play.clone();
        let schedule = match is_calm {
            true => fork.schedule.clone(),
            false => fork.schedule.with(play.moves, next.clone()),
        };
        let (taken, touched) = touched::by(|| play.take(next));
        match taken.and_then(|()| run_unseen(&mut play)) {
            Ok(()) => (Some(Fork { play, schedule, crashes_left: fork.crashes_left }), touched),
            Err(failure) => {
                self.broken(&schedule, failure, false);
                (None, touched)
            }
        }
    }
}

/// Whose move it is.
fn serial_of(play: &Play, next: &Move) -> Option<u64> {
    match next {
        Move::Step(who) => play.machine.world.process(*who).map(|process| process.serial),
        _ => None,
    }
}

/// Every move of anybody, the calm one first.
fn choices(play: &Play) -> Vec<Move> {
    let mut moves = play.moves();
    if !play.is_in_group() {
        // Steps one after the other: nobody types the next command while the last one is at work.
        let is_quiet = matches!(moves.first(), None | Some(Move::Begin(_)));
        moves.retain(|next| is_quiet || !matches!(next, Move::Begin(_)));
    }
    moves
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
