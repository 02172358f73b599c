//! Gateways that resist a stop, that are stopped without hermes, and that fail to start.

use super::machine_with;
use crate::support::machine::{expect_that, wait_until};

#[test]
fn h16_a_command_that_ignores_sigterm_is_gone_when_stop_returns() {
    let machine = machine_with(&["bot"]);
    let toml = "command = ['sh', '-c', 'trap \"\" TERM; while :; do sleep 0.2; done # stubborn']\ndrain_timeout = '1s'\n";
    machine.put(".hermes/profiles/bot/gateway.toml", toml);
    machine.ok("-p bot gateway install");
    assert_eq!(machine.property("bot", "TimeoutStopUSec"), "2s");
    machine.ok("-p bot gateway start");
    wait_until("the command runs", || {
        expect_that(machine.count("# stubborn") == 1, || "it does not".into())
    });
    machine.ok("-p bot gateway stop");
    assert_eq!(machine.count("# stubborn"), 0);
    machine.hermes("-p bot gateway status").expect(3);
}

#[test]
fn h16_what_has_left_the_commands_group_ends_with_the_unit() {
    let machine = machine_with(&["bot"]);
    let toml = "command = ['sh', '-c', 'setsid sleep 98765 & exec sleep 98764']\n";
    machine.put(".hermes/profiles/bot/gateway.toml", toml);
    machine.ok("-p bot gateway start");
    wait_until("both run", || expect_that(machine.count("sleep 9876") >= 2, || "not both".into()));
    machine.ok("-p bot gateway stop");
    assert_eq!(machine.count("sleep 9876"), 0);
}

#[test]
fn a_gateway_that_was_paused_is_seen_and_can_be_stopped() {
    let machine = machine_with(&["bot"]);
    machine.ok("-p bot gateway start");
    let pid = machine.property("bot", "MainPID");
    machine.sh(&format!("kill -STOP {pid}")).expect(0);
    let status = machine.wait_status("bot", "paused", true);
    assert_eq!(status["verdict"], "drift");
    machine.ok("-p bot gateway stop");
    machine.hermes("-p bot gateway status").expect(3);
}

#[test]
fn h17_a_stop_behind_our_back_is_drift_and_no_crash_and_a_boot_follows_the_intent() {
    let machine = machine_with(&["bot"]);
    machine.ok("-p bot gateway start");
    machine.sh("systemctl --user stop hermes-gateway-bot.service").expect(0);
    let status = machine.status("bot");
    assert_eq!(status["drifts"], serde_json::json!(["wanted-down", "down"]));
    assert_eq!((&status["intent"], &status["failures"]), (&"running".into(), &0.into()));
    assert_eq!(machine.property("bot", "ActiveState"), "inactive");
    machine.reboot();
    machine.wait_status("bot", "verdict", "up");
}

#[test]
fn h17_a_disable_behind_our_back_is_drift_and_start_mends_it() {
    let machine = machine_with(&["bot"]);
    machine.ok("-p bot gateway start");
    machine.sh("systemctl --user disable hermes-gateway-bot.service").expect(0);
    let status = machine.status("bot");
    assert_eq!(status["drifts"], serde_json::json!(["at-start"]));
    machine.ok("-p bot gateway start");
    machine.ok("-p bot gateway status");
    assert_eq!(machine.property("bot", "UnitFileState"), "enabled");
}

#[test]
fn h42_a_gateway_that_keeps_failing_backs_off_across_a_reboot_until_it_is_given_up() {
    let machine = machine_with(&["bot", "other"]);
    machine.ok("-p other gateway start");
    let other = machine.property("other", "MainPID");
    let toml = "command = ['false']\nready = 'fd'\n[restart]\ndelay = '200ms'\ndelay_max = '2s'\nfailures_max = 5\n";
    machine.put(".hermes/profiles/bot/gateway.toml", toml);
    let said = machine.hermes("-p bot gateway start").expect(1);
    assert!(said.err.contains("started and ended: exit code 1"), "{said:?}");
    assert!(said.err.contains("tried again, ever more slowly"), "{said:?}");
    wait_until("two failures are noted", || {
        let status = machine.status("bot");
        expect_that(status["failures"].as_u64() >= Some(2), || status.to_string())
    });
    assert_eq!(machine.property("other", "MainPID"), other);
    machine.reboot();
    // The count goes on where it was, and ends in a permanent failure.
    let status = machine.wait_status("bot", "last_exit_code", 78);
    assert_eq!(status["failures"], 5, "{status}");
    assert_eq!(status["drifts"], serde_json::json!(["failed-permanently"]), "{status}");
    machine.wait_status("other", "verdict", "up");
    machine.put(".hermes/profiles/bot/gateway.toml", "");
    machine.ok("-p bot gateway start");
    machine.ok("-p bot gateway status");
}
