//! A profile's unit: golden files, and systemd's own reader.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use hermes::backend::systemd::{UnitParams, render};
use hermes::detect::Scope;
use hermes::supervisor::ServiceSpec;
use rstest::rstest;
use snapbox::{assert_data_eq, file};

use super::facts::{odd, plain};

const USER_252: UnitParams = UnitParams { scope: Scope::User, version: 252, owner: 1000 };
const USER_257: UnitParams = UnitParams { version: 257, ..USER_252 };
const SYSTEM_257: UnitParams = UnitParams { scope: Scope::System, version: 257, owner: 10_000 };

#[test]
fn a_users_unit_is_as_it_was() {
    let unit = render(&plain(), USER_252);
    assert_data_eq!(unit, file!["../../fixtures/render/user-252.service"].raw());
}

#[test]
fn a_users_unit_of_a_newer_systemd_is_as_it_was() {
    let unit = render(&odd(), USER_257);
    assert_data_eq!(unit, file!["../../fixtures/render/user-257-odd.service"].raw());
}

#[test]
fn the_machines_unit_is_as_it_was() {
    let unit = render(&plain(), SYSTEM_257);
    assert_data_eq!(unit, file!["../../fixtures/render/system-257.service"].raw());
}

/// One changed fact, and the line that shows it.
#[rstest]
#[case::drain(|spec: &mut ServiceSpec| spec.kill_after = Duration::from_secs(31), "TimeoutStopSec=31s")]
#[case::delay(|spec: &mut ServiceSpec| spec.restart.delay.0 = Duration::from_secs(4), "RestartSec=4s")]
#[case::steps(|spec: &mut ServiceSpec| spec.restart.delay_max.0 = Duration::from_secs(9), "RestartSteps=4")]
#[case::longest(|spec: &mut ServiceSpec| spec.restart.delay_max.0 = Duration::from_secs(9), "RestartMaxDelaySec=9s")]
#[case::program(|spec: &mut ServiceSpec| spec.program = "/x".into(), "ExecStart=/x -p coder gateway run")]
#[case::home(|spec: &mut ServiceSpec| spec.home = "/h".into(), "Environment=\"HERMES_HOME=/h\"")]
#[case::log(|spec: &mut ServiceSpec| spec.log_dir = "/l".into(), "StandardOutput=append:/l/current")]
fn one_fact_is_one_line(#[case] change: fn(&mut ServiceSpec), #[case] line: &str) {
    let mut spec = plain();
    assert!(!render(&spec, USER_257).lines().any(|other| other == line));
    change(&mut spec);
    assert!(render(&spec, USER_257).lines().any(|other| other == line));
}

#[test]
fn a_pause_that_cannot_grow_has_no_steps() {
    let mut spec = plain();
    spec.restart.delay_max = hermes::record::config::DelayMax(spec.restart.delay.0);
    assert!(!render(&spec, USER_257).contains("RestartSteps"));
}

/// `systemd-analyze verify` with a directory for its own use; nothing of the caller's session reaches it.
fn verify(scope: Scope, unit: &str) -> Output {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("hermes-gateway-coder.service");
    std::fs::write(&path, unit).expect("a file of our own");
    let user = match scope {
        Scope::User => "--user",
        Scope::System => "--system",
    };
    Command::new("systemd-analyze")
        .args([user, "verify"])
        .arg(&path)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("XDG_RUNTIME_DIR", dir.path())
        .output()
        .expect("systemd-analyze is installed")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The same unit for a program and a home that exist.
fn spec_that_can_run(home: &Path) -> ServiceSpec {
    let program = home.join("new & 100% $PATH");
    std::fs::copy("/bin/true", &program).expect("a program");
    ServiceSpec { program, home: home.to_owned(), log_dir: home.join("log 100%"), ..odd() }
}

#[rstest]
#[case(Scope::User)]
#[case(Scope::System)]
fn systemd_analyze_has_nothing_to_say(#[case] scope: Scope) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let spec = spec_that_can_run(home.path());
    // As old as systemd-analyze may be on this machine: the newer lines are looked at below.
    let output = verify(scope, &render(&spec, UnitParams { scope, ..USER_252 }));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "");
}

#[rstest]
#[case::a_key("KillMode=", "KilMode=", "Unknown key")]
#[case::a_program("ExecStart=", "ExecStart=/nowhere", "not executable")]
fn systemd_analyze_would_say_what_is_wrong(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] expected: &str,
) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let spec = ServiceSpec { program: "/bin/true".into(), ..spec_that_can_run(home.path()) };
    let output = verify(Scope::User, &render(&spec, USER_252).replace(right, wrong));
    assert!(said(&output).contains(expected), "{}", said(&output));
}
