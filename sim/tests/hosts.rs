//! The simulated systemd answers as the real one does: `fixtures/hosts/systemctl.json`, step for step. The real one is asked
//! the same by `systemd::lockstep` of the root package.

#![expect(clippy::disallowed_methods, reason = "tests read the fixtures directly")]

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
    let mut play = Execution::new(&Arc::new(scenario)).expect("it boots");
    play.skip_remaining_steps();
    play
}

fn systemctl(play: &mut Execution, words: &[&str]) -> Finished {
    let args: Vec<OsString> = words.iter().map(OsString::from).collect();
    let first = ProcessId { container: ID, pid: 1 };
    tools::run(&mut play.machine.world, first, "systemctl", &args).expect("it has a systemctl")
}

fn code(status: Status) -> u64 {
    match status {
        Status::Exited(code) => code.into(),
        Status::Signalled(signal) => panic!("signal {}", signal.0),
    }
}

/// Its exit code, once it has ended and nobody moves.
fn hermes(play: &mut Execution, line: &str, number: u64) -> u64 {
    let words = line.split(' ').map(OsString::from).collect();
    let command = ExecCommand { uid: HERMES_UID, args: words, env: BTreeMap::new(), number };
    let who = runtime::exec(&mut play.machine.world, ID, command).expect("it runs");
    let own = play.machine.world.process(who).expect("just made").serial;
    play.recorded = Some(Vec::new());
    settle(play);
    let heard = play.recorded.take().unwrap_or_default();
    let exit = heard.iter().find_map(|moved| match moved {
        StepOutcome::Exited { serial, code, .. } if *serial == own => Some(*code),
        _ => None,
    });
    exit.expect("it ended").into()
}

fn settle(play: &mut Execution) {
    play.settle(Duration::from_secs(60)).expect("nothing breaks");
}

/// Load, state, unit file, how its main process ended, and whether there is one: as the fixture has it.
fn shown(play: &mut Execution) -> String {
    let said = systemctl(play, &["--user", "show", "--property=All", UNIT]);
    let text = String::from_utf8(said.stdout).expect("UTF-8");
    let find = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.filter(|value| !value.is_empty()).unwrap_or("-").to_owned()
    };
    let pid = if find("MainPID") == "0" { "none" } else { "some" };
    let names =
        ["LoadState", "ActiveState", "SubState", "UnitFileState", "ExecMainCode", "ExecMainStatus"];
    names.map(find).join(" ") + " " + pid
}

fn main_pid(play: &mut Execution) -> i32 {
    let said = systemctl(play, &["--user", "show", "--property=MainPID", UNIT]);
    let text = String::from_utf8(said.stdout).expect("UTF-8");
    let line = text.lines().find_map(|line| line.strip_prefix("MainPID=")).expect("it tells");
    line.parse().expect("a number")
}

fn take(play: &mut Execution, step: &Value, number: u64) {
    let expected = step["exit"].as_u64().unwrap_or(0);
    if let Some(line) = step["hermes"].as_str() {
        assert_eq!(hermes(play, line, number), expected, "{step}");
    } else if let Some(action) = step["systemctl"].as_str() {
        let finished = systemctl(play, &["--user", action, UNIT]);
        assert_eq!(code(finished.status), expected, "{step}");
    } else if let Some(text) = step["toml"].as_str() {
        let volume = NodeId { device: VOLUME, number: ROOT };
        let path = Path::new("profiles/bot/gateway.toml");
        play.machine.world.disk.put_file(
            volume,
            path,
            text.as_bytes(),
            0o644,
            HERMES_UID,
            HERMES_UID,
        );
    } else {
        let signal = i32::try_from(step["signal"].as_i64().expect("a step")).expect("a signal");
        let pid = main_pid(play);
        assert!(pid > 1, "{step}");
        play.machine.send_signal(ProcessId { container: ID, pid }, Signal(signal));
    }
    settle(play);
}

#[test]
fn the_simulated_systemd_answers_as_the_real_one_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/hosts/systemctl.json");
    let text = std::fs::read_to_string(path).expect("the fixture");
    let fixture: Value = serde_json::from_str(&text).expect("JSON");
    let steps = fixture["steps"].as_array().expect("steps");
    let mut play = host();
    for (number, step) in (0..).zip(steps) {
        take(&mut play, step, number);
        if let Some(then) = step["then"].as_str() {
            assert_eq!(shown(&mut play), then, "after {step}");
        }
    }
    assert!(steps.len() > 20);
}
