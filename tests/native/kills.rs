//! A SIGKILL of the gateway, of its supervisor, of its logger.

use rustix::process::Signal;

use super::machine_with;
use crate::support::machine::{Machine, expect_that, wait_until};

/// Waits until exactly one gateway lives, in its slot and ready, and it is not the one before.
fn wait_for_one(machine: &Machine, profile: &str) {
    wait_until("one live gateway, in its slot", || {
        let (live, status) = (machine.gateways(profile), machine.status(profile));
        let one = live.len() == 1 && status["pid"] == live[0].pid && status["verdict"] == "up";
        expect_that(one, || format!("{live:?} {status}"))
    });
}

#[test]
fn l1_a_killed_gateway_comes_back_once() {
    let machine = machine_with(&["coder", "writer"]);
    machine.hermes_ok("-p coder gateway start");
    machine.hermes_ok("-p writer gateway start");
    let neighbour = machine.gateway("writer");
    let killed = machine.gateway("coder");
    killed.signal(Signal::KILL);
    wait_until("it has gone", || expect_that(!killed.lives(), || format!("{killed:?}")));
    wait_for_one(&machine, "coder");
    assert_ne!(machine.gateway("coder").pid, killed.pid);
    assert_eq!(machine.status("coder")["intent"], "running");
    assert_eq!(machine.gateway("writer"), neighbour);
}

#[test]
fn h18_h19_a_killed_supervisor_leaves_one_live_gateway_and_stop_leaves_none() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    let old = machine.supervisors("coder").remove(0);
    old.signal(Signal::KILL);
    wait_until("another supervisor", || {
        let now = machine.supervisors("coder");
        expect_that(now.len() == 1 && now[0] != old, || format!("{now:?}"))
    });
    wait_for_one(&machine, "coder");
    machine.hermes_ok("-p coder gateway stop");
    assert_eq!(machine.gateways("coder"), []);
    machine.hermes("-p coder gateway status").expect(3);
}

#[test]
fn h18_stop_right_after_the_supervisor_was_killed_leaves_nothing_alive() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    machine.supervisors("coder").remove(0).signal(Signal::KILL);
    machine.hermes_ok("-p coder gateway stop");
    assert_eq!(machine.gateways("coder"), []);
    machine.wait_status("coder", "verdict", "down");
    assert_eq!(machine.gateways("coder"), []);
}

#[test]
fn h18_a_stop_that_does_not_wait_reaches_the_orphan_too() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    let orphan = machine.gateway("coder");
    machine.supervisors("coder").remove(0).signal(Signal::KILL);
    machine.hermes_ok("-p coder gateway stop --no-wait");
    wait_until("the orphan is gone", || expect_that(!orphan.lives(), || format!("{orphan:?}")));
    machine.wait_status("coder", "verdict", "down");
    assert_eq!(machine.status("coder")["gateway_state"], "stopped");
}

#[test]
fn h18_a_stopped_gateway_stays_down_when_its_supervisor_is_killed() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    machine.hermes_ok("-p coder gateway stop");
    let old = machine.supervisors("coder").remove(0);
    old.signal(Signal::KILL);
    wait_until("another supervisor, its gateway down", || {
        let (now, status) = (machine.supervisors("coder"), machine.status("coder"));
        let back = now.len() == 1 && now[0] != old && status["verdict"] == "down";
        expect_that(back, || format!("{now:?} {status}"))
    });
    assert_eq!(machine.gateways("coder"), []);
}

#[test]
fn h20_delete_after_the_supervisor_was_killed_leaves_nothing() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    machine.supervisors("coder").remove(0).signal(Signal::KILL);
    machine.hermes_ok("profile delete coder -y");
    assert_eq!(machine.everything_of("coder"), []);
    assert_eq!(machine.scan_dir(), ["gateway-default"]);
}

#[test]
fn the_command_of_a_killed_gateway_does_not_live_on_beside_the_next() {
    let machine = machine_with(&["coder"]);
    machine.put("profiles/coder/gateway.toml", "command = ['sleep', '98765']\n");
    machine.hermes_ok("-p coder gateway start");
    let commands = || {
        let mut all = machine.processes();
        all.retain(|process| process.line.ends_with("sleep 98765"));
        all
    };
    wait_until("the command runs", || {
        expect_that(commands().len() == 1, || format!("{:?}", commands()))
    });
    let old = commands().remove(0);
    machine.gateway("coder").signal(Signal::KILL);
    wait_for_one(&machine, "coder");
    wait_until("another command, and only that", || {
        let now = commands();
        expect_that(now.len() == 1 && now[0] != old, || format!("{now:?}"))
    });
}

#[test]
fn h18_the_stop_of_an_orphan_is_a_planned_one() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    machine.supervisors("coder").remove(0).signal(Signal::KILL);
    machine.hermes_ok("-p coder gateway stop");
    assert_eq!(machine.status("coder")["gateway_state"], "stopped");
}

#[test]
fn a_killed_logger_is_replaced_and_the_gateway_does_not_notice() {
    let machine = machine_with(&["coder"]);
    let toml = "command = ['sh', '-c', 'echo one; while ! test -e go; do sleep 0.02; done; echo two; exec sleep 999']\n";
    machine.put("profiles/coder/gateway.toml", toml);
    machine.hermes_ok("-p coder gateway start");
    let logged = |word: &str| {
        expect_that(machine.gateway_log("coder").contains(word), || machine.gateway_log("coder"))
    };
    wait_until("the first line is logged", || logged("one\n"));
    let gateway = machine.gateway("coder");
    let logger = |process: &crate::support::machine::MachineProcess| {
        process.line.contains("s6-log") && process.line.ends_with("/coder")
    };
    let mut all = machine.processes();
    all.retain(logger);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].signal(Signal::KILL);
    machine.put("profiles/coder/go", "");
    wait_until("the second line is logged", || logged("two\n"));
    assert_eq!(machine.gateway("coder"), gateway);
}
