//! The searches: each must find something that the others cannot find.

use std::sync::Arc;

use hermes::host::effect::Effect;
use hermes::probe::Bug;
use hermes_sim::check::report::replayable;
use hermes_sim::check::retrace;
use hermes_sim::check::search::{Budget, Explorer, Finding, Schedule, SearchResult, effect_faults};
use hermes_sim::execution::{Execution, Failure, Fault, Transition};
use hermes_sim::scenario::{FoundBy, Invariant, Scenario, TaskAddress, load};
use rstest::rstest;

use crate::support::planted::with_bug;
use crate::support::{fixture, replayed};

/// Checks one relation between runs of a fixture, with a bug planted or without.
fn relations(name: &str, invariant: Invariant, bug: Option<Bug>) -> SearchResult {
    let scenario = Scenario::clone(&fixture::scenario(name));
    let scenario = Arc::new(Scenario { invariants: Some([invariant].into()), ..scenario });
    let budget = Budget { runs: 32, states: 0, faults_max: 0, seed: 0 };
    with_bug(bug, || Explorer::new(&scenario, budget).expect("it boots").relations())
}

/// Each of these invariants needs several runs, or several observations; only this search checks it.
#[rstest]
#[case("r9-corrupt-state", Bug::WarningAborts, Invariant::S9)]
#[case("h7-start-races-stop", Bug::ProfileLockNotTaken, Invariant::S14)]
#[case("h42-backs-off", Bug::TallyForgotten, Invariant::L5)]
fn a_relation_holds_and_is_violated_by_its_bug(
    #[case] name: &str,
    #[case] bug: Bug,
    #[case] invariant: Invariant,
) {
    let held = relations(name, invariant, None);
    assert_eq!(held.findings, []);
    assert!(
        held.relations_checked.get(&invariant).is_some_and(|times| *times > 0),
        "{:?}",
        held.relations_checked
    );
    let broken = relations(name, invariant, Some(bug));
    let is_found = broken
        .findings
        .iter()
        .any(|finding| finding.failure.kind.to_string() == invariant.to_string());
    assert!(is_found, "{:?} {:?}", broken.findings, broken.relations_checked);
}

/// A gateway that was stopped without hermes is a drift at rest; the search checks status there.
#[test]
fn status_is_checked_wherever_the_machine_is_at_rest() {
    let held = relations("h17-stopped-behind-our-back", Invariant::L7, None);
    assert_eq!(held.findings, []);
    assert!(
        held.relations_checked.get(&Invariant::L7).is_some_and(|times| *times > 2),
        "{:?}",
        held.relations_checked
    );
}

const DELETES: &str = r#"{
  "name": "deletes", "summary": "A test.", "runs_on": ["simulated"],
  "world": { "profiles": { "coder": { "intent": "stopped" } } },
  "steps": [{ "run": "hermes profile delete coder -y", "name": "A" }],
  "search": { "crash_matrix": ["A"], "crash_kinds": ["kill"] }
}"#;

fn deletes() -> Arc<Scenario> {
    Arc::new(load("deletes", DELETES).expect("a scenario"))
}

/// The effects of the command in the baseline: the number of transitions before, the kill there, and the effect.
fn effects(scenario: &Arc<Scenario>) -> Vec<(u64, Transition, Effect)> {
    let mut execution = Execution::new(scenario).expect("it boots");
    let mut effects = Vec::new();
    while let Some(next) = execution.baseline_transition().filter(|_| !execution.is_finished()) {
        if let Transition::Process(who) = next {
            let effect = execution
                .next_effect(who)
                .filter(|effect| !effect_faults::is_invisible_to_crash(effect));
            if let Some(effect) =
                effect.filter(|_| execution.task_address(who).is_some_and(is_command))
            {
                effects.push((
                    execution.transition_count,
                    Transition::Inject(who, Fault::Kill),
                    effect.clone(),
                ));
            }
        }
        execution.step(&next).expect("no invariant is violated");
    }
    effects
}

