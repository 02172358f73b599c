//! H32 to H34: ten profiles, each damaged in its own way, among many intact ones. A damaged profile affects no other.

use std::collections::BTreeMap;

use serde_json::Value;

use super::machine;
use crate::support::machine::Machine;

/// A directory's name, the damage, and what the reason must say.
type Damage = (String, fn(&Machine, &str), &'static str);

fn damages() -> Vec<Damage> {
    fn put(machine: &Machine, profile: &str, file: &str, contents: &[u8]) {
        machine.put(format!("profiles/{profile}/{file}"), contents);
    }
    const STATE: &str = "gateway_state.json";
    const INTENT: &str = "gateway_intent.json";
    vec![
        ("Odd Name".into(), |_, _| {}, "profile name"),
        ("d-list".into(), |m, p| put(m, p, STATE, b"[1, 2]"), "JSON array, not an object"),
        ("d-string".into(), |m, p| put(m, p, STATE, b"\"running\""), "JSON string, not an object"),
        (
            "d-intent".into(),
            |m, p| put(m, p, INTENT, b"[\"running\"]"),
            "JSON array, not an object",
        ),
        ("d-bytes".into(), |m, p| put(m, p, STATE, b"{\"gateway_state\": \"\xff\"}"), "not UTF-8"),
        ("d-pid".into(), |m, p| m.put_dir(format!("profiles/{p}/gateway.pid")), "is a directory"),
        ("l".repeat(250), |_, _| {}, "profile name"),
        (
            "d-word".into(),
            |m, p| put(m, p, INTENT, b"{\"intent\": \"RUNNING\"}"),
            "unknown word \"RUNNING\"",
        ),
        ("test".into(), |_, _| {}, "is reserved"),
        ("d-torn".into(), |m, p| put(m, p, INTENT, b"{\"intent\": \"run"), "not whole JSON"),
    ]
}

/// A home with this many profiles, including `default`: every second intact one should run.
fn home_of(total: usize) -> (Machine, BTreeMap<String, &'static str>) {
    let machine = machine();
    let damages = damages();
    for number in 0..total - 1 - damages.len() {
        let name = format!("p{number}");
        machine.put(format!("profiles/{name}/SOUL.md"), "whole\n");
        if number % 2 == 0 {
            // Those that run must not share a port, as names may.
            let port = format!("port = {}\n", 10_000 + number);
            machine.put(format!("profiles/{name}/gateway.toml"), port);
            let intent = "{\"schema\": 1, \"intent\": \"running\", \"sequence\": 1}\n";
            machine.put(format!("profiles/{name}/gateway_intent.json"), intent);
        }
    }
    let mut reasons = BTreeMap::new();
    for (name, damage, reason) in damages {
        machine.put(format!("profiles/{name}/SOUL.md"), "damaged\n");
        damage(&machine, &name);
        reasons.insert(name, reason);
    }
    (machine, reasons)
}

fn check(plans: &[Value], reasons: &BTreeMap<String, &'static str>) {
    let mut found = 0;
    for plan in plans {
        let name = plan["profile"].as_str().expect("a name");
        let said = plan["reasons"].as_array().expect("reasons");
        assert_eq!(plan["error"], Value::Null, "{plan}");
        let runs =
            name.strip_prefix('p').and_then(|n| n.parse::<u32>().ok()).is_some_and(|n| n % 2 == 0);
        match reasons.get(name) {
            None => assert!(said.is_empty(), "{plan}"),
            Some(reason) => {
                assert_eq!(said.len(), 1, "{plan}");
                assert!(said[0].as_str().expect("text").contains(reason), "{reason}: {plan}");
                found += 1;
            }
        }
        let no_name = matches!(name, "Odd Name" | "test") || name.len() > 242;
        let action = if no_name {
            "skipped"
        } else if runs {
            "started"
        } else {
            "registered"
        };
        assert_eq!(plan["action"], if name == "default" { "registered" } else { action }, "{plan}");
    }
    assert_eq!(found, 10);
}

#[test]
fn h32_h33_h34_a_dry_run_over_1000_profiles_has_1000_plans_and_ten_reasons() {
    let (machine, reasons) = home_of(1000);
    let before = machine.scan_dir();
    let pass = machine.hermes_ok("boot reconcile --dry-run --json").json();
    let plans = pass["plans"].as_array().expect("plans");
    assert_eq!((plans.len(), &plans[0]["profile"]), (1000, &"default".into()));
    check(plans, &reasons);
    assert_eq!(machine.scan_dir(), before, "a dry run changes nothing");
    assert_eq!(machine.boot_log().lines().count(), 1, "the line of the first boot alone");
}

#[test]
fn h32_h33_h34_the_pass_gives_each_one_line_and_every_other_its_slot() {
    let total = 60;
    let (machine, reasons) = home_of(total);
    let pass = machine.hermes_ok("boot reconcile --json").json();
    let plans = pass["plans"].as_array().expect("plans");
    assert_eq!(plans.len(), total);
    check(plans, &reasons);
    let log = machine.boot_log();
    let lines: Vec<&str> = log.lines().skip(1).collect();
    assert_eq!(lines.len(), total, "{log}");
    for (line, plan) in lines.iter().zip(plans) {
        let name = plan["profile"].as_str().expect("a name");
        let field = if name.contains(' ') { format!("\"{name}\"") } else { name.to_owned() };
        assert!(line.contains(&format!(" profile={field} ")), "{line}");
        let words = [("action", &plan["action"]), ("prior_state", &plan["prior_state"])];
        for (key, value) in words {
            assert!(line.contains(&format!(" {key}={} ", value.as_str().expect("text"))), "{line}");
        }
        assert_eq!(line.contains(" reason="), reasons.contains_key(name), "{line}");
    }
    let mut slots: Vec<String> = plans
        .iter()
        .filter(|plan| plan["action"] != "skipped")
        .map(|plan| format!("gateway-{}", plan["profile"].as_str().expect("a name")))
        .collect();
    slots.sort();
    assert_eq!(machine.scan_dir(), slots);
    for plan in plans.iter().filter(|plan| plan["action"] == "started") {
        machine.wait_status(plan["profile"].as_str().expect("a name"), "verdict", "up");
    }
    machine.hermes("gateway status --all").expect(0);
}
