//! A profile's launch agent: golden files, and a reader of property lists.

use std::time::Duration;

use hermes::backend::launchd::render;
use hermes::supervisor::ServiceSpec;
use plist::Value;
use rstest::rstest;
use snapbox::{assert_data_eq, file};

use super::facts::{odd, plain};

#[test]
fn an_agent_is_as_it_was() {
    assert_data_eq!(render(&plain()), file!["../../fixtures/render/agent.plist"].raw());
}

#[test]
fn an_agent_of_odd_facts_is_as_it_was() {
    assert_data_eq!(render(&odd()), file!["../../fixtures/render/agent-odd.plist"].raw());
}

fn read(spec: &ServiceSpec) -> plist::Dictionary {
    let value = Value::from_reader_xml(render(spec).as_bytes()).expect("a property list");
    value.into_dictionary().expect("a dictionary")
}

#[test]
fn a_reader_of_property_lists_finds_every_fact_unchanged() {
    let spec = odd();
    let agent = read(&spec);
    let text = |path: &std::path::Path| Value::from(path.to_str().expect("UTF-8"));
    let env = agent["EnvironmentVariables"].as_dictionary().expect("a dictionary");
    assert_eq!(env["HERMES_HOME"], text(&spec.home));
    assert_eq!(env["HERMES_SUPERVISOR"], Value::from("launchd"));
    let words = agent["ProgramArguments"].as_array().expect("an array");
    assert_eq!(words[..], [text(&spec.program), "gateway".into(), "run".into()]);
    assert_eq!(agent["StandardOutPath"], text(&spec.log_dir.join("current")));
    assert_eq!(agent["StandardErrorPath"], agent["StandardOutPath"]);
    let keep_alive = agent["KeepAlive"].as_dictionary().expect("a dictionary");
    assert_eq!(keep_alive["SuccessfulExit"], Value::from(false));
    assert_eq!(agent["RunAtLoad"], Value::from(true));
    assert_eq!(agent["Label"], Value::from("hermes.gateway.default"));
}

/// One changed fact, and the key that shows it.
#[rstest]
#[case(|spec: &mut ServiceSpec| spec.kill_after = Duration::from_secs(31), "ExitTimeOut")]
#[case(|spec: &mut ServiceSpec| spec.restart.delay.0 = Duration::from_secs(4), "ThrottleInterval")]
#[case(|spec: &mut ServiceSpec| spec.program = "/x".into(), "ProgramArguments")]
#[case(|spec: &mut ServiceSpec| spec.home = "/h".into(), "EnvironmentVariables")]
fn one_fact_is_one_key(#[case] change: fn(&mut ServiceSpec), #[case] key: &str) {
    let mut spec = plain();
    let before = read(&spec);
    change(&mut spec);
    let after = read(&spec);
    let changed: Vec<&String> =
        before.keys().filter(|name| before.get(name) != after.get(name)).collect();
    assert_eq!(changed, [key]);
}
