//! What gateway.toml configures, and how a wrong one is reported.

use super::machine_with;
use crate::support::machine::{End, expect_that, wait_until};

#[test]
fn a_broken_configuration_is_told_by_start_with_its_place() {
    let mut machine = machine_with(&["coder"]);
    machine.put("profiles/coder/gateway.toml", "port = 9999\nprot = 1\n");
    machine
        .hermes("-p coder gateway start")
        .expect(78)
        .says(&["gateway.toml` line 2, column 1: unknown field `prot`"]);
    assert_eq!(machine.gateways("coder"), []);
    let status = machine.status("coder");
    assert_eq!(status["drifts"], serde_json::json!(["failed-permanently"]));
    assert!(status["exit_reason"].as_str().expect("a reason").contains("line 2, column 1"));
    machine.restart(End::Kill);
    machine.wait_status("coder", "drifts", serde_json::json!(["failed-permanently"]));
    assert_eq!(machine.gateways("coder"), []);
    machine.put("profiles/coder/gateway.toml", "port = 9999\n");
    machine.hermes_ok("-p coder gateway start");
    machine.hermes_ok("-p coder gateway status");
}

#[test]
fn a_command_that_exits_78_is_not_tried_again() {
    let machine = machine_with(&["coder"]);
    machine
        .put("profiles/coder/gateway.toml", "command = ['sh', '-c', 'echo ran >> ran; exit 78']\n");
    machine.hermes("-p coder gateway start --timeout 5");
    machine.wait_status("coder", "drifts", serde_json::json!(["failed-permanently"]));
    let ran = std::fs::read_to_string(machine.profile_dir("coder").join("ran")).expect("it ran");
    assert_eq!(ran, "ran\n");
}

/// s6-supervise retries each second; the gateway's own pauses grow: 0.5 s, 1 s, 2 s.
#[test]
fn h42_a_crash_loop_backs_off_visibly_and_its_neighbour_does_not_notice() {
    let machine = machine_with(&["coder", "writer"]);
    machine.hermes_ok("-p writer gateway start");
    let neighbour = machine.gateway("writer");
    let toml = "command = ['sh', '-c', 'date +%s%3N >> times; exit 1']\nrestart.delay = '500ms'\n";
    machine.put("profiles/coder/gateway.toml", toml);
    machine.hermes("-p coder gateway start --timeout 2");
    let status = wait_until("four failures are counted", || {
        let status = machine.status("coder");
        expect_that(status["failures"].as_u64() >= Some(4), || status.to_string()).map(|()| status)
    });
    assert_eq!(status["intent"], "running");
    machine.wait_status("coder", "verdict", "drift");
    let times =
        std::fs::read_to_string(machine.profile_dir("coder").join("times")).expect("it ran");
    let times: Vec<u64> = times.lines().map(|line| line.parse().expect("milliseconds")).collect();
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] < gaps[1] && gaps[1] < gaps[2], "the pauses grow: {gaps:?}");
    assert_eq!(machine.gateway("writer"), neighbour);
    machine.put("profiles/coder/gateway.toml", "");
    machine.hermes_ok("-p coder gateway start");
    machine.hermes_ok("-p coder gateway status");
}

#[test]
fn h43_the_drain_time_of_the_configuration_reaches_the_slot_with_the_start() {
    let machine = machine_with(&["coder"]);
    machine.put("profiles/coder/gateway.toml", "drain_timeout = 20\n");
    machine.hermes_ok("-p coder gateway start");
    let kill = std::fs::read_to_string(machine.slot("coder").join("timeout-kill"));
    assert_eq!(kill.expect("a slot"), "21000\n");
}

#[test]
fn h44_a_named_profile_does_not_get_the_variables_of_default() {
    let machine = machine_with(&["coder"]);
    let toml =
        "command = ['sh', '-c', 'env > env.txt; exec sleep 999']\nenv = { TOKEN = 'mine' }\n";
    machine.put("profiles/coder/gateway.toml", toml);
    machine.hermes_ok("-p coder gateway start");
    let env = wait_until("the environment is written", || {
        let path = machine.profile_dir("coder").join("env.txt");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        expect_that(text.contains("HERMES_GATEWAY_PORT"), || text.clone()).map(|()| text)
    });
    assert!(env.contains("TOKEN=mine\n") && env.contains("HERMES_PROFILE=coder\n"), "{env}");
    assert!(!env.contains("HERMES_S6_SUPERVISED_CHILD"), "{env}");
}
