//! Transitions with disjoint footprints commute: the footprint of a transition contains everything that matters to others.

use std::collections::BTreeMap;

use hermes_sim::execution::{Execution, Transition};
use hermes_sim::hash;
use hermes_sim::machine::footprint::{self, Footprint};
use rstest::rstest;

use crate::support::fixture::scenario;

/// Do the two footprints share no resource that one of them changes?
fn are_independent(one: &Footprint, other: &Footprint) -> bool {
    let mut by_one: BTreeMap<u128, bool> = BTreeMap::new();
    for (resource, is_change) in &one.accesses {
        *by_one.entry(*resource).or_default() |= is_change;
    }
    let conflicts = |(resource, is_change): &(u128, bool)| {
        by_one.get(resource).is_some_and(|was_changed| *was_changed || *is_change)
    };
    !one.is_everything && !other.is_everything && !other.accesses.iter().any(conflicts)
}

/// Takes both transitions in this order; `None` if the second is not enabled any more.
fn both(execution: &Execution, first: &Transition, second: &Transition) -> Option<Execution> {
    let mut execution = execution.clone();
    execution.step(first).expect("no invariant is violated");
    if !execution.enabled_transitions().contains(second) {
        return None;
    }
    execution.step(second).expect("no invariant is violated");
    Some(execution)
}

fn describe(execution: &Execution, next: &Transition) -> String {
    let Transition::Process(who) = next else { return format!("{next:?}") };
    let comm = execution.machine.world.process(*who).map(|process| process.comm.clone());
    format!("{} {:?}", comm.unwrap_or_default(), execution.next_effect(*who))
}

/// Tries all pairs of enabled transitions along one random walk; returns how many were independent.
fn walk(start: &Execution, walk: u64) -> usize {
    let (mut execution, mut count) = (start.clone(), 0);
    while !execution.is_finished() {
        let transitions = execution.enabled_transitions();
        let steps = transitions.iter().filter(|next| matches!(next, Transition::Process(_)));
        let steps: Vec<(&Transition, Footprint)> = steps
            .map(|next| {
                (
                    next,
                    footprint::collect(|| {
                        execution.clone().step(next).expect("no invariant is violated")
                    })
                    .1,
                )
            })
            .collect();
        for (index, (one, by_one)) in steps.iter().enumerate() {
            for (other, by_other) in &steps[index + 1..] {
                if !are_independent(by_one, by_other) {
                    continue;
                }
                count += 1;
                let ends = [both(&execution, one, other), both(&execution, other, one)];
                let [there, back] = ends.map(|end| end.map(|end| end.machine.state_digest()));
                let pair =
                    format!("{} and {}", describe(&execution, one), describe(&execution, other));
                assert!(there.is_some() && there == back, "walk {walk}: {pair}");
            }
        }
        let Some(last) = transitions.len().checked_sub(1) else { break };
        let choice = hash::digest(&(walk, execution.transition_count)) % (last as u128 + 1);
        execution
            .step(&transitions[usize::try_from(choice).expect("an index")])
            .expect("no invariant is violated");
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
fn transitions_with_disjoint_footprints_commute(#[case] name: &str) {
    let mut start = Execution::new(&scenario(name)).expect("it boots");
    // As in the exhaustive search, which depends on it: no power cut, and unsynced data is not part of the state.
    start.machine.world.disk.ignore_power_cuts();
    let pairs: usize = (0..5).map(|number| walk(&start, number)).sum();
    assert!(pairs > 100, "{pairs}");
}
