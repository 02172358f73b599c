//! install, start, stop, restart, status, uninstall: what they do, print and return.

use super::machine::SystemdMachine;
use super::machine_with;
use crate::support::machine::{expect_that, wait_until};

#[test]
fn a_new_profile_is_installed_started_and_told_the_truth_about() {
    let machine = SystemdMachine::booted();
    machine.ok("profile create bot");
    machine.hermes("-p bot gateway status").expect(3);
    machine.ok("-p bot gateway install");
    assert_eq!(machine.property("bot", "UnitFileState"), "disabled");
    machine.hermes("-p bot gateway status").expect(3);
    let said = machine.ok("-p bot gateway start");
    let pid = machine.property("bot", "MainPID");
    assert_eq!(said.out, format!("✓ Started gateway 'bot' (pid {pid})\n"));
    assert_eq!(machine.property("bot", "UnitFileState"), "enabled");
    let all = machine.ok("gateway status --all").out;
    assert!(all.contains("Manager: systemd (user)\n"), "{all}");
    assert!(all.contains("○ default  not installed, intent stopped\n"), "{all}");
    assert!(all.contains(&format!("● bot  up (pid {pid}) for ")), "{all}");
    let log = machine.ok("-p bot gateway logs").out;
    assert!(log.contains("gateway 'bot': running on port "), "{log}");
    machine.ok("doctor");
}

/// The words of the README, as one line for a shell.
#[test]
fn status_of_all_tells_the_truth_after_the_readmes_line_a_reexec_and_a_reboot() {
    let machine = SystemdMachine::booted();
    let line = "hermes profile create bot && hermes -p bot gateway install && hermes -p bot gateway start && hermes gateway status --all";
    let told = |all: String| {
        let pid = machine.property("bot", "MainPID");
        assert!(all.contains(&format!("● bot  up (pid {pid}) for ")), "{all}");
        assert!(all.contains("○ default  not installed, intent stopped\n"), "{all}");
        assert_eq!(machine.count(" gateway run "), 1);
        pid
    };
    let pid = told(machine.sh_as("hermes", line).expect(0).out);
    machine.sh("systemctl --user daemon-reexec").expect(0);
    assert_eq!(told(machine.ok("gateway status --all").out), pid);
    machine.reboot();
    machine.wait_status("bot", "verdict", "up");
    told(machine.ok("gateway status --all").out);
}

#[test]
fn start_stop_and_install_twice_are_the_same_as_once() {
    let machine = machine_with(&["bot"]);
    let said = machine.ok("-p bot gateway install").out;
    assert!(said.contains("installed already"), "{said}");
    let said = machine.ok("-p bot gateway stop").out;
    assert!(said.contains("stopped already"), "{said}");
    machine.ok("-p bot gateway start");
    let pid = machine.property("bot", "MainPID");
    let said = machine.ok("-p bot gateway start").out;
    assert!(said.contains(&format!("is running already (pid {pid})")), "{said}");
    machine.ok("-p bot gateway install");
    assert_eq!(machine.property("bot", "MainPID"), pid);
    machine.ok("-p bot gateway stop");
    machine.hermes("-p bot gateway status").expect(3);
}

#[test]
fn h12_restart_starts_what_is_down_and_says_why_it_cannot() {
    let machine = machine_with(&["bot"]);
    machine.ok("-p bot gateway restart");
    let first = machine.property("bot", "MainPID");
    let said = machine.ok("-p bot gateway restart").out;
    let second = machine.property("bot", "MainPID");
    assert_eq!(said, format!("✓ Restarted gateway 'bot' (pid {second})\n"));
    assert_ne!(first, second);
    machine.ok("-p bot gateway stop");
    machine.put(".hermes/profiles/bot/gateway.toml", "prot = 1\n");
    let said = machine.hermes("-p bot gateway restart").expect(78);
    assert!(said.err.contains("line 1, column 1: unknown field `prot`"), "{said:?}");
    let said = machine.hermes("-p bot gateway status").expect(4);
    assert!(said.out.contains("its configuration is wrong: it is not tried again"), "{said:?}");
    assert_eq!(machine.property("bot", "ActiveState"), "failed");
    machine.put(".hermes/profiles/bot/gateway.toml", "");
    machine.ok("-p bot gateway restart");
    machine.ok("-p bot gateway status");
}

