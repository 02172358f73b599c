//! The searches: what each must find that the others cannot.

use std::sync::Arc;

use hermes::host::effect::Effect;
use hermes::probe::{self, Bug};
use hermes_sim::check::report::{address, retrace};
use hermes_sim::check::search::{Budget, Found, Schedule, Search, Tally, faults};
use hermes_sim::execution::{Deed, Failure, Move, Play};
use hermes_sim::scenario::{Finder, Promise, Scenario, Task, load};
use rstest::rstest;

/// One law of a fixture, with a bug planted or without.
fn laws(name: &str, promise: Promise, bug: Option<Bug>) -> Tally {
    let path = format!("{}/../fixtures/scenarios/{name}.json", env!("CARGO_MANIFEST_DIR"));
    #[expect(clippy::disallowed_methods, reason = "reads a fixture")]
    let text = std::fs::read_to_string(&path).expect("a fixture");
    let scenario = load(name, &text).expect("a scenario");
    let scenario = Arc::new(Scenario { promises: Some([promise].into()), ..scenario });
    probe::plant(bug);
    let budget = Budget { runs: 32, states: 0, surprises: 0, seed: 0 };
    let tally = Search::new(&scenario, budget).expect("it boots").laws();
    probe::plant(None);
    tally
}

/// Each of these promises needs several runs, or several looks, and there it is looked at and broken.
#[rstest]
#[case("r9-corrupt-state", Bug::OddProfileAborts, Promise::S9)]
#[case("h7-start-races-stop", Bug::ProfileLockNotTaken, Promise::S14)]
#[case("h42-backs-off", Bug::TallyForgotten, Promise::L5)]
fn a_law_holds_and_is_broken_by_its_bug(
    #[case] name: &str,
    #[case] bug: Bug,
    #[case] promise: Promise,
) {
    let law = promise.to_string();
    let held = laws(name, promise, None);
    assert_eq!(held.found, []);
    assert!(held.compared.get(&*law).is_some_and(|times| *times > 0), "{:?}", held.compared);
    let broken = laws(name, promise, Some(bug));
    let is_found = broken.found.iter().any(|it| it.failure.promise == law);
    assert!(is_found, "{:?} {:?}", broken.found, broken.compared);
}

/// A gateway that was stopped behind our back is a drift at rest, and status is asked there.
#[test]
fn status_is_asked_wherever_nobody_moves() {
    let held = laws("h17-stopped-behind-our-back", Promise::L7, None);
    assert_eq!(held.found, []);
    assert!(held.compared.get("L7").is_some_and(|times| *times > 2), "{:?}", held.compared);
}

const DELETES: &str = r#"{
  "name": "deletes", "fact": "A test.", "runs_on": ["simulated"],
  "world": { "profiles": { "coder": { "intent": "stopped" } } },
  "story": [{ "run": "hermes profile delete coder -y", "name": "A" }],
  "search": { "crash": ["A"], "crash_kinds": ["kill"] }
}"#;

fn deletes() -> Arc<Scenario> {
    Arc::new(load("deletes", DELETES).expect("a scenario"))
}

/// The calm run of the command: at so many moves, who, what.
fn effects(scenario: &Arc<Scenario>) -> Vec<(u64, Move, Effect)> {
    let mut play = Play::new(scenario).expect("it boots");
    let mut effects = Vec::new();
    while let Some(next) = play.calm().filter(|_| !play.is_over()) {
        if let Move::Step(who) = next {
            let effect = play.next_effect(who).filter(|effect| !faults::is_private(effect));
            if let Some(effect) = effect.filter(|_| play.task(who).is_some_and(is_command)) {
                effects.push((play.moves, Move::Befall(who, Deed::Kill), effect.clone()));
            }
        }
        play.take(&next).expect("nothing breaks");
    }
    effects
}

fn is_command(task: Task) -> bool {
    task == Task::Run("A".to_owned())
}

/// Where the profile is hidden, and no disk knows yet.
fn hidden(effects: &[(u64, Move, Effect)]) -> usize {
    let is_hiding = |(_, _, effect): &(u64, Move, Effect)| matches!(effect, Effect::Rename { from, .. } if from.path.ends_with("coder"));
    effects.iter().position(is_hiding).expect("one rename decides") + 1
}

/// One first crash, the one with this number.
fn recovery(number: usize) -> Tally {
    let seed = number as u64;
    let budget = Budget { runs: 8, states: 0, surprises: 0, seed };
    Search::new(&deletes(), budget).expect("it boots").recovery()
}

#[test]
fn a_repeated_command_is_held_to_what_it_says() {
    let number = hidden(&effects(&deletes()));
    let held = recovery(number);
    assert_eq!(held.found, []);
    assert!(held.runs > 4, "{}", held.runs);
    assert!(!held.is_complete, "eight runs are not all");
    probe::plant(Some(Bug::DeleteAgainNotSynced));
    let broken = recovery(number);
    probe::plant(None);
    let [found] = &broken.found[..] else { panic!("{:?}", broken.found) };
    assert_eq!(found.failure.promise, "S1");
    let story = found.repeated.as_ref().expect("the command was repeated");
    assert_eq!(story.story.len(), 2);
}

#[test]
fn a_second_crash_inside_the_boot_comes_up_again_by_its_address() {
    let scenario = deletes();
    let effects = effects(&scenario);
    let (at, kill, _) = effects[hidden(&effects)].clone();
    let failure = Failure::of("S1", "");
    let schedule = Schedule(vec![(at, kill)]);
    let mut found = Found { schedule, failure, is_concluding: true, repeated: None };
    let mut boots = Vec::new();
    let by = Some(Finder::CrashMatrix);
    let ended = retrace::found(&scenario, &found, by, &mut |play, next| {
        if let Move::Step(who) = next {
            let is_tree = matches!(play.task(*who), Some(Task::Tree(_)));
            if is_tree && play.next_effect(*who).is_some_and(|effect| !faults::is_private(effect)) {
                boots.push((play.moves, Move::Befall(*who, Deed::Kill)));
            }
        }
    });
    ended.expect("one crash breaks nothing");
    let second = boots.get(20).expect("the boot does more").clone();
    found.schedule.0.push(second);
    let told = address::tell(&scenario, &found, by).expect("it has addresses");
    assert_eq!(told.surprises.len(), 2, "{}", told.to_json());
    let mut met = Vec::new();
    let ended = retrace::told(
        &Arc::new(told),
        &mut |play, next| {
            if matches!(next, Move::Told(..)) {
                met.push(play.moves);
            }
        },
        &mut |_| {},
    );
    assert_eq!(ended, retrace::Ended::Held);
    assert_eq!(met, found.schedule.0.iter().map(|(at, _)| *at).collect::<Vec<_>>());
}

/// The trees that power cuts leave are stories like any other: read back as they were, and true on the machine they
/// were taken from.
#[test]
fn a_power_cut_leaves_stories_that_hold() {
    let scenario = load("cut", &DELETES.replace("\"kill\"", "\"power\"")).expect("a scenario");
    let budget = Budget { runs: 8, states: 0, surprises: 0, seed: 0 };
    let search = Search::new(&Arc::new(scenario), budget).expect("it boots");
    let stories = search.outages(4);
    assert!((2..=4).contains(&stories.len()), "{}", stories.len());
    for story in stories {
        let name = story.name.clone();
        assert_eq!(load(&name, &story.to_json()).expect("a scenario"), story);
        let tally = Search::new(&Arc::new(story), budget).expect("it boots").calm();
        assert_eq!(tally.found, [], "{name}");
    }
}
