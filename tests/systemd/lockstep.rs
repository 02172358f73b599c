//! A real systemd answers as the simulated one does: `fixtures/hosts/systemctl.json`, step for step.

use serde_json::Value;

use super::machine::SystemdMachine;
use crate::support::machine::{expect_that, wait_until};

const UNIT: &str = "hermes-gateway-bot.service";

/// Load, state, unit file, how its main process ended, and whether there is one: as in the fixture.
fn shown(machine: &SystemdMachine) -> String {
    let property = |name: &str| Some(machine.property("bot", name)).filter(|it| !it.is_empty());
    let names =
        ["LoadState", "ActiveState", "SubState", "UnitFileState", "ExecMainCode", "ExecMainStatus"];
    let words = names.map(|name| property(name).unwrap_or_else(|| "-".to_owned()));
    let pid = if machine.property("bot", "MainPID") == "0" { "none" } else { "some" };
    words.join(" ") + " " + pid
}

fn take(machine: &SystemdMachine, step: &Value) {
    let expected = step["exit"].as_i64().and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
    if let Some(line) = step["hermes"].as_str() {
        machine.hermes(line).expect(expected);
    } else if let Some(action) = step["systemctl"].as_str() {
        // As the backend calls it; without it a start would report how the gateway ended.
        let rest = match action {
            "start" | "stop" | "restart" => format!("--no-block {UNIT}"),
            "daemon-reload" => String::new(),
            _ => UNIT.to_owned(),
        };
        machine.sh(&format!("systemctl --user {action} {rest}")).expect(expected);
    } else if let Some(text) = step["toml"].as_str() {
        machine.put(".hermes/profiles/bot/gateway.toml", text);
    } else {
        let (signal, pid) = (&step["signal"], machine.property("bot", "MainPID"));
        assert!(pid.parse::<i32>().is_ok_and(|pid| pid > 1), "{step}: {pid}");
        machine.sh(&format!("kill -{signal} {pid}")).expect(0);
        wait_until("the signal's effect", || {
            expect_that(machine.property("bot", "MainPID") != pid, || pid.clone())
        });
    }
}

#[test]
fn the_real_systemd_answers_as_the_simulated_one_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/hosts/systemctl.json");
    let text = std::fs::read_to_string(path).expect("the fixture");
    let fixture: Value = serde_json::from_str(&text).expect("JSON");
    let machine = SystemdMachine::booted();
    for step in fixture["steps"].as_array().expect("steps") {
        take(&machine, step);
        if let Some(then) = step["then"].as_str() {
            wait_until(&format!("{then:?} after {step}"), || {
                let shown = shown(&machine);
                expect_that(shown == then, || shown)
            });
        }
    }
}
