//! The exhaustive search: every interleaving of a small scenario, by depth-first search with a set of visited states. It
//! ends with "N states, M transitions, complete", or says that its budget ended it.
//!
//! Partial-order reduction (Godefroid 1996, "Partial-Order Methods for the Verification of Concurrent Systems") leaves out
//! interleavings that lead to the same states at rest:
//! - A transition of one process that forms a *persistent set* of one is explored alone: no other process, and no process
//!   that they wake or make, can do anything dependent on it before it happens. A kill of that process before the
//!   transition is still tried. `exhaustive/por.rs` has the rule, the learned footprints behind it, and why it is sound.
//! - Invisible effects of the process that moved last follow at once (`effect_faults::is_invisible`): they are independent
//!   of every effect of the others.
//!
//! The footprints are learned while the search runs, as in dynamic partial-order reduction (Flanagan and Godefroid 2005,
//! "Dynamic partial-order reduction for model checking software"). Unlike there, a search that has learned something new
//! adds no backtrack points: it is made again from the start, until one learns nothing. Random walks before the first one
//! save most of these repetitions.
//!
//! The model itself leaves out:
//! - time passes only when no process can move: there are no slow processes;
//! - only the steps of a group overlap: no other step begins while a process can move;
//! - power cuts: the disk remembers nothing that only a power cut could bring back;
//! - crashes other than `exhaustive_crashes` kills of a task in one execution.
//!
//! The invariants are checked after every explored transition, and by the settle check at every end. The reduction keeps
//! every state at rest, but not every state on the way: a violation that shows only in an intermediate state of an
//! interleaving that is left out is not found here. The bounded and the random search do not reduce.

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

/// A branch that is still to be explored.
struct Branch {
    execution: Execution,
    schedule: Schedule,
    crashes_left: u8,
}

/// The number of random walks that learn footprints before the first search.
const LEARNING_WALKS: u64 = 40;

/// A search that has learned something goes on for this number of states before it begins again.
const STALE_STATES: u64 = 2_000;

/// A transition that was taken: the local state that it left, its footprint, and the branch that it led to.
struct TransitionOutcome {
    from: LocalStateId,
    footprint: Footprint,
    successor: Option<Branch>,
}

impl Explorer {
    /// Runs the search.
    pub fn exhaustive(mut self) -> SearchResult {
        self.initial.machine.world.disk.ignore_power_cuts();
        let mut reduction = PartialOrderReduction::default();
        for walk in 0..LEARNING_WALKS {
            self.learn_footprints(walk, &mut reduction);
        }
        loop {
            self.tally.states = 0;
            self.tally.transitions = 0;
            reduction.clear_cache();
            self.search_once(&mut reduction);
            if reduction.learned_count() == 0 || !self.tally.is_complete {
                return self.tally;
            }
        }
    }

    /// One random walk, to learn footprints before the search. The search will find the failures of the walk again.
    fn learn_footprints(&mut self, walk: u64, reduction: &mut PartialOrderReduction) {
        let crashes_left = self.initial.scenario().search.exhaustive_crashes;
        let (execution, schedule) = (self.initial.clone(), Schedule::default());
        let mut branch = Branch { execution, schedule, crashes_left };
        while !branch.execution.is_finished() {
            let transitions = all_transitions(&branch.execution);
            if transitions.is_empty() {
                return;
            }
            let choice = hash::digest(&(walk, branch.execution.transition_count))
                % transitions.len() as u128;
            let next = &transitions[usize::try_from(choice).expect("less than their number")];
            match self.step_and_learn(&branch, next, true, reduction).successor {
                Some(after) => branch = after,
                None => return,
            }
        }
    }

