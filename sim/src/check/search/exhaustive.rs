//! Every interleaving of a small scenario, with a visited set: it ends with "N states, M transitions, complete", or says
//! that its budget ended it.
//!
//! Left out are orders that nobody could tell apart:
//! - time passes only when nobody can move;
//! - a move that nobody who can move now, or whoever he wakes, can ever get in the way of goes first alone. Who may
//!   still touch what is learned: first by walks at random, then by the search itself, which is made again if it has met
//!   something that it did not know of (`ahead`). A crash of that task before that move is still tried;
//! - as the power stays on, nothing is remembered that only a power cut could bring back;
//! - only the steps of a group overlap.
//!
//! What is promised is looked at after every move that is made.

#[cfg(test)]
mod ends;
mod por;

use std::collections::BTreeSet;

use self::por::{LocalStateId, PartialOrderReduction};
use super::{Explorer, Schedule, SearchResult, effect_faults};
use crate::execution::{Execution, Failure, Fault, Transition};
use crate::hash;
use crate::machine::footprint::{self, Footprint};
use crate::machine::world::ProcessId;
use crate::scenario::Step;

/// A fork in the road that is still to be walked.
struct Fork {
    play: Execution,
    schedule: Schedule,
    crashes_left: u8,
}

/// So many walks are made to learn.
const LEARNING_WALKS: u64 = 40;

/// A search that has learned something goes on for so many states before it begins again.
const STALE_STATES: u64 = 2_000;

/// One move as it was made: by whom, from where, what it touched, and what came of it.
struct TransitionOutcome {
    from: LocalStateId,
    footprint: Footprint,
    successor: Option<Fork>,
}

impl Explorer {
    /// Walks all.
    pub fn exhaustive(mut self) -> SearchResult {
        self.initial.machine.world.disk.ignore_power_cuts();
        let mut ahead = PartialOrderReduction::default();
        for walk in 0..LEARNING_WALKS {
            self.learn_footprints(walk, &mut ahead);
        }
        loop {
            self.tally.states = 0;
            self.tally.transitions = 0;
            ahead.clear_cache();
            self.search_once(&mut ahead);
            if ahead.learned_count() == 0 || !self.tally.is_complete {
                return self.tally;
            }
        }
    }

    /// One walk at random, to learn before all is searched. What it breaks the search will break.
    fn learn_footprints(&mut self, walk: u64, ahead: &mut PartialOrderReduction) {
        let crashes_left = self.initial.scenario().search.exhaustive_crashes;
        let (play, schedule) = (self.initial.clone(), Schedule::default());
        let mut fork = Fork { play, schedule, crashes_left };
        while !fork.play.is_finished() {
            let moves = all_transitions(&fork.play);
            if moves.is_empty() {
                return;
            }
            let any = hash::digest(&(walk, fork.play.transition_count)) % moves.len() as u128;
            let next = &moves[usize::try_from(any).expect("less than their number")];
            match self.step_and_learn(&fork, next, true, ahead).successor {
                Some(after) => fork = after,
                None => return,
            }
        }
    }

    /// Walks all that is left if nothing is ahead of anybody but what is known. Begun again by its caller if there was.
    fn search_once(&mut self, ahead: &mut PartialOrderReduction) {
        let mut visited = BTreeSet::new();
        let crashes_left = self.initial.scenario().search.exhaustive_crashes;
        let schedule = Schedule::default();
        let mut forks = vec![Fork { play: self.initial.clone(), schedule, crashes_left }];
        let mut stale_at = u64::MAX;
        while let Some(fork) = forks.pop() {
            if !visited.insert((fork.play.state_hash(), fork.crashes_left)) {
                continue;
            }
            self.tally.states += 1;
            if ahead.learned_count() > 0 {
                stale_at = stale_at.min(2 * self.tally.states + STALE_STATES);
            }
            if self.tally.states >= stale_at {
                return;
            }
            if self.tally.states >= self.budget.states {
                self.tally.is_complete = false;
                return;
            }
            self.tally.effects = self.tally.effects.max(fork.play.effect_count);
            self.expand(fork, &mut forks, ahead);
        }
    }

    /// All that can come next; on a way without forks, as far as the next one.
    fn expand(&mut self, mut fork: Fork, forks: &mut Vec<Fork>, ahead: &mut PartialOrderReduction) {
        loop {
            let moves = all_transitions(&fork.play);
            if moves.is_empty() || fork.play.is_finished() {
                self.settle_and_check(fork.play, &fork.schedule);
                return;
            }
            match self.try_transitions(&fork, &moves, forks, ahead) {
                Some(next) => fork = next,
                None => return,
            }
        }
    }

    /// Tries every move. If one goes alone, that is where it leads.
    fn try_transitions(
        &mut self,
        fork: &Fork,
        moves: &[Transition],
        forks: &mut Vec<Fork>,
        ahead: &mut PartialOrderReduction,
    ) -> Option<Fork> {
        let first = forks.len();
        // The calm move lies on top in the end.
        for (place, next) in moves.iter().enumerate().rev() {
            let made = self.step_and_learn(fork, next, place == 0, ahead);
            let Transition::Process(who) = next else {
                forks.extend(made.successor);
                continue;
            };
            let others = moves.iter().filter(|other| *other != next);
            let mut others: Vec<LocalStateId> =
                others.map(|other| local_state_of(ahead, fork, other)).collect();
            others.sort_unstable();
            let mover = ahead.owner(made.from);
            let goes_alone = ahead.is_persistent_singleton(mover, &made.footprint, others);
            if goes_alone {
                forks.truncate(first);
            }
            if fork.crashes_left > 0 && fork.play.task_address(*who).is_some() {
                forks.extend(self.try_crash(fork, *who, made.from, ahead));
            }
            if goes_alone {
                return made.successor;
            }
            forks.extend(made.successor);
        }
        None
    }

