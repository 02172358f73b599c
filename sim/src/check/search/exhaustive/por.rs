//! Partial-order reduction: decides whether one transition may be explored alone. Searches nothing itself.
//!
//! **The rule.** Two transitions are *dependent* if one changes what the other accesses. A transition `t`, enabled in a
//! state `s`, is a *persistent set* of one if nothing that the others can do from `s` on, before `t` happens, is dependent
//! on `t` (Godefroid 1996, "Partial-Order Methods for the Verification of Concurrent Systems", chapter 4). Then every
//! execution from `s` has an equivalent one that begins with `t`: `t` commutes with all that comes before it.
//!
//! **How it is decided.** A process is in a *local state*: coarsely, what it has changed so far and which effect it makes
//! next. Each local state has the footprint of the transitions that left it, and the local states that these led to: those
//! of the same process, and those of the processes that they woke or made. The *future footprint* of a set of local states
//! is the union over all that can be reached from them, except through the process that makes `t`. If it is independent of
//! the footprint of `t`, `t` goes alone.
//!
//! ```text
//!   s6-svc of `stop` ──► ended ──► …         its own transitions
//!          └───────────► s6-supervise        a process that it woke
//! ```
//!
//! **Footprints are learned.** They are recorded from the transitions of the search itself, as in dynamic partial-order
//! reduction (Flanagan and Godefroid 2005, "Dynamic partial-order reduction for model checking software"). A search that
//! learned something new may have reduced too much, and is made again.
//!
//! **Why it is sound.** Take a complete search that learned nothing, and an execution that it left out by choosing `t` alone
//! in `s` although a later transition is dependent on `t`. Let `d` be the first such transition. All transitions from `s` up
//! to `d` are independent of `t`; so, up to the order of independent transitions, that part of the execution was explored.
//! There the search took `d` from its local state and recorded its footprint. That local state is reachable from the local
//! states of the others in `s`; so the future footprint contained the footprint of `d`, and `t` was not chosen alone. A
//! coarse local state only joins the futures of several exact ones: it has a larger footprint, and reduces less.
//!
//! **What it leaves out.** States at rest are kept; intermediate states of left-out interleavings are not, and invariants
//! are not checked in them. There are no sleep sets: several equivalent interleavings may still be explored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fixedbitset::FixedBitSet;
use hermes::host::Effect;

use crate::execution::{Execution, effect_objects};
use crate::hash;
use crate::machine::footprint::Footprint;
use crate::machine::process::ProcessBody;
use crate::machine::world::ProcessId;
use crate::replay::Request;
use crate::scenario::EffectKind;

/// The owner of the scenario's steps: no process has this serial.
const STEPS_OWNER: u64 = 0;

/// A local state, by its number.
pub(super) type LocalStateId = usize;

/// The local states, with their footprints and successors, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct PartialOrderReduction {
    /// The local states of tasks, by everything that decides what a task does next.
    tasks: BTreeMap<u128, LocalStateId>,
    by_key: BTreeMap<u128, LocalStateId>,
    local_states: Vec<LocalState>,
    /// Objects, by their hash.
    objects: BTreeMap<u128, usize>,
    /// Future footprints of local states without one process, as they were known when first computed.
    footprint_cache: BTreeMap<(u64, Vec<LocalStateId>), FutureFootprint>,
    /// How much has been learned since the last clearing.
    learned_count: u64,
}

#[derive(Debug)]
struct LocalState {
    /// The process, by its serial.
    owner: u64,
    /// The effects by which its task has changed something so far.
    changes: Arc<BTreeSet<u128>>,
    footprint: FutureFootprint,
    successors: BTreeSet<LocalStateId>,
}

/// A set of objects: those that are accessed, and those of them that are changed.
#[derive(Clone, Debug, Default)]
struct FutureFootprint {
    accessed: FixedBitSet,
    changed: FixedBitSet,
    is_everything: bool,
}

impl FutureFootprint {
    fn insert(&mut self, object: usize, is_change: bool) -> bool {
        let is_new = !self.accessed.contains(object) || is_change && !self.changed.contains(object);
        self.accessed.grow_and_insert(object);
        if is_change {
            self.changed.grow_and_insert(object);
        }
        is_new
    }

    /// Adds another one.
    fn unite(&mut self, other: &Self) {
        self.accessed.union_with(&other.accessed);
        self.changed.union_with(&other.changed);
        self.is_everything |= other.is_everything;
    }

    fn is_empty(&self) -> bool {
        !self.is_everything && self.accessed.is_clear()
    }
}

impl PartialOrderReduction {
    /// How much has been learned since the last clearing.
    pub fn learned_count(&self) -> u64 {
        self.learned_count
    }

