//! What may still come: for each place where a process can be, what it and whoever it wakes may touch from there on.
//! Learned from what moves touched and where they led.
//!
//! ```text
//!   s6-svc of `stop` ──► gone ──► …          own moves
//!          └───────────► s6-supervise        whom they woke, or made
//! ```
//!
//! A move that touches nothing that anybody else who can move now may still get at commutes with all that can come
//! before it. Once a whole search has learned nothing new, that is so: the first move, in some order left out, that got
//! in its way would have begun with a look at what the search has seen nobody look at from there; and up to there that
//! order is one of those searched, but for moves that commute.
//!
//! Places are coarse: what a task has changed so far, and what it wants next. A coarser place only has more ahead of it.

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

/// Nobody's number.
const STEPS_OWNER: u64 = 0;

/// A place, by its number.
pub(super) type LocalStateId = usize;

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct PartialOrderReduction {
    /// Where a task is, by all that decides what it does next.
    tasks: BTreeMap<u128, LocalStateId>,
    by_key: BTreeMap<u128, LocalStateId>,
    local_states: Vec<LocalState>,
    /// Things, by their hash.
    objects: BTreeMap<u128, usize>,
    /// What may come from some places, but for one process, as it was known when it was first asked.
    footprint_cache: BTreeMap<(u64, Vec<LocalStateId>), FutureFootprint>,
    /// So much has been learned since.
    learned_count: u64,
}

#[derive(Debug)]
struct LocalState {
    /// Whose it is, by its number in the run.
    owner: u64,
    /// The acts by which its task has changed anything so far.
    acts: Arc<BTreeSet<u128>>,
    touches: FutureFootprint,
    next: BTreeSet<LocalStateId>,
}

/// A set of things.
#[derive(Clone, Debug, Default)]
struct FutureFootprint {
    touched: FixedBitSet,
    changed: FixedBitSet,
    everything: bool,
}

impl FutureFootprint {
    fn insert(&mut self, thing: usize, is_change: bool) -> bool {
        let is_new = !self.touched.contains(thing) || is_change && !self.changed.contains(thing);
        self.touched.grow_and_insert(thing);
        if is_change {
            self.changed.grow_and_insert(thing);
        }
        is_new
    }

    /// Takes in another one.
    fn unite(&mut self, other: &Self) {
        self.touched.union_with(&other.touched);
        self.changed.union_with(&other.changed);
        self.everything |= other.everything;
    }

    fn is_empty(&self) -> bool {
        !self.everything && self.touched.is_clear()
    }
}

impl PartialOrderReduction {
    /// So many things have been learned since the last look.
    pub fn learned_count(&self) -> u64 {
        self.learned_count
    }

    /// Forgets what was worked out: more is known now.
    pub fn clear_cache(&mut self) {
        self.learned_count = 0;
        self.footprint_cache.clear();
    }

    /// Where the story is.
    pub fn steps_state(&mut self, play: &Execution) -> LocalStateId {
        self.state_id(STEPS_OWNER, hash::digest(&("story", play.step_index())), &Arc::default())
    }

    /// Where a process is. `was` is where its own last move began, and what that was, if that is known.
    pub fn process_state(
        &mut self,
        play: &Execution,
        who: ProcessId,
        crashes_left: u8,
        was: Option<(LocalStateId, Option<&Effect>)>,
    ) -> Option<LocalStateId> {
        let process = play.machine.world.process(who).filter(|process| process.is_alive())?;
        let owner = process.serial;
        let class = hash::digest(&(owner, &process.comm, &process.argv, crashes_left));
        let ProcessBody::Task(task) = &process.body else {
            return Some(self.state_id(owner, class, &Arc::default()));
        };
        let digest = hash::digest(&(owner, task.digest(), crashes_left));
        if let Some(known) = self.tasks.get(&digest) {
            return Some(*known);
        }
        let mut acts =
            was.map(|(place, _)| Arc::clone(&self.local_states[place].acts)).unwrap_or_default();
        if let Some(act) =
            was.and_then(|(_, effect)| effect).filter(|effect| may_change_shared(effect))
        {
            Arc::make_mut(&mut acts).insert(effect_key(act));
        }
        let wants = match &**task.request() {
            Request::Effect(effect) => effect_key(effect),
            Request::Exit(_) | Request::Panic(_) => 0,
        };
        let place = self.state_id(owner, hash::digest(&(class, &*acts, wants)), &acts);
        self.tasks.insert(digest, place);
        Some(place)
    }

    /// Whose place it is.
    pub fn owner(&self, place: LocalStateId) -> u64 {
        self.local_states[place].owner
    }

    fn state_id(&mut self, owner: u64, key: u128, acts: &Arc<BTreeSet<u128>>) -> LocalStateId {
        if let Some(known) = self.by_key.get(&key) {
            return *known;
        }
        let place = self.local_states.len();
        let (touches, next) = (FutureFootprint::default(), BTreeSet::new());
        self.local_states.push(LocalState { owner, acts: Arc::clone(acts), touches, next });
        self.by_key.insert(key, place);
        self.learned_count += 1;
        place
    }

    /// A move from this place touched this.
    pub fn record_footprint(&mut self, place: LocalStateId, touched: &Footprint) {
        for (thing, is_change) in &touched.accesses {
            let known = self.objects.len();
            let thing = *self.objects.entry(*thing).or_insert(known);
            self.learned_count +=
                u64::from(self.local_states[place].touches.insert(thing, *is_change));
        }
        let everything = &mut self.local_states[place].touches.everything;
        self.learned_count += u64::from(touched.is_everything && !*everything);
        *everything |= touched.is_everything;
    }