    /// One search with the footprints that are known so far. The caller makes another one if this one learned something.
    fn search_once(&mut self, reduction: &mut PartialOrderReduction) {
        let mut visited = BTreeSet::new();
        let crashes_left = self.initial.scenario().search.exhaustive_crashes;
        let schedule = Schedule::default();
        let mut branches = vec![Branch { execution: self.initial.clone(), schedule, crashes_left }];
        let mut stale_at = u64::MAX;
        while let Some(branch) = branches.pop() {
            if !visited.insert((branch.execution.state_hash(), branch.crashes_left)) {
                continue;
            }
            self.tally.states += 1;
            if reduction.learned_count() > 0 {
                stale_at = stale_at.min(2 * self.tally.states + STALE_STATES);
            }
            if self.tally.states >= stale_at {
                return;
            }
            if self.tally.states >= self.budget.states {
                self.tally.is_complete = false;
                return;
            }
            self.tally.effects = self.tally.effects.max(branch.execution.effect_count);
            self.expand(branch, &mut branches, reduction);
        }
    }

    /// Explores a branch up to the next state with several transitions, and adds the branches there.
    fn expand(
        &mut self,
        mut branch: Branch,
        branches: &mut Vec<Branch>,
        reduction: &mut PartialOrderReduction,
    ) {
        loop {
            let transitions = all_transitions(&branch.execution);
            if transitions.is_empty() || branch.execution.is_finished() {
                self.settle_and_check(branch.execution, &branch.schedule);
                return;
            }
            match self.try_transitions(&branch, &transitions, branches, reduction) {
                Some(next) => branch = next,
                None => return,
            }
        }
    }

    /// Tries every enabled transition. If one of them is a persistent set of one, only that one counts; returns its branch.
    fn try_transitions(
        &mut self,
        branch: &Branch,
        transitions: &[Transition],
        branches: &mut Vec<Branch>,
        reduction: &mut PartialOrderReduction,
    ) -> Option<Branch> {
        let first = branches.len();
        // The branch of the baseline transition is on top of the stack in the end.
        for (place, next) in transitions.iter().enumerate().rev() {
            let outcome = self.step_and_learn(branch, next, place == 0, reduction);
            let Transition::Process(who) = next else {
                branches.extend(outcome.successor);
                continue;
            };
            let others = transitions.iter().filter(|other| *other != next);
            let mut others: Vec<LocalStateId> =
                others.map(|other| local_state_of(reduction, branch, other)).collect();
            others.sort_unstable();
            let mover = reduction.owner(outcome.from);
            let is_alone = reduction.is_persistent_singleton(mover, &outcome.footprint, others);
            if is_alone {
                branches.truncate(first);
            }
            if branch.crashes_left > 0 && branch.execution.task_address(*who).is_some() {
                branches.extend(self.try_crash(branch, *who, outcome.from, reduction));
            }
            if is_alone {
                return outcome.successor;
            }
            branches.extend(outcome.successor);
        }
        None
    }

    /// Kills the task before its transition.
    fn try_crash(
        &mut self,
        branch: &Branch,
        who: ProcessId,
        from: LocalStateId,
        reduction: &mut PartialOrderReduction,
    ) -> Option<Branch> {
        let (crashed, footprint) =
            self.step_with_invisible(branch, &Transition::Inject(who, Fault::Kill), false);
        reduction.record_footprint(from, &footprint);
        let mut crashed = crashed?;
        crashed.crashes_left -= 1;
        // One crash less is left: every process continues from another local state.
        for other in crashed.execution.machine.ready_processes() {
            let before =
                reduction.process_state(&branch.execution, other, branch.crashes_left, None);
            let before = before.map(|before| (before, None));
            let to =
                reduction.process_state(&crashed.execution, other, crashed.crashes_left, before);
            to.into_iter().for_each(|to| reduction.record_successor(from, to));
        }
        Some(crashed)
    }

    /// Takes one transition, and learns from it.
    fn step_and_learn(
        &mut self,
        branch: &Branch,
        next: &Transition,
        is_baseline: bool,
        reduction: &mut PartialOrderReduction,
    ) -> TransitionOutcome {
        let from = local_state_of(reduction, branch, next);
        let (after, mut footprint) = self.step_with_invisible(branch, next, is_baseline);
        if let Transition::BeginStep(index) = next {
            footprint.is_everything |=
                !matches!(branch.execution.current_step(*index), Some(Step::Run(_)));
        }
        reduction.record_footprint(from, &footprint);
        if let Some(after) = &after {
            record_successors(reduction, branch, next, from, after);
        }
        TransitionOutcome { from, footprint, successor: after }
    }

