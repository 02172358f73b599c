//! A profile's scheduled task: golden file, the schema, and a reader of XML. No Windows has read it.

use std::process::{Command, Output};
use std::time::Duration;

use hermes::backend::windows::render;
use hermes::record::config::{Delay, Restart};
use hermes::supervisor::{ServiceSpec, TargetState};
use quick_xml::Reader;
use quick_xml::events::Event;
use rstest::rstest;
use snapbox::{assert_data_eq, file};

use super::facts::{odd, plain};

const USER: &str = r"PC\ann & bob";

#[test]
fn a_task_is_as_it_was() {
    let task = render(&plain(), USER, TargetState::Up);
    assert_data_eq!(task, file!["../../fixtures/render/task.xml"].raw());
}

#[test]
fn a_task_of_odd_facts_is_as_it_was() {
    let task = render(&odd(), USER, TargetState::Down);
    assert_data_eq!(task, file!["../../fixtures/render/task-odd.xml"].raw());
}

/// The output of `xmllint` for a task against the schema in `task.xsd`, and whether it is an error.
fn xmllint(task: &str) -> Output {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("task.xml");
    std::fs::write(&path, task).expect("a file of our own");
    Command::new("xmllint")
        .args(["--noout", "--schema"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/render/task.xsd"))
        .arg(&path)
        .output()
        .expect("xmllint is installed")
}

fn pause(seconds: u64) -> Restart {
    Restart { delay: Delay(Duration::from_secs(seconds)), ..Restart::default() }
}

#[rstest]
#[case::plain(plain())]
#[case::odd(odd())]
#[case::the_shortest_pause(ServiceSpec { restart: pause(0), ..plain() })]
#[case::the_longest_pause(ServiceSpec { restart: pause(u64::MAX), ..plain() })]
fn xmllint_finds_a_task_of_the_schema(#[case] spec: ServiceSpec) {
    for want in [TargetState::Up, TargetState::Down] {
        let output = xmllint(&render(&spec, USER, want));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[rstest]
#[case::an_element(
    "RunLevel",
    "RunsLevel",
    "'{http://schemas.microsoft.com/windows/2004/02/mit/task}RunsLevel'"
)]
#[case::its_place("<Settings>", "<Settings><Exec/>", "This element is not expected")]
#[case::a_word("IgnoreNew", "Ignore", "not an element of the set")]
#[case::a_pause("PT1M", "PT59S", "minInclusive")]
#[case::who_acts("Context=\"Author\"", "Context=\"Other\"", "No match found for key-sequence")]
fn xmllint_would_say_what_is_wrong(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] expected: &str,
) {
    let output = xmllint(&render(&plain(), USER, TargetState::Up).replace(right, wrong));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(expected), "{said}");
}

/// `Task/Settings/Enabled` and its text, for every element with text.
fn read(task: &str) -> Result<Vec<(String, String)>, String> {
    let mut reader = Reader::from_str(task);
    let (mut path, mut found, mut text) = (Vec::<String>::new(), Vec::new(), String::new());
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                let name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
                path.push(name);
                text.clear();
            }
            Event::Text(part) => text.push_str(&part.decode().map_err(|error| error.to_string())?),
            Event::GeneralRef(name) => {
                let name = name.decode().map_err(|error| error.to_string())?;
                let letter = quick_xml::escape::resolve_predefined_entity(&name);
                text.push_str(letter.ok_or_else(|| format!("no entity {name}"))?);
            }
            Event::End(_) => {
                if !text.trim().is_empty() {
                    found.push((path.join("/"), std::mem::take(&mut text)));
                }
                path.pop();
                text.clear();
            }
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

fn facts(spec: &ServiceSpec) -> Vec<(String, String)> {
    read(&render(spec, USER, TargetState::Up)).expect("XML")
}

fn fact(spec: &ServiceSpec, path: &str) -> String {
    let facts = facts(spec);
    let found = facts.iter().find(|(other, _)| other == path);
    found.unwrap_or_else(|| panic!("no {path} in {facts:?}")).1.clone()
}

#[test]
fn a_reader_of_xml_finds_every_fact_unchanged() {
    let spec = ServiceSpec { home: r"C:\ann & bob <x>\.hermes".into(), ..plain() };
    let arguments = fact(&spec, "Task/Actions/Exec/Arguments");
    assert!(arguments.contains(r#""set "HERMES_HOME=C:\ann & bob <x>\.hermes"&&"#), "{arguments}");
    assert!(arguments.contains(r#""/usr/local/bin/hermes" -p coder gateway run >>""#));
    assert_eq!(fact(&spec, "Task/Principals/Principal/UserId"), USER);
    for (path, expected) in [
        ("Principals/Principal/LogonType", "InteractiveToken"),
        ("Principals/Principal/RunLevel", "LeastPrivilege"),
        ("Settings/MultipleInstancesPolicy", "IgnoreNew"),
        ("Settings/ExecutionTimeLimit", "PT0S"),
        ("Settings/Enabled", "true"),
        ("Triggers/TimeTrigger/Repetition/Interval", "PT1M"),
    ] {
        assert_eq!(fact(&spec, &format!("Task/{path}")), expected, "{path}");
    }
}

/// One changed fact, and what shows it; the version always does.
#[rstest]
#[case(|spec: &mut ServiceSpec| spec.restart.delay.0 = Duration::from_secs(120), &["TimeTrigger/Repetition/Interval", "RestartOnFailure/Interval"])]
#[case(|spec: &mut ServiceSpec| spec.program = "/x".into(), &["Exec/Arguments"])]
#[case(|spec: &mut ServiceSpec| spec.home = "/h".into(), &["Exec/Arguments"])]
#[case(|spec: &mut ServiceSpec| spec.log_dir = "/l".into(), &["Exec/Arguments"])]
fn one_fact_is_said_in_its_place(#[case] change: fn(&mut ServiceSpec), #[case] expected: &[&str]) {
    let mut spec = plain();
    let before = facts(&spec);
    change(&mut spec);
    let after = facts(&spec);
    let changed = before.iter().zip(&after).filter(|(old, new)| old != new);
    let changed: Vec<&str> = changed.map(|((path, _), _)| path.as_str()).collect();
    assert_eq!(changed[0], "Task/RegistrationInfo/Version");
    assert_eq!(changed.len() - 1, expected.len(), "{changed:?}");
    assert!(
        changed[1..].iter().zip(expected).all(|(path, end)| path.ends_with(end)),
        "{changed:?}"
    );
}

#[test]
fn being_enabled_is_no_part_of_the_version() {
    let version = |want| read(&render(&plain(), USER, want)).expect("XML")[0].clone();
    assert_eq!(version(TargetState::Up), version(TargetState::Down));
}