    /// It led there, or woke whoever is there.
    pub fn record_successor(&mut self, from: LocalStateId, to: LocalStateId) {
        self.learned_count += u64::from(self.local_states[from].next.insert(to));
    }

    /// Can none of those who are there, nor whoever they wake but the mover itself, ever get in the way of a move that
    /// touches this?
    pub fn is_persistent_singleton(
        &mut self,
        mover: u64,
        touched: &Footprint,
        others: Vec<LocalStateId>,
    ) -> bool {
        let places = &self.local_states;
        let reach = self
            .footprint_cache
            .entry((mover, others))
            .or_insert_with_key(|(mover, others)| future_footprint(places, *mover, others));
        let is_free = |(thing, is_change): &(u128, bool)| {
            let Some(&thing) = self.objects.get(thing) else { return true };
            let against = if *is_change { &reach.touched } else { &reach.changed };
            !against.contains(thing)
        };
        let meets_everything = reach.everything || touched.is_everything && !reach.is_empty();
        !meets_everything && touched.accesses.iter().all(is_free)
    }
}

/// All that may be touched from these places on, by anybody but one.
fn future_footprint(places: &[LocalState], but: u64, from: &[LocalStateId]) -> FutureFootprint {
    let mut all = FutureFootprint::default();
    let mut met: BTreeSet<LocalStateId> = from.iter().copied().collect();
    let mut ways: Vec<LocalStateId> = from.to_vec();
    while let Some(place) = ways.pop() {
        all.unite(&places[place].touches);
        let next = places[place].next.iter().copied();
        ways.extend(next.filter(|next| places[*next].owner != but && met.insert(*next)));
    }
    all
}

/// Could it change anything but where its own task is?
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

/// What is done to what; numbers made up at run time do not count.
fn effect_key(effect: &Effect) -> u128 {
    let about = match effect {
        Effect::Write { .. } | Effect::Print { .. } => Vec::new(),
        other => effect_objects(other),
    };
    let about: Vec<String> = about.iter().map(|text| without_numbers(text)).collect();
    hash::digest(&(EffectKind::of(effect), about))
}

/// A made-up name has a long hexadecimal number.
fn without_numbers(text: &str) -> String {
    let is_number = |part: &&str| part.len() >= 8 && part.bytes().all(|it| it.is_ascii_hexdigit());
    let parts = text.split('.').map(|part| if is_number(&part) { "#" } else { part });
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u64 = 1;
    const OTHER: u64 = 2;

    fn touches(things: &[(u128, bool)]) -> Footprint {
        Footprint { accesses: things.to_vec(), is_everything: false }
    }

    /// Two places of the other one, the second after the first; it changes 7 in the second.
    fn sample_por() -> (PartialOrderReduction, LocalStateId, LocalStateId) {
        let mut ahead = PartialOrderReduction::default();
        let acts = Arc::default();
        let first = ahead.state_id(OTHER, 1, &acts);
        let second = ahead.state_id(OTHER, 2, &acts);
        ahead.record_successor(first, second);
        ahead.record_footprint(second, &touches(&[(7, true)]));
        (ahead, first, second)
    }

    #[test]
    fn what_somebody_may_still_change_is_not_looked_at_alone() {
        let (mut ahead, first, _) = sample_por();
        assert!(!ahead.is_persistent_singleton(ME, &touches(&[(7, false)]), vec![first]));
        assert!(ahead.is_persistent_singleton(ME, &touches(&[(8, true)]), vec![first]));
    }

    #[test]
    fn what_lies_behind_everybody_is_free() {
        let (mut ahead, _, second) = sample_por();
        let third = ahead.state_id(OTHER, 3, &Arc::default());
        ahead.record_successor(second, third);
        assert!(ahead.is_persistent_singleton(ME, &touches(&[(7, true)]), vec![third]));
    }

    #[test]
    fn what_all_only_look_at_is_free() {
        let (mut ahead, first, second) = sample_por();
        ahead.record_footprint(second, &touches(&[(9, false)]));
        assert!(ahead.is_persistent_singleton(ME, &touches(&[(9, false)]), vec![first]));
        assert!(!ahead.is_persistent_singleton(ME, &touches(&[(9, true)]), vec![first]));
    }

    #[test]
    fn whoever_would_be_woken_counts_but_not_the_mover_itself() {
        let (mut ahead, _, second) = sample_por();
        let woken = ahead.state_id(3, 4, &Arc::default());
        let own = ahead.state_id(ME, 5, &Arc::default());
        ahead.record_successor(second, woken);
        ahead.record_successor(second, own);
        ahead.record_footprint(woken, &touches(&[(10, true)]));
        ahead.record_footprint(own, &touches(&[(11, true)]));
        assert!(!ahead.is_persistent_singleton(ME, &touches(&[(10, false)]), vec![second]));
        assert!(ahead.is_persistent_singleton(ME, &touches(&[(11, false)]), vec![second]));
    }

    #[test]
    fn who_touches_everything_is_alone_only_when_nothing_is_ahead() {
        let (mut ahead, first, _) = sample_por();
        let all = Footprint { accesses: Vec::new(), is_everything: true };
        assert!(!ahead.is_persistent_singleton(ME, &all, vec![first]));
        assert!(ahead.is_persistent_singleton(ME, &all, Vec::new()));
    }
}