    /// Takes one transition, and the invisible effects of the same process after it.
    fn step_with_invisible(
        &mut self,
        branch: &Branch,
        next: &Transition,
        is_baseline: bool,
    ) -> (Option<Branch>, Footprint) {
        self.tally.transitions += 1;
        let mut execution = branch.execution.clone();
        let schedule = match is_baseline {
            true => branch.schedule.clone(),
            false => branch.schedule.with_fault(execution.transition_count, next.clone()),
        };
        let (taken, footprint) = footprint::collect(|| execution.step(next));
        match taken.and_then(|()| run_invisible(&mut execution)) {
            Ok(()) => {
                (Some(Branch { execution, schedule, crashes_left: branch.crashes_left }), footprint)
            }
            Err(failure) => {
                self.record_failure(&schedule, failure, false);
                (None, footprint)
            }
        }
    }
}

/// The local state of the owner of this transition.
fn local_state_of(
    reduction: &mut PartialOrderReduction,
    branch: &Branch,
    next: &Transition,
) -> LocalStateId {
    match next {
        Transition::Process(who)
        | Transition::Inject(who, _)
        | Transition::InjectScripted(who, _) => reduction
            .process_state(&branch.execution, *who, branch.crashes_left, None)
            .expect("a process that moves is alive"),
        Transition::BeginStep(_) | Transition::AdvanceTime => {
            reduction.steps_state(&branch.execution)
        }
    }
}

/// Records where a transition led: its own process, the processes that it woke, and the steps if those go on.
fn record_successors(
    reduction: &mut PartialOrderReduction,
    branch: &Branch,
    next: &Transition,
    from: LocalStateId,
    after: &Branch,
) {
    // Time passes only when no process can move: it is in the future of none.
    if *next == Transition::AdvanceTime {
        return;
    }
    let mover = match next {
        Transition::Process(who) => Some(*who),
        _ => None,
    };
    if let Some(who) = mover {
        let before = Some((from, branch.execution.next_effect(who)));
        let to = reduction.process_state(&after.execution, who, after.crashes_left, before);
        to.into_iter().for_each(|to| reduction.record_successor(from, to));
    }
    let before = branch.execution.machine.ready_processes();
    for who in after.execution.machine.ready_processes() {
        if mover != Some(who) && !before.contains(&who) {
            let to = reduction.process_state(&after.execution, who, after.crashes_left, None);
            to.into_iter().for_each(|to| reduction.record_successor(from, to));
        }
    }
    // Outside of a group a step begins only when no process can move, too.
    if after.execution.is_in_group()
        && after.execution.step_index() != branch.execution.step_index()
    {
        let to = reduction.steps_state(&after.execution);
        reduction.record_successor(from, to);
    }
}

/// Every enabled transition, the baseline one first.
fn all_transitions(execution: &Execution) -> Vec<Transition> {
    let mut transitions = execution.enabled_transitions();
    if !execution.is_in_group() {
        // Steps are sequential: the next command is not typed while the last one still runs.
        let is_quiet = matches!(transitions.first(), None | Some(Transition::BeginStep(_)));
        transitions.retain(|next| is_quiet || !matches!(next, Transition::BeginStep(_)));
    }
    transitions
}

/// Continues the process that moved last while its effects are invisible.
fn run_invisible(execution: &mut Execution) -> Result<(), Failure> {
    loop {
        let Some(next @ Transition::Process(who)) = execution.baseline_transition() else {
            return Ok(());
        };
        let is_invisible =
            |effect| effect_faults::is_invisible(&execution.machine.world, who, effect);
        if !execution.next_effect(who).is_some_and(is_invisible) {
            return Ok(());
        }
        execution.step(&next)?;
    }
}
