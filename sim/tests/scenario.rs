//! The format of scenarios: every fixture loads, agrees with the schema, and is the same after being written and read again;
//! every error is reported with its line.

use std::path::{Path, PathBuf};

use hermes_sim::scenario::{Scenario, load};
use rstest::rstest;
use serde_json::Value;

use crate::support::fixture::read;

fn schema() -> jsonschema::Validator {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenario.schema.json");
    let text = std::fs::read_to_string(path).expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("the schema is a schema");
    jsonschema::validator_for(&schema).expect("the schema compiles")
}

#[rstest]
fn a_fixture_loads_and_agrees_with_the_schema(
    #[files("../fixtures/scenarios/*.json")] path: PathBuf,
) {
    check_fixture(&path);
}

#[test]
fn a_regression_says_which_search_found_it() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/regressions");
    for entry in std::fs::read_dir(dir).expect("the directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            assert!(check_fixture(&path).found_by.is_some(), "{}", path.display());
        }
    }
}

fn check_fixture(path: &Path) -> Scenario {
    let (scenario, text) = read(path);
    let stem = path.file_stem().expect("a file").to_string_lossy();
    assert_eq!(scenario.name, stem, "a scenario has the name of its file");
    if let Some(hazard) = &scenario.hazard {
        let id = format!("{}-", hazard.to_lowercase());
        assert!(stem.starts_with(&id), "{stem} covers {hazard}");
    }
    let value: Value = serde_json::from_str(&text).expect("it loaded");
    let errors: Vec<String> = schema()
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    scenario
}

