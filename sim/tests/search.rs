//! The searches: what each must find that the others cannot.

use std::sync::Arc;

use hermes::host::effect::Effect;
use hermes::probe::{self, Bug};
use hermes_sim::check::report::replayable;
use hermes_sim::check::retrace;
use hermes_sim::check::search::{Budget, Explorer, Finding, Schedule, SearchResult, effect_faults};
use hermes_sim::execution::{Execution, Failure, Fault, Transition};
use hermes_sim::scenario::{FoundBy, Invariant, Scenario, TaskAddress, load};
use rstest::rstest;

/// One law of a fixture, with a bug planted or without.
fn laws(name: &str, promise: Invariant, bug: Option<Bug>) -> SearchResult {
    let path = format!("{}/../fixtures/scenarios/{name}.json", env!("CARGO_MANIFEST_DIR"));
    #[expect(clippy::disallowed_methods, reason = "reads a fixture")]
    let text = std::fs::read_to_string(&path).expect("a fixture");
    let scenario = load(name, &text).expect("a scenario");
    let scenario = Arc::new(Scenario { invariants: Some([promise].into()), ..scenario });
    probe::plant(bug);
    let budget = Budget { runs: 32, states: 0, faults_max: 0, seed: 0 };
    let tally = Explorer::new(&scenario, budget).expect("it boots").relations();
    probe::plant(None);
    tally
}

/// Each of these promises needs several runs, or several looks, and there it is looked at and broken.
#[rstest]
#[case("r9-corrupt-state", Bug::WarningAborts, Invariant::S9)]
#[case("h7-start-races-stop", Bug::ProfileLockNotTaken, Invariant::S14)]
#[case("h42-backs-off", Bug::TallyForgotten, Invariant::L5)]
fn a_law_holds_and_is_broken_by_its_bug(
    #[case] name: &str,
    #[case] bug: Bug,
    #[case] promise: Invariant,
) {
    let law = promise.to_string();
    let held = laws(name, promise, None);
    assert_eq!(held.findings, []);
    assert!(
        held.relations_checked.get(&promise).is_some_and(|times| *times > 0),
        "{:?}",
        held.relations_checked
    );
    let broken = laws(name, promise, Some(bug));
    let is_found = broken.findings.iter().any(|it| it.failure.kind.to_string() == law);
    assert!(is_found, "{:?} {:?}", broken.findings, broken.relations_checked);
}

/// A gateway that was stopped behind our back is a drift at rest, and status is asked there.
#[test]
fn status_is_asked_wherever_nobody_moves() {
    let held = laws("h17-stopped-behind-our-back", Invariant::L7, None);
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

/// The calm run of the command: at so many moves, who, what.
fn effects(scenario: &Arc<Scenario>) -> Vec<(u64, Transition, Effect)> {
    let mut play = Execution::new(scenario).expect("it boots");
    let mut effects = Vec::new();
    while let Some(next) = play.baseline_transition().filter(|_| !play.is_finished()) {
        if let Transition::Process(who) = next {
            let effect = play
                .next_effect(who)
                .filter(|effect| !effect_faults::is_invisible_to_crash(effect));
            if let Some(effect) = effect.filter(|_| play.task_address(who).is_some_and(is_command))
            {
                effects.push((
                    play.transition_count,
                    Transition::Inject(who, Fault::Kill),
                    effect.clone(),
                ));
            }
        }
        play.step(&next).expect("nothing breaks");
    }
    effects
}

fn is_command(task: TaskAddress) -> bool {
    task == TaskAddress::Run("A".to_owned())
}

/// Where the profile is hidden, and no disk knows yet.
fn hidden(effects: &[(u64, Transition, Effect)]) -> usize {
    let is_hiding = |(_, _, effect): &(u64, Transition, Effect)| matches!(effect, Effect::Rename { from, .. } if from.path.ends_with("coder"));
    effects.iter().position(is_hiding).expect("one rename decides") + 1
}

/// One first crash, the one with this number.
fn recovery(number: usize) -> SearchResult {
    let seed = number as u64;
    let budget = Budget { runs: 8, states: 0, faults_max: 0, seed };
    Explorer::new(&deletes(), budget).expect("it boots").recovery()
}

#[test]
fn a_repeated_command_is_held_to_what_it_says() {
    let number = hidden(&effects(&deletes()));
    let held = recovery(number);
    assert_eq!(held.findings, []);
    assert!(held.runs > 4, "{}", held.runs);
    assert!(!held.is_complete, "eight runs are not all");
    probe::plant(Some(Bug::DeleteAgainNotSynced));
    let broken = recovery(number);
    probe::plant(None);
    let [found] = &broken.findings[..] else { panic!("{:?}", broken.findings) };
    assert_eq!(found.failure.kind.to_string(), "S1");
    let story = found.changed_scenario.as_ref().expect("the command was repeated");
    assert_eq!(story.steps.len(), 2);
}

#[test]
fn a_second_crash_inside_the_boot_comes_up_again_by_its_address() {
    let scenario = deletes();
    let effects = effects(&scenario);
    let (at, kill, _) = effects[hidden(&effects)].clone();
    let failure = Failure::violation(Invariant::S1, "");
    let schedule = Schedule(vec![(at, kill)]);
    let mut found = Finding { schedule, failure, is_during_settle: true, changed_scenario: None };
    let mut boots = Vec::new();
    let by = Some(FoundBy::CrashMatrix);
    let ended = retrace::retrace_finding(&scenario, &found, by, &mut |play, next| {
        if let Transition::Process(who) = next {
            let is_tree = matches!(play.task_address(*who), Some(TaskAddress::Tree(_)));
            if is_tree
                && play
                    .next_effect(*who)
                    .is_some_and(|effect| !effect_faults::is_invisible_to_crash(effect))
            {
                boots.push((play.transition_count, Transition::Inject(*who, Fault::Kill)));
            }
        }
    });
    ended.expect("one crash breaks nothing");
    let second = boots.get(20).expect("the boot does more").clone();
    found.schedule.0.push(second);
    let told = replayable::to_scenario(&scenario, &found, by).expect("it has addresses");
    assert_eq!(told.faults.len(), 2, "{}", told.to_json());
    let mut met = Vec::new();
    let ended = retrace::retrace_scenario(
        &Arc::new(told),
        &mut |play, next| {
            if matches!(next, Transition::InjectScripted(..)) {
                met.push(play.transition_count);
            }
        },
        &mut |_| {},
    );
    assert_eq!(ended, retrace::ReplayOutcome::Held);
    assert_eq!(met, found.schedule.0.iter().map(|(at, _)| *at).collect::<Vec<_>>());
}

/// The trees that power cuts leave are stories like any other: read back as they were, and true on the machine they
/// were taken from.
#[test]
fn a_power_cut_leaves_stories_that_hold() {
    let scenario = load("cut", &DELETES.replace("\"kill\"", "\"power\"")).expect("a scenario");
    let budget = Budget { runs: 8, states: 0, faults_max: 0, seed: 0 };
    let search = Explorer::new(&Arc::new(scenario), budget).expect("it boots");
    let stories = search.power_cut_scenarios(4);
    assert!((2..=4).contains(&stories.len()), "{}", stories.len());
    for story in stories {
        let name = story.name.clone();
        assert_eq!(load(&name, &story.to_json()).expect("a scenario"), story);
        let tally = Explorer::new(&Arc::new(story), budget).expect("it boots").baseline();
        assert_eq!(tally.findings, [], "{name}");
    }
}