    /// Forgets the computed future footprints: more is known now.
    pub fn clear_cache(&mut self) {
        self.learned_count = 0;
        self.footprint_cache.clear();
    }

    /// The local state of the scenario's steps.
    pub fn steps_state(&mut self, execution: &Execution) -> LocalStateId {
        self.state_id(
            STEPS_OWNER,
            hash::digest(&("steps", execution.step_index())),
            &Arc::default(),
        )
    }

    /// The local state of a process. `before` is the local state that its own last transition left, and the effect of that
    /// transition, if they are known.
    pub fn process_state(
        &mut self,
        execution: &Execution,
        who: ProcessId,
        crashes_left: u8,
        before: Option<(LocalStateId, Option<&Effect>)>,
    ) -> Option<LocalStateId> {
        let process = execution.machine.world.process(who).filter(|process| process.is_alive())?;
        let owner = process.serial;
        let class = hash::digest(&(owner, &process.comm, &process.argv, crashes_left));
        let ProcessBody::Task(task) = &process.body else {
            return Some(self.state_id(owner, class, &Arc::default()));
        };
        let digest = hash::digest(&(owner, task.digest(), crashes_left));
        if let Some(known) = self.tasks.get(&digest) {
            return Some(*known);
        }
        let mut changes = before
            .map(|(state, _)| Arc::clone(&self.local_states[state].changes))
            .unwrap_or_default();
        if let Some(change) =
            before.and_then(|(_, effect)| effect).filter(|effect| may_change_shared(effect))
        {
            Arc::make_mut(&mut changes).insert(effect_key(change));
        }
        let next_effect = match &**task.request() {
            Request::Effect(effect) => effect_key(effect),
            Request::Exit(_) | Request::Panic(_) => 0,
        };
        let state = self.state_id(owner, hash::digest(&(class, &*changes, next_effect)), &changes);
        self.tasks.insert(digest, state);
        Some(state)
    }

    /// The serial of the process whose local state it is.
    pub fn owner(&self, state: LocalStateId) -> u64 {
        self.local_states[state].owner
    }

    fn state_id(&mut self, owner: u64, key: u128, changes: &Arc<BTreeSet<u128>>) -> LocalStateId {
        if let Some(known) = self.by_key.get(&key) {
            return *known;
        }
        let state = self.local_states.len();
        self.local_states.push(LocalState {
            owner,
            changes: Arc::clone(changes),
            footprint: FutureFootprint::default(),
            successors: BTreeSet::new(),
        });
        self.by_key.insert(key, state);
        self.learned_count += 1;
        state
    }

    /// A transition from this local state had this footprint.
    pub fn record_footprint(&mut self, state: LocalStateId, footprint: &Footprint) {
        for (object, is_change) in &footprint.accesses {
            let known = self.objects.len();
            let object = *self.objects.entry(*object).or_insert(known);
            self.learned_count +=
                u64::from(self.local_states[state].footprint.insert(object, *is_change));
        }
        let is_everything = &mut self.local_states[state].footprint.is_everything;
        self.learned_count += u64::from(footprint.is_everything && !*is_everything);
        *is_everything |= footprint.is_everything;
    }

    /// A transition led from the one to the other, or woke the process that is in the other.
    pub fn record_successor(&mut self, from: LocalStateId, to: LocalStateId) {
        self.learned_count += u64::from(self.local_states[from].successors.insert(to));
    }

    /// Is the transition with this footprint a persistent set of one: is it independent of everything that the processes in
    /// the other local states, and those that they wake except the mover itself, may still do?
    pub fn is_persistent_singleton(
        &mut self,
        mover: u64,
        footprint: &Footprint,
        others: Vec<LocalStateId>,
    ) -> bool {
        let local_states = &self.local_states;
        let future = self
            .footprint_cache
            .entry((mover, others))
            .or_insert_with_key(|(mover, others)| future_footprint(local_states, *mover, others));
        let is_independent = |(object, is_change): &(u128, bool)| {
            let Some(&object) = self.objects.get(object) else { return true };
            let conflicting = if *is_change { &future.accessed } else { &future.changed };
            !conflicting.contains(object)
        };
        let conflicts = future.is_everything || footprint.is_everything && !future.is_empty();
        !conflicts && footprint.accesses.iter().all(is_independent)
    }
}

/// The union of all footprints that are reachable from these local states without one process.
fn future_footprint(
    local_states: &[LocalState],
    except: u64,
    from: &[LocalStateId],
) -> FutureFootprint {
    let mut all = FutureFootprint::default();
    let mut reached: BTreeSet<LocalStateId> = from.iter().copied().collect();
    let mut pending: Vec<LocalStateId> = from.to_vec();
    while let Some(state) = pending.pop() {
        all.unite(&local_states[state].footprint);
        let next = local_states[state].successors.iter().copied();
        pending.extend(
            next.filter(|next| local_states[*next].owner != except && reached.insert(*next)),
        );
    }
    all
}

