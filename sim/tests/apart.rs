//! Moves that touch nothing in common can change places: what `touched` says of a move is all that matters to others.

use std::collections::BTreeMap;
use std::sync::Arc;

use hermes_sim::execution::{Execution, Transition};
use hermes_sim::hash;
use hermes_sim::machine::footprint::{self, Footprint};
use hermes_sim::scenario::{Scenario, load};
use rstest::rstest;

fn scenario(name: &str) -> Arc<Scenario> {
    let path = format!("{}/../fixtures/scenarios/{name}.json", env!("CARGO_MANIFEST_DIR"));
    #[expect(clippy::disallowed_methods, reason = "reads a fixture")]
    let text = std::fs::read_to_string(&path).expect("a fixture");
    Arc::new(load(name, &text).expect("a scenario"))
}

/// Does nothing that one of them touches matter to the other?
fn are_independent(one: &Footprint, other: &Footprint) -> bool {
    let mut by_one: BTreeMap<u128, bool> = BTreeMap::new();
    for (thing, is_change) in &one.accesses {
        *by_one.entry(*thing).or_default() |= is_change;
    }
    let meet = |(thing, is_change): &(u128, bool)| {
        by_one.get(thing).is_some_and(|was_changed| *was_changed || *is_change)
    };
    !one.is_everything && !other.is_everything && !other.accesses.iter().any(meet)
}

/// Both moves, in this order; nothing if the second cannot be made any more.
fn both(play: &Execution, first: &Transition, second: &Transition) -> Option<Execution> {
    let mut play = play.clone();
    play.step(first).expect("nothing breaks");
    if !play.enabled_transitions().contains(second) {
        return None;
    }
    play.step(second).expect("nothing breaks");
    Some(play)
}

fn told(play: &Execution, next: &Transition) -> String {
    let Transition::Process(who) = next else { return format!("{next:?}") };
    let comm = play.machine.world.process(*who).map(|process| process.comm.clone());
    format!("{} {:?}", comm.unwrap_or_default(), play.next_effect(*who))
}

/// Tries all pairs of moves along one walk at random; how many were apart.
fn walk(start: &Execution, walk: u64) -> usize {
    let (mut play, mut count) = (start.clone(), 0);
    while !play.is_finished() {
        let moves = play.enabled_transitions();
        let steps = moves.iter().filter(|next| matches!(next, Transition::Process(_)));
        let steps: Vec<(&Transition, Footprint)> = steps
            .map(|next| {
                (next, footprint::collect(|| play.clone().step(next).expect("nothing breaks")).1)
            })
            .collect();
        for (index, (one, by_one)) in steps.iter().enumerate() {
            for (other, by_other) in &steps[index + 1..] {
                if !are_independent(by_one, by_other) {
                    continue;
                }
                count += 1;
                let ends = [both(&play, one, other), both(&play, other, one)];
                let [there, back] = ends.map(|end| end.map(|end| end.machine.state_digest()));
                let pair = format!("{} and {}", told(&play, one), told(&play, other));
                assert!(there.is_some() && there == back, "walk {walk}: {pair}");
            }
        }
        let Some(last) = moves.len().checked_sub(1) else { break };
        let any = hash::digest(&(walk, play.transition_count)) % (last as u128 + 1);
        play.step(&moves[usize::try_from(any).expect("a place")]).expect("nothing breaks");
    }
    count
}

#[rstest]
#[case("exhaustive-create-reconcile")]
#[case("exhaustive-delete-start")]
#[case("exhaustive-start-stop-crash")]
#[case("exhaustive-stop-state-container-stop")]
#[case("exhaustive-two-containers")]
#[case("h26-two-registrars")]
#[case("h28-start-right-after-create")]
#[case("h41-stranger-of-this-boot")]
fn moves_that_touch_nothing_in_common_can_change_places(#[case] name: &str) {
    let mut start = Execution::new(&scenario(name)).expect("it boots");
    // As in the search that depends on it: the power stays on, and nobody asks what is synced.
    start.machine.world.disk.ignore_power_cuts();
    let pairs: usize = (0..5).map(|number| walk(&start, number)).sum();
    assert!(pairs > 100, "{pairs}");
}
