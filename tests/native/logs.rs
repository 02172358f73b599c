//! A logger that does not read: the gateway goes on, ends when it is told to, and `status` reports the problem.

use rustix::process::Signal;
use serde_json::json;

use super::machine_with;
use crate::support::machine::{Machine, MachineProcess, expect_that, wait_until};

fn logger(machine: &Machine, profile: &str) -> MachineProcess {
    wait_until("one logger", || {
        let mut found = machine.everything_of(profile);
        found.retain(|process| process.line.contains("s6-log "));
        expect_that(found.len() == 1, || format!("{found:?}")).map(|()| found.remove(0))
    })
}

#[test]
fn h46_a_stuck_log_is_said_and_stops_no_gateway() {
    let machine = machine_with(&["coder"]);
    // More than a pipe holds.
    let toml = "command = ['sh', '-c', 'yes | head -c 200000; exec sleep 98765']\n";
    machine.put("profiles/coder/gateway.toml", toml);
    let logger = logger(&machine, "coder");
    logger.signal(Signal::STOP);
    machine.hermes_ok("-p coder gateway start");
    machine.wait_status("coder", "drifts", json!(["log-stuck"]));
    let said = machine.hermes("-p coder gateway status").expect(4);
    assert!(said.out.contains("Drift:   its log is stuck"), "{said}");
    machine.hermes_ok("-p coder gateway stop");
    let stopped = machine.status("coder");
    assert_eq!(stopped["gateway_state"], "stopped", "it ended by itself: {stopped}");

    logger.signal(Signal::CONT);
    machine.hermes_ok("-p coder gateway start");
    machine.wait_status("coder", "verdict", "up");
    machine.wait_status("coder", "drifts", json!([]));
}