#[test]
fn r2_stop_all_stays_a_stop() {
    let machine = machine_with(&["one", "two"]);
    machine.ok("gateway install");
    let said = machine.ok("gateway start --all").out;
    assert_eq!(said, "✓ Started 3 gateways\n");
    let said = machine.ok("gateway stop --all").out;
    assert_eq!(said, "✓ Stopped 3 gateways\n");
    for profile in ["default", "one", "two"] {
        let status = machine.status(profile);
        assert_eq!((&status["verdict"], &status["want"]), (&"down".into(), &"down".into()));
        assert_eq!(machine.property(profile, "UnitFileState"), "disabled");
        assert_eq!(machine.property(profile, "NRestarts"), "0");
    }
    machine.reboot();
    machine.ok("gateway status --all");
    assert_eq!(machine.count(" gateway run "), 0);
}

#[test]
fn r3_a_mistyped_name_is_the_named_error() {
    let machine = SystemdMachine::booted();
    for verb in ["start", "stop", "restart", "status", "install", "uninstall", "logs"] {
        let said = machine.hermes(&format!("-p typo gateway {verb}")).expect(1);
        let expected = "✗ no such gateway 'typo': register it with `hermes profile create typo` first, or pass an existing profile name via `-p <name>`\n";
        assert_eq!((verb, said.err.as_str()), (verb, expected));
    }
}

#[test]
fn h48_status_names_manager_intent_want_fact_and_drift() {
    let machine = machine_with(&["bot"]);
    machine.ok("-p bot gateway start");
    machine.sh("systemctl --user stop hermes-gateway-bot.service").expect(0);
    let said = machine.hermes("-p bot gateway status").expect(4).out;
    for line in [
        "    Manager: systemd (user)\n",
        "    Intent:  running (from intent), asked ",
        "    Want:    down, at start up\n",
        "    Gateway: down (exit code 143) for ",
        "    Drift:   systemd was told to keep it down, not by hermes\n",
    ] {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
}

#[test]
fn a_gateway_that_is_killed_again_and_again_comes_back_and_its_neighbour_does_not_notice() {
    let machine = machine_with(&["bot", "other"]);
    machine.put(
        ".hermes/profiles/bot/gateway.toml",
        "[restart]\ndelay = '50ms'\ndelay_max = '50ms'\n",
    );
    machine.ok("-p bot gateway install");
    machine.ok("-p bot gateway start");
    machine.ok("-p other gateway start");
    let other = machine.property("other", "MainPID");
    // More often, and faster, than systemd's default limit of five times in ten seconds.
    for _ in 0..7 {
        let bot = machine.property("bot", "MainPID");
        machine.sh(&format!("kill -KILL {bot}")).expect(0);
        wait_until("another gateway, ready", || {
            let status = machine.status("bot");
            let new = status["pid"].as_i64().is_some_and(|pid| pid.to_string() != bot);
            expect_that(status["verdict"] == "up" && new, || status.to_string())
        });
    }
    assert_eq!(machine.property("other", "MainPID"), other);
}

#[test]
fn uninstall_and_delete_leave_nothing_of_a_unit_and_rename_brings_it_along() {
    let machine = machine_with(&["bot", "old"]);
    machine.ok("-p bot gateway start");
    machine.ok("-p old gateway start");
    machine.ok("profile rename old new");
    assert_eq!(machine.status("new")["verdict"], "up");
    assert_eq!(machine.property("old", "LoadState"), "not-found");
    machine.put(".hermes/profiles/copied/SOUL.md", "x");
    machine.put(".hermes/profiles/copied/gateway_intent.json", "{\"intent\":\"running\"}");
    machine.hermes("-p copied gateway status").expect(4);
    let said = machine.ok("-p copied gateway install").out;
    assert!(said.contains("and starts it, as its files ask"), "{said}");
    machine.wait_status("copied", "verdict", "up");
    machine.ok("profile delete copied -y");
    machine.ok("profile create plain");
    machine.ok("profile rename plain simple");
    assert_eq!(machine.property("simple", "LoadState"), "not-found");
    machine.ok("-p bot gateway uninstall");
    machine.hermes("-p bot gateway status").expect(3);
    machine.ok("profile delete new -y");
    let left = machine.sh(
        "ls -A ~/.config/systemd/user; systemctl --user list-units --all --no-legend 'hermes-*'",
    );
    assert_eq!(left.out, "");
    assert_eq!(machine.count(" gateway run "), 0);
}
