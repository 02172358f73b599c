//! A fault at a transition has an address: written as a scenario and read back, it is injected at the same transition.

use std::sync::Arc;

use hermes::error::Errno;
use hermes_sim::check::report::replayable;
use hermes_sim::check::search::{Finding, Schedule};
use hermes_sim::execution::{Execution, Failure, Fault, Transition};
use hermes_sim::scenario::{FoundBy, Invariant, Scenario, load};
use rstest::rstest;

use crate::support::replayed::injections;

const CREATES: &str = r#"{
  "name": "creates", "summary": "A test.", "runs_on": ["simulated"],
  "steps": [
    { "run": "hermes profile create writer" },
    { "together": [{ "run": "hermes profile create coder", "name": "A" }, { "run": "hermes --version" }] }
  ]
}"#;

/// The transitions of the baseline that perform an effect, each with its number.
fn baseline_effects(scenario: &Arc<Scenario>) -> Vec<(u64, Transition)> {
    let mut execution = Execution::new(scenario).expect("it boots");
    let mut effects = Vec::new();
    while !execution.is_finished() {
        let Some(next) = execution.enabled_transitions().into_iter().next() else { break };
        let number = execution.transition_count;
        if matches!(next, Transition::Process(who) if execution.next_effect(who).is_some()) {
            effects.push((number, next.clone()));
        }
        execution.step(&next).expect("no invariant is violated");
    }
    effects
}

#[rstest]
#[case(Fault::Kill)]
#[case(Fault::ContainerKill)]
#[case(Fault::PowerCut(1))]
#[case(Fault::FailEffect(Errno::IO))]
#[case(Fault::FailEffectForGood(Errno::NOSPC))]
fn a_fault_at_a_transition_is_replayed_by_its_address(#[case] fault: Fault) {
    let scenario = Arc::new(load("creates", CREATES).expect("a scenario"));
    let effects = baseline_effects(&scenario);
    assert!(effects.len() > 100, "{}", effects.len());
    let mut addressed = 0;
    for (number, next) in effects.iter().step_by(7) {
        let Transition::Process(who) = next else { continue };
        let schedule = Schedule(vec![(*number, Transition::Inject(*who, fault.clone()))]);
        addressed += u32::from(is_replayed(&scenario, schedule));
    }
    assert!(addressed > 12, "{addressed}");
}

#[test]
fn another_transition_than_the_baseline_is_replayed_by_its_address() {
    let scenario = Arc::new(load("creates", CREATES).expect("a scenario"));
    let mut addressed = 0;
    let mut execution = Execution::new(&scenario).expect("it boots");
    while !execution.is_finished() {
        let transitions = execution.enabled_transitions();
        let Some(baseline) = transitions.first().cloned() else { break };
        for other in transitions.iter().skip(1) {
            if execution.transition_count % 5 == 0 {
                let schedule = Schedule(vec![(execution.transition_count, other.clone())]);
                addressed += u32::from(is_replayed(&scenario, schedule));
            }
        }
        execution.step(&baseline).expect("no invariant is violated");
    }
    assert!(addressed > 3, "{addressed}");
}

/// Writes the schedule as a scenario with addresses, reads it back, and checks that every fault is injected at its
/// transition. False if a fault has no address.
fn is_replayed(scenario: &Scenario, schedule: Schedule) -> bool {
    let finding = Finding {
        schedule: schedule.clone(),
        failure: Failure::violation(Invariant::S1, ""),
        is_during_settle: true,
        changed_scenario: None,
    };
    let Ok(written) = replayable::to_scenario(scenario, &finding, Some(FoundBy::Bounded)) else {
        return false;
    };
    let read = load("written", &written.to_json()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read, written);
    let (injections, outcome) = injections(read);
    let expected: Vec<u64> = schedule.0.iter().map(|(number, _)| *number).collect();
    assert_eq!(injections, expected, "{schedule:?}: {outcome:?}\n{}", written.to_json());
    true
}
