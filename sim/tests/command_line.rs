//! The command line of `hermes-sim`: its exit codes, its errors, and that its output does not depend on the number of threads.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use hermes::probe::Bug;
use hermes_sim::check::search::{Budget, Explorer};
use hermes_sim::scenario::load;
use rstest::rstest;

use crate::support::planted::with_bug;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn sim(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hermes-sim"));
    command.args(words).current_dir(root()).output().expect("the command runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A scenario in a file of its own name.
fn write(folder: &Path, name: &str, rest: &str) -> String {
    let text = format!(
        "{{\n  \"name\": \"{name}\",\n  \"summary\": \"A test.\",\n  \"runs_on\": [\"simulated\"],\n{rest}\n}}\n"
    );
    let path = folder.join(format!("{name}.json"));
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

/// Holds, whatever the supervisor is.
const HOLDS: &str = r#"  "steps": [{ "run": "hermes --version", "name": "A", "expect": { "exit": 0 } }],
  "search": { "crash_matrix": ["A"], "crash_kinds": ["kill"], "faults_max": 0 }"#;

/// Cannot hold: the version is printed with exit 0.
const BREAKS: &str = r#"  "world": { "profiles": { "coder": {} }, "files": { "note.txt": { "text": "x" } } },
  "steps": [
    { "pass": "1s" },
    { "run": "hermes --version", "expect": { "exit": 7 } },
    { "pass": "1s" }
  ],
  "search": { "faults_max": 0 }"#;

#[test]
fn run_ends_with_0_when_everything_held() {
    let folder = tempfile::tempdir().expect("a folder");
    let held = sim(&["run", &write(folder.path(), "holds", HOLDS)]);
    assert_eq!(held.status.code(), Some(0), "{}{}", out(&held), err(&held));
    assert!(out(&held).contains("1 scenarios, 4 searches: 4 held, 0 broken"), "{}", out(&held));
}

#[test]
fn run_ends_with_1_and_a_report_when_an_expectation_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = sim(&["run", &write(folder.path(), "breaks", BREAKS)]);
    let text = out(&broken);
    assert_eq!(broken.status.code(), Some(1), "{text}{}", err(&broken));
    for part in ["exited 0, not [7]", "replay: cargo run -p hermes-sim -- replay", "What happened:"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn run_ends_with_2_when_a_scenario_is_unreadable() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "odd", "  \"steps\": [\n    { \"jump\": \"up\" }\n  ]");
    let odd = sim(&["run", &path]);
    assert_eq!(odd.status.code(), Some(2));
    assert!(err(&odd).contains("odd.json:6:"), "the line is named: {}", err(&odd));
    assert!(err(&odd).contains("no such step `jump`"), "{}", err(&odd));
    assert_eq!(sim(&["run", "no/such/file.json"]).status.code(), Some(2));
}

#[rstest]
#[case(&[])]
#[case(&["fly"])]
#[case(&["run", "--jobs", "0"])]
#[case(&["explain", "S99"])]
#[case(&["explore"])]
fn invalid_arguments_end_with_2(#[case] words: &[&str]) {
    assert_eq!(sim(words).status.code(), Some(2));
}

#[test]
fn run_prints_the_same_table_whatever_the_number_of_jobs() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths: Vec<String> = ["one", "two", "three", "four"]
        .iter()
        .map(|name| write(folder.path(), name, HOLDS))
        .collect();
    let table = |jobs: &str| {
        let mut words = vec!["run", "--jobs", jobs];
        words.extend(paths.iter().map(String::as_str));
        let text = out(&sim(&words));
        // The last column is seconds.
        let rows = text.lines().map(|line| line.rsplit_once("  ").map_or(line, |(row, _)| row));
        rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>()
    };
    let one = table("1");
    assert_eq!(one, table("3"));
    let names: Vec<&str> = one.iter().filter_map(|row| row.split(' ').next()).collect();
    let each = ["one", "two", "three", "four"].map(|name| [name; 4]);
    assert_eq!(names[1..17], *each.as_flattened());
}

#[test]
fn run_twice_has_the_same_digests() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "holds", HOLDS);
    let twice = sim(&["run", "--twice", "--json", &path]);
    assert_eq!(twice.status.code(), Some(0), "{}", out(&twice));
    let value: serde_json::Value = serde_json::from_str(&out(&twice)).expect("JSON");
    assert_eq!(value["units"].as_array().map(Vec::len), Some(4));
    assert_eq!(value["units"][0]["search"], "baseline");
}