    /// The task that would move is killed before.
    fn try_crash(
        &mut self,
        fork: &Fork,
        who: ProcessId,
        from: LocalStateId,
        ahead: &mut PartialOrderReduction,
    ) -> Option<Fork> {
        let (crashed, touched) =
            self.step_with_invisible(fork, &Transition::Inject(who, Fault::Kill), false);
        ahead.record_footprint(from, &touched);
        let mut crashed = crashed?;
        crashed.crashes_left -= 1;
        // Nobody is where he was: from here on there is a crash less ahead.
        for other in crashed.play.machine.ready_processes() {
            let was = ahead.process_state(&fork.play, other, fork.crashes_left, None);
            let was = was.map(|was| (was, None));
            let to = ahead.process_state(&crashed.play, other, crashed.crashes_left, was);
            to.into_iter().for_each(|to| ahead.record_successor(from, to));
        }
        Some(crashed)
    }

    /// One move, and what is learned from it.
    fn step_and_learn(
        &mut self,
        fork: &Fork,
        next: &Transition,
        is_calm: bool,
        ahead: &mut PartialOrderReduction,
    ) -> TransitionOutcome {
        let from = local_state_of(ahead, fork, next);
        let (after, mut touched) = self.step_with_invisible(fork, next, is_calm);
        if let Transition::BeginStep(index) = next {
            touched.is_everything |= !matches!(fork.play.current_step(*index), Some(Step::Run(_)));
        }
        ahead.record_footprint(from, &touched);
        if let Some(after) = &after {
            record_successors(ahead, fork, next, from, after);
        }
        TransitionOutcome { from, footprint: touched, successor: after }
    }

    /// One move, and whatever of the same task nobody could tell.
    fn step_with_invisible(
        &mut self,
        fork: &Fork,
        next: &Transition,
        is_calm: bool,
    ) -> (Option<Fork>, Footprint) {
        self.tally.transitions += 1;
        let mut play = fork.play.clone();
        let schedule = match is_calm {
            true => fork.schedule.clone(),
            false => fork.schedule.with_fault(play.transition_count, next.clone()),
        };
        let (taken, touched) = footprint::collect(|| play.step(next));
        match taken.and_then(|()| run_invisible(&mut play)) {
            Ok(()) => (Some(Fork { play, schedule, crashes_left: fork.crashes_left }), touched),
            Err(failure) => {
                self.record_failure(&schedule, failure, false);
                (None, touched)
            }
        }
    }
}

/// Where whoever makes this move is.
fn local_state_of(
    ahead: &mut PartialOrderReduction,
    fork: &Fork,
    next: &Transition,
) -> LocalStateId {
    match next {
        Transition::Process(who)
        | Transition::Inject(who, _)
        | Transition::InjectScripted(who, _) => ahead
            .process_state(&fork.play, *who, fork.crashes_left, None)
            .expect("whoever moves is alive"),
        Transition::BeginStep(_) | Transition::AdvanceTime => ahead.steps_state(&fork.play),
    }
}

/// Where a move led: its own process, all that it woke, and the story if that goes on.
fn record_successors(
    ahead: &mut PartialOrderReduction,
    fork: &Fork,
    next: &Transition,
    from: LocalStateId,
    after: &Fork,
) {
    // Time passes only when nobody can move: it is ahead of nobody.
    if *next == Transition::AdvanceTime {
        return;
    }
    let mover = match next {
        Transition::Process(who) => Some(*who),
        _ => None,
    };
    if let Some(who) = mover {
        let was = Some((from, fork.play.next_effect(who)));
        let to = ahead.process_state(&after.play, who, after.crashes_left, was);
        to.into_iter().for_each(|to| ahead.record_successor(from, to));
    }
    let before = fork.play.machine.ready_processes();
    for who in after.play.machine.ready_processes() {
        if mover != Some(who) && !before.contains(&who) {
            let to = ahead.process_state(&after.play, who, after.crashes_left, None);
            to.into_iter().for_each(|to| ahead.record_successor(from, to));
        }
    }
    // Outside of a group a step begins only when nobody can move, too.
    if after.play.is_in_group() && after.play.step_index() != fork.play.step_index() {
        let to = ahead.steps_state(&after.play);
        ahead.record_successor(from, to);
    }
}

/// Every move of anybody, the calm one first.
fn all_transitions(play: &Execution) -> Vec<Transition> {
    let mut moves = play.enabled_transitions();
    if !play.is_in_group() {
        // Steps one after the other: nobody types the next command while the last one is at work.
        let is_quiet = matches!(moves.first(), None | Some(Transition::BeginStep(_)));
        moves.retain(|next| is_quiet || !matches!(next, Transition::BeginStep(_)));
    }
    moves
}

/// Goes on with the task that moved last as long as nobody could tell.
fn run_invisible(play: &mut Execution) -> Result<(), Failure> {
    loop {
        let Some(next @ Transition::Process(who)) = play.baseline_transition() else {
            return Ok(());
        };
        let is_unseen = |effect| effect_faults::is_invisible(&play.machine.world, who, effect);
        if !play.next_effect(who).is_some_and(is_unseen) {
            return Ok(());
        }
        play.step(&next)?;
    }
}