/// Can the effect change anything but the state of its own task?
fn may_change_shared(effect: &Effect) -> bool {
    use hermes::host::effect::OpenMode;
    !matches!(
        effect,
        Effect::Open { how: OpenMode::Read | OpenMode::Directory, .. }
            | Effect::Read { .. }
            | Effect::Write { .. }
            | Effect::Sync { .. }
            | Effect::Close { .. }
            | Effect::HandleMeta { .. }
            | Effect::Meta { .. }
            | Effect::List { .. }
            | Effect::ReadLink { .. }
            | Effect::IsLocked { .. }
            | Effect::HasRoom { .. }
            | Effect::Sleep { .. }
            | Effect::Wait { .. }
            | Effect::Now { .. }
            | Effect::Random
            | Effect::Print { .. }
    )
}

/// The kind and objects of an effect, without numbers that are made up at run time.
fn effect_key(effect: &Effect) -> u128 {
    let objects = match effect {
        Effect::Write { .. } | Effect::Print { .. } => Vec::new(),
        other => effect_objects(other),
    };
    let objects: Vec<String> = objects.iter().map(|text| without_numbers(text)).collect();
    hash::digest(&(EffectKind::of(effect), objects))
}

/// A name that is made up at run time has a long hexadecimal number.
fn without_numbers(text: &str) -> String {
    let is_number =
        |part: &&str| part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts = text.split('.').map(|part| if is_number(&part) { "#" } else { part });
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVER: u64 = 1;
    const OTHER: u64 = 2;

    fn footprint(objects: &[(u128, bool)]) -> Footprint {
        Footprint { accesses: objects.to_vec(), is_everything: false }
    }

    /// Two local states of the other process, the second after the first; it changes object 7 in the second.
    fn sample_reduction() -> (PartialOrderReduction, LocalStateId, LocalStateId) {
        let mut reduction = PartialOrderReduction::default();
        let changes = Arc::default();
        let first = reduction.state_id(OTHER, 1, &changes);
        let second = reduction.state_id(OTHER, 2, &changes);
        reduction.record_successor(first, second);
        reduction.record_footprint(second, &footprint(&[(7, true)]));
        (reduction, first, second)
    }

    #[test]
    fn an_access_to_what_another_process_may_still_change_is_not_persistent() {
        let (mut reduction, first, _) = sample_reduction();
        assert!(!reduction.is_persistent_singleton(MOVER, &footprint(&[(7, false)]), vec![first]));
        assert!(reduction.is_persistent_singleton(MOVER, &footprint(&[(8, true)]), vec![first]));
    }

    #[test]
    fn an_access_to_what_lies_in_the_past_of_all_others_is_persistent() {
        let (mut reduction, _, second) = sample_reduction();
        let third = reduction.state_id(OTHER, 3, &Arc::default());
        reduction.record_successor(second, third);
        assert!(reduction.is_persistent_singleton(MOVER, &footprint(&[(7, true)]), vec![third]));
    }

    #[test]
    fn a_read_of_what_all_others_only_read_is_persistent() {
        let (mut reduction, first, second) = sample_reduction();
        reduction.record_footprint(second, &footprint(&[(9, false)]));
        assert!(reduction.is_persistent_singleton(MOVER, &footprint(&[(9, false)]), vec![first]));
        assert!(!reduction.is_persistent_singleton(MOVER, &footprint(&[(9, true)]), vec![first]));
    }

    #[test]
    fn a_process_that_would_be_woken_counts_but_not_the_mover_itself() {
        let (mut reduction, _, second) = sample_reduction();
        let woken = reduction.state_id(3, 4, &Arc::default());
        let own = reduction.state_id(MOVER, 5, &Arc::default());
        reduction.record_successor(second, woken);
        reduction.record_successor(second, own);
        reduction.record_footprint(woken, &footprint(&[(10, true)]));
        reduction.record_footprint(own, &footprint(&[(11, true)]));
        assert!(!reduction.is_persistent_singleton(
            MOVER,
            &footprint(&[(10, false)]),
            vec![second]
        ));
        assert!(reduction.is_persistent_singleton(MOVER, &footprint(&[(11, false)]), vec![second]));
    }

    #[test]
    fn a_footprint_of_everything_is_persistent_only_when_no_other_process_has_a_future() {
        let (mut reduction, first, _) = sample_reduction();
        let all = Footprint { accesses: Vec::new(), is_everything: true };
        assert!(!reduction.is_persistent_singleton(MOVER, &all, vec![first]));
        assert!(reduction.is_persistent_singleton(MOVER, &all, Vec::new()));
    }
}