#[test]
fn replay_prints_the_same_lines_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "breaks", BREAKS);
    let (once, again) = (sim(&["replay", &path]), sim(&["replay", &path]));
    assert_eq!(once.status.code(), Some(1));
    assert_eq!(out(&once), out(&again));
    assert!(out(&once).contains("print out"), "{}", out(&once));
}

#[test]
fn shrink_leaves_only_what_the_failure_needs() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "breaks", BREAKS);
    let shrunk = sim(&["shrink", &path]);
    assert_eq!(shrunk.status.code(), Some(1), "{}", err(&shrunk));
    let scenario = load("breaks", &out(&shrunk)).expect("a scenario");
    assert_eq!(scenario.steps.len(), 1);
    assert!(scenario.world.profiles.is_empty() && scenario.world.files.is_empty());
}

/// The stop succeeds, and the expectation after it fails.
const BREAKS_AFTER_A_STOP: &str = r#"  "world": { "profiles": { "coder": { "intent": "running" } } },
  "steps": [
    { "expect": { "up": ["coder"] } },
    { "run": "hermes -p coder gateway stop", "expect": { "exit": 0 } },
    { "expect": { "within": "0s", "up": ["coder"] } }
  ],
  "search": { "faults_max": 0 }"#;

/// The delete ends with 0.
const BREAKS_WITH_A_DELETE: &str = r#"  "world": { "profiles": { "coder": {} } },
  "steps": [{ "run": "hermes profile delete coder -y", "expect": { "exit": 7 } }]"#;

#[test]
fn shrink_never_trades_one_expectation_for_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let shrunk = sim(&["shrink", &write(folder.path(), "breaks", BREAKS_AFTER_A_STOP)]);
    assert!(err(&shrunk).contains("expect: 0 gateways of coder live"), "{}", err(&shrunk));
    let scenario = load("breaks", &out(&shrunk)).expect("a scenario");
    // Without the profile another expectation fails, and earlier: the exit of `stop`.
    assert_eq!((scenario.steps.len(), scenario.world.profiles.len()), (2, 1), "{}", out(&shrunk));
}

#[test]
fn run_reports_an_invariant_and_an_expectation_that_fail_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "breaks", BREAKS_WITH_A_DELETE);
    let text = std::fs::read_to_string(path).expect("just written");
    let scenario = Arc::new(load("breaks", &text).expect("a scenario"));
    let budget = Budget { runs: 1, states: 0, faults_max: 0, seed: 0 };
    let violated = |bug| {
        let result =
            with_bug(bug, || Explorer::new(&scenario, budget).expect("it boots").baseline());
        let findings = result.findings.into_iter();
        findings.map(|finding| finding.failure.kind.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(violated(None), ["expect"]);
    // L2 is checked at the end only, long after the expectation failed.
    assert_eq!(violated(Some(Bug::DeleteLeavesSlot)), ["L2", "expect"]);
}

#[test]
fn list_names_every_scenario_and_its_searches() {
    let listed = sim(&["list"]);
    assert_eq!(listed.status.code(), Some(0));
    let text = out(&listed);
    let line = text.lines().find(|line| line.starts_with("verb-boot ")).expect("verb-boot");
    assert!(line.contains("baseline relations crash-matrix recovery bounded"), "{line}");
}

#[test]
fn explain_prints_an_invariant_and_a_hazard() {
    assert!(out(&sim(&["explain", "s1"])).contains("a command that exited 0 stays true"));
    assert!(out(&sim(&["explain", "H22"])).contains("h22-killed-in-delete"));
}

#[test]
fn help_has_examples() {
    let help = sim(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(out(&help).contains("hermes-sim run --size long"));
}
