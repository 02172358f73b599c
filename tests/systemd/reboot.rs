//! What a boot brings back: what the operator said last, and nothing else.

use std::collections::BTreeMap;

use super::machine_with;
use crate::support::machine::{so, wait_until};

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

/// What stop and start leave when they are killed on the way: each at another moment, and the machine right after.
#[test]
fn h6_a_verb_killed_at_any_moment_leaves_one_whole_word_and_the_boot_follows_it() {
    let moments: Vec<u32> = (0..8).map(|step| step * 30).collect();
    let names: Vec<String> = moments
        .iter()
        .flat_map(|moment| [format!("start-{moment}"), format!("stop-{moment}")])
        .collect();
    let machine = machine_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut exits = BTreeMap::new();
    for moment in moments {
        for verb in ["start", "stop"] {
            let name = format!("{verb}-{moment}");
            if verb == "stop" {
                machine.ok(&format!("-p {name} gateway start"));
            }
            let line =
                format!("timeout -s KILL 0.{moment:03} hermes -p {name} gateway {verb} --no-wait");
            exits.insert(name, (verb, machine.sh(&line).code));
        }
    }
    assert!(exits.values().any(|(_, code)| *code != 0), "none was killed: {exits:?}");
    machine.crash();
    for (name, (verb, code)) in &exits {
        let status = machine.status(name);
        let word = status["intent"].as_str().expect("a word").to_owned();
        assert!(matches!(word.as_str(), "running" | "stopped"), "{status}");
        if *code == 0 {
            assert_eq!(word, if *verb == "start" { "running" } else { "stopped" }, "{status}");
        }
        let fact = if word == "running" { "up" } else { "down" };
        let status = machine.wait_status(name, "fact", fact);
        assert_eq!(status["want"], fact, "{status}");
        // A unit may still be enabled: a start was about to be noted, or a stop was.
        let drifts = status["drifts"].as_array().expect("a list").clone();
        let only = word == "stopped" && drifts == ["at-start"];
        wait_until("no other drift", || {
            let status = machine.status(name);
            so(only || status["drifts"] == serde_json::json!([]), || status.to_string())
        });
        machine.ok(&format!("-p {name} gateway {verb}"));
        let expected = if *verb == "start" { "up" } else { "down" };
        assert_eq!(machine.status(name)["verdict"], expected);
    }
}
