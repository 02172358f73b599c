//! A boot follows the intent, and nothing else.

use rstest::rstest;

use super::machine::SystemdMachine;
use super::machine_with;
use crate::support::machine::{expect_that, wait_until};

#[test]
fn r1_a_reboot_and_a_crash_bring_back_what_ran_and_nothing_else() {
    let machine = machine_with(&["runs", "stopped"]);
    machine.ok("-p runs gateway start");
    machine.ok("-p stopped gateway start");
    machine.ok("-p stopped gateway stop");
    machine.reboot();
    machine.wait_status("runs", "verdict", "up");
    machine.hermes("-p stopped gateway status").expect(3);
    machine.crash();
    machine.wait_status("runs", "verdict", "up");
    machine.hermes("-p stopped gateway status").expect(3);
    assert_eq!(machine.count(" gateway run "), 1);
    machine.ok("gateway status --all");
}

#[test]
fn h6_a_unit_that_was_enabled_too_early_does_not_start_at_boot() {
    let machine = machine_with(&["bot"]);
    machine.sh("systemctl --user enable --quiet hermes-gateway-bot.service").expect(0);
    machine.reboot();
    wait_until("its condition was asked", || {
        let result = machine.property("bot", "Result");
        expect_that(result == "exec-condition", || result.clone())
    });
    let status = machine.status("bot");
    assert_eq!(status["fact"], "down");
    assert_eq!(status["drifts"], serde_json::json!(["at-start"]));
    machine.ok("-p bot gateway stop");
    machine.hermes("-p bot gateway status").expect(3);
}

/// A `systemctl` that kills its caller at the action in `~/kill-at`, before or after it is done.
const KILLER: &str = r#"#!/bin/sh
for word; do case $word in -*) ;; *) break ;; esac; done
read -r action moment <~/kill-at
if test "$word" = "$action"; then
    test "$moment" = before || /usr/bin/systemctl "$@"
    kill -KILL "$PPID"
    exit
fi
exec /usr/bin/systemctl "$@"
"#;

/// A verb is killed at each of its calls of systemctl, and the machine right after.
#[rstest]
#[case("start", "stopped", &["enable", "start"])]
#[case("stop", "running", &["disable", "stop"])]
#[case("restart", "stopped", &["enable", "restart"])]
#[case("restart", "running", &["restart"])]
fn h6_a_verb_killed_at_any_word_leaves_one_whole_intent_and_the_boot_follows_it(
    #[case] verb: &str,
    #[case] before: &str,
    #[case] actions: &[&str],
) {
    let machine = SystemdMachine::booted();
    machine.put("bin/systemctl", KILLER);
    machine.sh("chmod +x ~/bin/systemctl").expect(0);
    let mut cells = Vec::new();
    for action in actions {
        for moment in ["before", "after"] {
            let name = format!("{action}-{moment}");
            machine.ok(&format!("profile create {name}"));
            machine.ok(&format!("-p {name} gateway install"));
            if before == "running" {
                machine.ok(&format!("-p {name} gateway start"));
            }
            machine.put("kill-at", &format!("{action} {moment}\n"));
            let line = format!("HERMES_SYSTEMD_BIN_DIR=~/bin hermes -p {name} gateway {verb}");
            machine.sh(&line).expect(137);
            cells.push(name);
        }
    }
    machine.crash();
    let asked = if verb == "stop" { "stopped" } else { "running" };
    for name in cells {
        let intent = machine.status(&name)["intent"].clone();
        assert!(intent == before || intent == asked, "{name}: {intent}");
        let fact = if intent == "running" { "up" } else { "down" };
        let status = machine.wait_status(&name, "fact", fact);
        assert_eq!(status["want"], fact, "{status}");
        machine.ok(&format!("-p {name} gateway {verb}"));
        let verdict = if verb == "stop" { "down" } else { "up" };
        assert_eq!(machine.status(&name)["verdict"], verdict);
    }
}
