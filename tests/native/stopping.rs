//! A stop always stops: a gateway that ignores it, that drains, that is stopped by SIGSTOP.

use rustix::process::Signal;

use super::machine_with;
use crate::support::machine::{End, Machine, expect_that, wait_until};

const IGNORES: &str = "command = ['sh', '-c', 'trap \"\" TERM; while :; do sleep 0.1; done']\ndrain_timeout = '500ms'\n";

/// Drains until the file `go` is there.
const DRAINS: &str = "command = ['sh', '-c', 'trap \"touch draining; while ! test -e go; do sleep 0.02; done; exit 0\" TERM; \
                      touch up; while :; do sleep 0.02; done']\n";

fn wait_for_file(machine: &Machine, name: &str) {
    let path = machine.profile_dir("coder").join(name);
    wait_until(name, || expect_that(path.exists(), || "no such file".to_owned()));
}

#[test]
fn h16_a_command_that_ignores_term_is_killed_and_only_then_is_it_stopped() {
    let machine = machine_with(&["coder"]);
    machine.put("profiles/coder/gateway.toml", IGNORES);
    machine.hermes_ok("-p coder gateway start");
    machine.hermes_ok("-p coder gateway stop");
    assert_eq!(machine.gateways("coder"), []);
    let rest = machine.processes();
    assert!(!rest.iter().any(|process| process.line.contains("trap")), "{rest:?}");
    machine.hermes("-p coder gateway status").expect(3);
}

#[test]
fn h16_a_gateway_that_does_not_move_is_killed_by_timeout_kill() {
    let machine = machine_with(&["coder"]);
    machine.put("profiles/coder/gateway.toml", "drain_timeout = '500ms'\n");
    machine.hermes_ok("boot reconcile");
    machine.hermes_ok("-p coder gateway start");
    let gateway = machine.gateway("coder");
    gateway.signal(Signal::STOP);
    machine.hermes_ok("-p coder gateway stop");
    assert!(!gateway.lives());
    machine.hermes("-p coder gateway status").expect(3);
}

#[test]
fn h16_a_stop_that_may_not_wait_long_enough_fails_and_stands() {
    let machine = machine_with(&["coder"]);
    machine.put("profiles/coder/gateway.toml", DRAINS);
    machine.hermes_ok("-p coder gateway start");
    wait_for_file(&machine, "up");
    machine
        .hermes("-p coder gateway stop --timeout 1")
        .expect(1)
        .says(&["was not down within 1 s"]);
    assert_eq!(machine.gateways("coder").len(), 1);
    machine.put("profiles/coder/go", "");
    machine.wait_status("coder", "verdict", "down");
}

#[test]
fn h2_a_second_sigterm_while_it_drains_changes_nothing() {
    let machine = machine_with(&["coder"]);
    machine.put("profiles/coder/gateway.toml", DRAINS);
    machine.hermes_ok("-p coder gateway start");
    wait_for_file(&machine, "up");
    let line = "-p coder gateway stop";
    let stop = machine.begin(line);
    wait_for_file(&machine, "draining");
    for _ in 0..3 {
        machine.gateway("coder").signal(Signal::TERM);
    }
    machine.put("profiles/coder/go", "");
    machine.finish(line, stop).expect(0);
    let status = machine.hermes("--json -p coder gateway status").expect(3).json();
    assert_eq!(status["gateways"][0]["gateway_state"], "stopped");
}

#[test]
fn r1_a_drain_at_the_end_of_the_machine_leaves_the_intent() {
    let mut machine = machine_with(&["coder"]);
    machine.put("profiles/coder/gateway.toml", IGNORES);
    machine.hermes_ok("boot reconcile");
    machine.hermes_ok("-p coder gateway start");
    let took = machine.restart(End::Term);
    assert!(took < std::time::Duration::from_secs(9), "no SIGKILL was needed: {took:?}");
    machine.wait_status("coder", "verdict", "up");
    assert_eq!(machine.gateways("coder").len(), 1);
}

#[test]
fn a_stop_begun_without_waiting_is_carried_out() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start --no-wait");
    machine.wait_status("coder", "verdict", "up");
    machine.hermes_ok("-p coder gateway stop --no-wait");
    machine.wait_status("coder", "verdict", "down");
}