#[rstest]
fn a_fixture_is_the_same_after_being_written_and_read_again(
    #[files("../fixtures/scenarios/*.json")] path: PathBuf,
) {
    let (scenario, _) = read(&path);
    let written = scenario.to_json();
    let again = load("written", &written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(again, scenario);
    let value: Value = serde_json::from_str(&written).expect("JSON");
    assert!(schema().is_valid(&value), "{written}");
}

#[rstest]
fn a_fixtures_commands_are_commands_of_hermes(
    #[files("../fixtures/scenarios/*.json")] path: PathBuf,
) {
    use clap::Parser as _;
    let (scenario, _) = read(&path);
    for run in scenario.run_steps() {
        let refused = run.expect.exit.0.contains(&2);
        let parsed = hermes::cli::args::Cli::try_parse_from(run.words());
        assert!(refused || parsed.is_ok(), "{}: {parsed:?}", run.run);
    }
}

/// A complete scenario, each part on a line of its own, with one line replaced.
fn with(line: usize, text: &str) -> String {
    let mut lines = vec![
        "{",
        r#""name": "x","#,
        r#""summary": "f","#,
        r#""runs_on": ["simulated"],"#,
        r#""world": {},"#,
        r#""steps": [{"run": "hermes gateway start", "name": "A"}],"#,
        r#""faults": [],"#,
        r#""search": {}"#,
        "}",
    ];
    lines[line - 1] = text;
    lines.join("\n")
}

/// Does the schema refuse the error, too?
#[derive(PartialEq)]
enum Schema {
    Refuses,
    Accepts,
}
use Schema::{Accepts, Refuses};

#[rstest]
#[case::name(2, r#""name": "X","#, "a-z, 0-9", Refuses)]
#[case::unknown_key(
    3,
    r#""summary": "f", "facts": 1,"#,
    "unknown field `facts`, expected one of",
    Refuses
)]
#[case::machine(
    4,
    r#""runs_on": ["s7"],"#,
    "expected one of `simulated`, `s6`, `container`",
    Refuses
)]
#[case::no_machine(4, r#""runs_on": [],"#, "no machine", Refuses)]
#[case::hazard(3, r#""summary": "f", "hazard": "H177","#, "H and 1 to 111", Accepts)]
#[case::found(
    3,
    r#""summary": "f", "found_by": {"search": "luck", "date": "2026-11-21"},"#,
    "expected one of `crash-matrix`",
    Refuses
)]
#[case::date(
    3,
    r#""summary": "f", "found_by": {"search": "random", "date": "today"},"#,
    "year, month and day",
    Refuses
)]
#[case::s6(5, r#""world": {"s6": "2.12"},"#, "expected one of `2.11`, `2.13`, `2.15`", Refuses)]
#[case::profile(5, r#""world": {"profiles": {"Coder": {}}},"#, "'C' at position 1", Refuses)]
#[case::reserved(5, r#""world": {"profiles": {"test": {}}},"#, "reserved", Accepts)]
#[case::twice(
    5,
    r#""world": {"profiles": {"a": {}, "a": {}}},"#,
    "`/world/profiles/a` stands here twice",
    Accepts
)]
#[case::two_kinds(
    5,
    r#""world": {"files": {"a": {"text": "", "dir": true}}},"#,
    "exactly one of text, hex",
    Refuses
)]
#[case::hex(5, r#""world": {"files": {"a": {"hex": "f"}}},"#, "two digits a byte", Refuses)]
#[case::way_out(5, r#""world": {"files": {"../a": {"text": ""}}},"#, "without `..`", Accepts)]
#[case::mode(
    5,
    r#""world": {"files": {"a": {"text": "", "mode": "644"}}},"#,
    "four octal digits",
    Refuses
)]
#[case::hard_link_to_nothing(
    5,
    r#""world": {"files": {"a": {"hard-link": "b"}}},"#,
    "\"b\" is no file of `/world/files`",
    Accepts
)]
#[case::hard_link_of_a_profile(
    5,
    r#""world": {"profiles": {"a": {"files": {"x": {"hard-link": "b"}}}}},"#,
    "can be another name",
    Accepts
)]
#[case::umask(5, r#""world": {"umask": "77"},"#, "four octal digits", Refuses)]
#[case::act(
    5,
    r#""world": {"programs": {"/a": [{"do": "dance"}]}},"#,
    "a program cannot \"dance\"",
    Refuses
)]
#[case::ignore(
    5,
    r#""world": {"programs": {"/a": [{"do": "ignore"}]}},"#,
    "`ignore` needs `on`",
    Refuses
)]
#[case::relative_program(5, r#""world": {"programs": {"a": []}},"#, "absolute path", Refuses)]
#[case::no_steps(6, r#""steps": [],"#, "no steps", Refuses)]
#[case::step(
    6,
    r#""steps": [{"dance": 1}],"#,
    "no such step `dance`: its first key is one of boot, run",
    Refuses
)]
#[case::empty_step(6, r#""steps": [{}],"#, "an empty step", Refuses)]
#[case::foreign_key(
    6,
    r#""steps": [{"run": "hermes man x", "grace": "1s"}],"#,
    "unknown field `grace`, expected one of",
    Refuses
)]
#[case::not_hermes(6, r#""steps": [{"run": "ls"}],"#, "begins with `hermes`", Refuses)]
#[case::shell(6, r#""steps": [{"run": "hermes man x; ls"}],"#, "no shell reads it", Refuses)]
#[case::run_name(
    6,
    r#""steps": [{"run": "hermes man x", "name": "a"}],"#,
    "a capital letter",
    Refuses
)]
#[case::same_name(
    6,
    r#""steps": [{"run": "hermes man x", "name": "A"}, {"run": "hermes man x", "name": "A"}],"#,
    "called A already",
    Accepts
)]
#[case::up(6, r#""steps": [{"expect": {"up": ["../x"]}}],"#, "'.' at position 1", Refuses)]
#[case::drift(
    6,
    r#""steps": [{"expect": {"status": {"a": {"verdict": "odd"}}}}],"#,
    "expected one of `up`, `down`, `drift`",
    Refuses
)]
#[case::duration(6, r#""steps": [{"settle": "30"}],"#, "is not a duration", Refuses)]
#[case::shift(6, r#""steps": [{"clock": "3h"}],"#, "not a step of the clock", Refuses)]
#[case::signal(
    6,
    r#""steps": [{"signal": "SIGTERM", "to": "main"}],"#,
    "expected one of `HUP`",
    Refuses
)]
#[case::target(
    6,
    r#""steps": [{"signal": "TERM", "to": "coder"}],"#,
    "is no process: gateway P",
    Refuses
)]
#[case::container(6, r#""steps": [{"boot": "c2"}],"#, "the world has 1", Accepts)]
#[case::alone(6, r#""steps": [{"together": [{"run": "hermes man x"}]}],"#, "at least two", Refuses)]
#[case::nested(
    6,
    r#""steps": [{"together": [{"run": "hermes man x"}, {"settle": "1s"}]}],"#,
    "`settle` cannot be together",
    Refuses
)]
#[case::unknown_task(
    7,
    r#""faults": [{"at": {"task": "B", "effect": "open"}, "inject": "kill"}],"#,
    "no run is called B: there are [A]",
    Accepts
)]
#[case::odd_task(
    7,
    r#""faults": [{"at": {"task": "b", "effect": "open"}, "inject": "kill"}],"#,
    "is no task",
    Refuses
)]
#[case::effect(
    7,
    r#""faults": [{"at": {"task": "A", "effect": "replace"}, "inject": "kill"}],"#,
    "unknown variant `replace`",
    Refuses
)]
#[case::fault(
    7,
    r#""faults": [{"at": {"task": "A", "effect": "open"}, "inject": "EWHAT"}],"#,
    "no such fault \"EWHAT\": one of kill",
    Refuses
)]
#[case::nth(
    7,
    r#""faults": [{"at": {"task": "A", "effect": "open", "nth": 0}, "inject": "kill"}],"#,
    "counts from 1",
    Refuses
)]
#[case::sticky(
    7,
    r#""faults": [{"at": {"task": "A", "effect": "open"}, "inject": "kill", "sticky": true}],"#,
    "only an errno",
    Accepts
)]
#[case::duration(
    7,
    r#""faults": [{"at": {"task": "A", "effect": "open"}, "inject": "suspend"}],"#,
    "`duration` goes with `suspend`",
    Accepts
)]
#[case::next(
    7,
    r#""faults": [{"at": {"task": "A", "effect": "open"}, "inject": "kill", "next": "A"}],"#,
    "`next` goes with `preempt`",
    Accepts
)]
#[case::crash(8, r#""search": {"crash_matrix": ["B"]}"#, "no run is called B", Accepts)]
#[case::crash_kind(
    8,
    r#""search": {"crash_kinds": ["fire"]}"#,
    "expected one of `kill`, `container`, `power`, `errno`",
    Refuses
)]
#[case::crashes(8, r#""search": {"exhaustive_crashes": 1}"#, "goes with `exhaustive`", Accepts)]
#[case::invariant(8, r#""invariants": ["S99"]"#, "unknown variant `S99`", Refuses)]
fn an_error_is_reported_with_its_line(
    #[case] line: usize,
    #[case] text: &str,
    #[case] expected: &str,
    #[case] by_schema: Schema,
) {
    let whole = with(line, text);
    let error = load("bad.json", &whole).expect_err("it is wrong");
    assert!(error.message.contains(expected), "{error}");
    assert_eq!(error.line, line, "{error}");
    let value: Value = serde_json::from_str(&whole).expect("JSON all the same");
    assert_eq!(
        schema().is_valid(&value),
        by_schema == Accepts,
        "the verdict of the schema on {text}"
    );
}

#[test]
fn invalid_json_is_reported_with_its_line() {
    let error = load("bad.json", &with(3, "\"summary\" \"f\",")).expect_err("no JSON");
    assert_eq!(error.to_string(), "bad.json:3:11: expected `:`");
}

#[test]
fn a_minimal_scenario_is_read_with_its_defaults() {
    let text = with(7, "\"faults\": [],");
    let scenario = load("minimal.json", &text).unwrap_or_else(|error| panic!("{error}"));
    let tasks: Vec<String> = scenario.named_tasks().iter().map(ToString::to_string).collect();
    assert_eq!(tasks, ["init", "tree", "A"]);
    assert_eq!(scenario.required_invariants().len(), 22);
    assert!(!scenario.has_boot_step());
    assert_eq!(scenario.world.containers, 1);
}
