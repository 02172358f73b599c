//! The simulated systemd answers like the real one: `fixtures/hosts/systemctl.json`, step by step. `systemd::lockstep` of the
//! root package runs the same steps on a real systemd.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hermes::host::effect::{Finished, Signal, Status};
use hermes_sim::execution::Execution;
use hermes_sim::machine::StepOutcome;
use hermes_sim::machine::disk::{NodeId, ROOT};
use hermes_sim::machine::hosts::tools;
use hermes_sim::machine::image::{HERMES_UID, VOLUME};
use hermes_sim::machine::runtime::{self, ExecCommand};
use hermes_sim::machine::world::{ContainerId, ProcessId};
use hermes_sim::scenario::load;
use serde_json::Value;

const ID: ContainerId = ContainerId(1);
const UNIT: &str = "hermes-gateway-bot.service";

/// A host of systemd, booted.
fn host() -> Execution {
    let text = r#"{"name": "x", "summary": "x.", "runs_on": ["simulated"], "world": {"tree": "systemd"}, "steps": [{"settle": "1s"}], "invariants": []}"#;
    let scenario = load("x.json", text).expect("a scenario");
    let mut execution = Execution::new(&Arc::new(scenario)).expect("it boots");
    execution.skip_remaining_steps();
    execution
}

fn systemctl(execution: &mut Execution, words: &[&str]) -> Finished {
    let args: Vec<OsString> = words.iter().map(OsString::from).collect();
    let first = ProcessId { container: ID, pid: 1 };
    tools::run(&mut execution.machine.world, first, "systemctl", &args).expect("it has a systemctl")
}

fn code(status: Status) -> u64 {
    match status {
        Status::Exited(code) => code.into(),
        Status::Signalled(signal) => panic!("signal {}", signal.0),
    }
}

/// Runs a command of hermes and returns its exit code, once everything is at rest.
fn hermes(execution: &mut Execution, line: &str, number: u64) -> u64 {
    let words = line.split(' ').map(OsString::from).collect();
    let command = ExecCommand { uid: HERMES_UID, args: words, env: BTreeMap::new(), number };
    let who = runtime::exec(&mut execution.machine.world, ID, command).expect("it runs");
    let own = execution.machine.world.process(who).expect("just made").serial;
    execution.recorded = Some(Vec::new());
    settle(execution);
    let recorded = execution.recorded.take().unwrap_or_default();
    let exit = recorded.iter().find_map(|outcome| match outcome {
        StepOutcome::Exited { serial, code, .. } if *serial == own => Some(*code),
        _ => None,
    });
    exit.expect("it ended").into()
}

fn settle(execution: &mut Execution) {
    execution.settle(Duration::from_secs(60)).expect("no invariant is violated");
}

/// Load state, active state, unit file state, end of the main process, and whether there is one: as the fixture writes it.
fn shown(execution: &mut Execution) -> String {
    let output = systemctl(execution, &["--user", "show", "--property=All", UNIT]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let find = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.filter(|value| !value.is_empty()).unwrap_or("-").to_owned()
    };
    let pid = if find("MainPID") == "0" { "none" } else { "some" };
    let names =
        ["LoadState", "ActiveState", "SubState", "UnitFileState", "ExecMainCode", "ExecMainStatus"];
    names.map(find).join(" ") + " " + pid
}

fn main_pid(execution: &mut Execution) -> i32 {
    let output = systemctl(execution, &["--user", "show", "--property=MainPID", UNIT]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let line = text.lines().find_map(|line| line.strip_prefix("MainPID=")).expect("a MainPID");
    line.parse().expect("a number")
}

fn perform_step(execution: &mut Execution, step: &Value, number: u64) {
    let expected = step["exit"].as_u64().unwrap_or(0);
    if let Some(line) = step["hermes"].as_str() {
        assert_eq!(hermes(execution, line, number), expected, "{step}");
    } else if let Some(action) = step["systemctl"].as_str() {
        let finished = systemctl(execution, &["--user", action, UNIT]);
        assert_eq!(code(finished.status), expected, "{step}");
    } else if let Some(text) = step["toml"].as_str() {
        let volume = NodeId { device: VOLUME, number: ROOT };
        let path = Path::new("profiles/bot/gateway.toml");
        execution.machine.world.disk.put_file(
            volume,
            path,
            text.as_bytes(),
            0o644,
            HERMES_UID,
            HERMES_UID,
        );
    } else {
        let signal = i32::try_from(step["signal"].as_i64().expect("a step")).expect("a signal");
        let pid = main_pid(execution);
        assert!(pid > 1, "{step}");
        execution.machine.send_signal(ProcessId { container: ID, pid }, Signal(signal));
    }
    settle(execution);
}

#[test]
fn the_simulated_systemd_answers_like_the_real_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/hosts/systemctl.json");
    let text = std::fs::read_to_string(path).expect("the fixture");
    let fixture: Value = serde_json::from_str(&text).expect("JSON");
    let steps = fixture["steps"].as_array().expect("steps");
    let mut execution = host();
    for (number, step) in (0..).zip(steps) {
        perform_step(&mut execution, step, number);
        if let Some(then) = step["then"].as_str() {
            assert_eq!(shown(&mut execution), then, "after {step}");
        }
    }
    assert!(steps.len() > 20);
}