fn is_command(task: TaskAddress) -> bool {
    task == TaskAddress::Run("A".to_owned())
}

/// The index after the rename that hides the profile, which is not synced there.
fn hidden(effects: &[(u64, Transition, Effect)]) -> usize {
    let is_hiding = |(_, _, effect): &(u64, Transition, Effect)| matches!(effect, Effect::Rename { from, .. } if from.path.ends_with("coder"));
    effects.iter().position(is_hiding).expect("one rename decides") + 1
}

/// The recovery search for the first crash with this number.
fn recovery(number: usize) -> SearchResult {
    let seed = number as u64;
    let budget = Budget { runs: 8, states: 0, faults_max: 0, seed };
    Explorer::new(&deletes(), budget).expect("it boots").recovery()
}

#[test]
fn a_repeated_command_must_keep_its_exit_code_true() {
    let number = hidden(&effects(&deletes()));
    let held = recovery(number);
    assert_eq!(held.findings, []);
    assert!(held.runs > 4, "{}", held.runs);
    assert!(!held.is_complete, "eight runs are not all");
    let broken = with_bug(Some(Bug::DeleteAgainNotSynced), || recovery(number));
    let [finding] = &broken.findings[..] else { panic!("{:?}", broken.findings) };
    assert_eq!(finding.failure.kind.to_string(), "S1");
    let scenario = finding.changed_scenario.as_ref().expect("the command was repeated");
    assert_eq!(scenario.steps.len(), 2);
}

#[test]
fn a_second_crash_inside_the_boot_is_replayed_by_its_address() {
    let scenario = deletes();
    let effects = effects(&scenario);
    let (at, kill, _) = effects[hidden(&effects)].clone();
    let failure = Failure::violation(Invariant::S1, "");
    let schedule = Schedule(vec![(at, kill)]);
    let mut finding = Finding { schedule, failure, is_during_settle: true, changed_scenario: None };
    let mut boots = Vec::new();
    let by = Some(FoundBy::CrashMatrix);
    let outcome = retrace::retrace_finding(&scenario, &finding, by, &mut |execution, next| {
        if let Transition::Process(who) = next {
            let is_tree = matches!(execution.task_address(*who), Some(TaskAddress::Tree(_)));
            if is_tree
                && execution
                    .next_effect(*who)
                    .is_some_and(|effect| !effect_faults::is_invisible_to_crash(effect))
            {
                boots.push((execution.transition_count, Transition::Inject(*who, Fault::Kill)));
            }
        }
    });
    outcome.expect("one crash violates no invariant");
    let second = boots.get(20).expect("the boot does more").clone();
    finding.schedule.0.push(second);
    let written = replayable::to_scenario(&scenario, &finding, by).expect("it has addresses");
    assert_eq!(written.faults.len(), 2, "{}", written.to_json());
    let (injections, outcome) = replayed::injections(written);
    assert_eq!(outcome, retrace::ReplayOutcome::Held);
    assert_eq!(injections, finding.schedule.0.iter().map(|(at, _)| *at).collect::<Vec<_>>());
}

/// The volumes that power cuts leave are scenarios like any other: the same after being written and read again, and they hold
/// on the simulated machine that they were taken from.
#[test]
fn a_power_cut_leaves_scenarios_that_hold() {
    let scenario = load("cut", &DELETES.replace("\"kill\"", "\"power\"")).expect("a scenario");
    let budget = Budget { runs: 8, states: 0, faults_max: 0, seed: 0 };
    let explorer = Explorer::new(&Arc::new(scenario), budget).expect("it boots");
    let scenarios = explorer.power_cut_scenarios(4);
    assert!((2..=4).contains(&scenarios.len()), "{}", scenarios.len());
    for scenario in scenarios {
        let name = scenario.name.clone();
        assert_eq!(load(&name, &scenario.to_json()).expect("a scenario"), scenario);
        let result = Explorer::new(&Arc::new(scenario), budget).expect("it boots").baseline();
        assert_eq!(result.findings, [], "{name}");
    }
}
