//! The machine restarts: every gateway comes back as its operator left it, and a second pass changes nothing.

use rstest::rstest;

use super::{machine, machine_with};
use crate::support::machine::{End, User, expect_that, wait_until};

#[rstest]
#[case::sigterm(End::Term)]
#[case::sigkill(End::Kill)]
fn r1_a_running_gateway_returns_and_a_stopped_one_stays(#[case] how: End) {
    let mut machine = machine_with(&["coder", "writer"]);
    machine.hermes_ok("-p coder gateway start");
    machine.hermes_ok("-p writer gateway start");
    machine.hermes_ok("-p writer gateway stop");
    let lives = 3;
    for life in 1..=lives {
        let took = machine.restart(how);
        machine.wait_status("coder", "verdict", "up");
        assert_eq!(machine.gateways("coder").len(), 1, "life {life}, down in {took:?}");
        for down in ["writer", "default"] {
            assert_eq!(machine.status(down)["verdict"], "down");
            assert_eq!(machine.gateways(down), []);
        }
    }
    let log = machine.boot_log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("profile=coder ")).collect();
    assert_eq!(lines.len(), lives, "{log}");
    assert!(lines.iter().all(|line| line.contains("prior_state=running action=started")), "{log}");
}

#[test]
fn r2_stop_all_stays_a_stop() {
    let mut machine = machine_with(&["coder", "writer"]);
    machine.hermes_ok("gateway start --all");
    let stopped = machine.hermes_ok("gateway stop --all");
    assert_eq!(stopped.out, "✓ Stopped 3 gateways\n");
    for profile in ["default", "coder", "writer"] {
        assert_eq!(machine.status(profile)["want"], "down");
        assert_eq!(machine.gateways(profile), []);
    }
    machine.restart(End::Kill);
    for profile in ["default", "coder", "writer"] {
        assert_eq!(machine.status(profile)["verdict"], "down");
        assert_eq!(machine.gateways(profile), []);
    }
}

#[rstest]
#[case("running", "up")]
#[case("draining", "up")]
#[case("degraded", "up")]
#[case("stopped", "down")]
#[case("starting", "down")]
#[case("startup_failed", "down")]
#[case("runing", "down")]
fn r10_h38_the_last_state_of_an_older_install_decides(#[case] word: &str, #[case] verdict: &str) {
    let mut machine = machine();
    machine.put("profiles/old/SOUL.md", "old\n");
    let state = format!("{{\"gateway_state\": \"{word}\", \"pid\": 7, \"updated_at\": 1}}\n");
    machine.put("profiles/old/gateway_state.json", state);
    machine.restart(End::Kill);
    machine.wait_status("old", "verdict", verdict);
    assert_eq!(machine.gateways("old").len(), usize::from(verdict == "up"));
    let log = machine.boot_log();
    assert!(log.contains(&format!("profile=old prior_state={word} ")), "{log}");
    assert_eq!(word == "runing", log.contains("unknown word"), "{log}");
    // The gateway writes its own state from now on: the inferred intent has been stored.
    let intent = machine.home().join("profiles/old/gateway_intent.json");
    let kept = std::fs::read_to_string(intent).unwrap_or_default();
    assert_eq!(kept.contains("\"running\""), verdict == "up", "{kept}");
}

#[test]
fn r7_only_a_directory_with_a_soul_is_a_profile() {
    let machine = machine();
    machine.put("profiles/stray/config.yaml", "x: 1\n");
    machine.put("profiles/real/SOUL.md", "real\n");
    machine.hermes_ok("boot reconcile");
    assert_eq!(machine.scan_dir(), ["gateway-default", "gateway-real"]);
}

#[test]
fn r8_leftovers_of_the_boot_before_are_swept_and_nobody_is_signalled() {
    let mut machine = machine_with(&["coder"]);
    machine.hermes_ok("gateway start");
    machine
        .put("profiles/coder/gateway.pid", "{\"pid\": 1, \"start_time\": 1, \"boot_id\": \"x\"}\n");
    machine.put("profiles/coder/processes.json", "{}\n");
    machine.put("profiles/coder/.gateway-planned-stop.json", "{}\n");
    machine.restart(End::Kill);
    machine.wait_status("default", "verdict", "up");
    for name in ["gateway.pid", "processes.json", ".gateway-planned-stop.json"] {
        assert!(!machine.profile_dir("coder").join(name).exists(), "{name}");
    }
}

#[test]
fn h30_reconcile_on_a_live_system_changes_nothing() {
    let machine = machine_with(&["coder", "writer"]);
    machine.hermes_ok("-p coder gateway start");
    machine.hermes_ok("gateway start");
    let loggers = |all: &[crate::support::machine::MachineProcess]| {
        all.iter().filter(|process| process.line.contains("s6-log")).count()
    };
    wait_until("all loggers run", || {
        let all = machine.processes();
        expect_that(loggers(&all) == 3, || format!("{all:?}"))
    });
    let before = (machine.processes(), machine.scan_dir());
    let pid_file = machine.profile_dir("coder").join("gateway.pid");
    assert!(pid_file.exists());
    for _ in 0..2 {
        let pass = machine.hermes_ok("--json boot reconcile").json();
        for plan in pass["plans"].as_array().expect("plans") {
            assert_eq!((&plan["action"], &plan["slot"]), (&"registered".into(), &"kept".into()));
            assert_eq!(plan["sweep"], serde_json::json!([]), "{plan}");
            assert_eq!(plan["reasons"], serde_json::json!([]), "{plan}");
        }
        assert_eq!(pass["swept"], serde_json::json!([]));
        assert_eq!((machine.processes(), machine.scan_dir()), before);
    }
    assert!(pid_file.exists(), "the live gateway's gateway.pid");
    machine.hermes_ok("-p coder gateway status");
}

#[test]
fn h17_a_raw_svc_is_a_drift_that_reconcile_mends() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    machine
        .run(User::Hermes, &[], &["s6-svc", "-wD", "-d", "/run/service/gateway-coder"])
        .expect(0);
    let status = machine.hermes("--json -p coder gateway status").expect(4).json();
    assert_eq!(status["gateways"][0]["drifts"], serde_json::json!(["wanted-down", "down"]));
    assert_eq!(status["gateways"][0]["intent"], "running");
    machine.hermes_ok("boot reconcile");
    machine.wait_status("coder", "verdict", "up");
    machine.hermes_ok("-p coder gateway stop");
    machine
        .run(User::Hermes, &[], &["s6-svc", "-wU", "-u", "/run/service/gateway-coder"])
        .expect(0);
    let status = machine.hermes("--json -p coder gateway status").expect(4).json();
    assert_eq!(status["gateways"][0]["drifts"], serde_json::json!(["wanted-up", "up"]));
    machine.hermes_ok("boot reconcile");
    machine.wait_status("coder", "verdict", "down");
    assert_eq!(machine.gateways("coder"), []);
}

#[test]
fn h36_stages_and_slots_of_nobody_are_taken_away() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    std::fs::remove_dir_all(machine.profile_dir("coder")).expect("the profile");
    let stage = "mkdir -p /run/service/.gateway-x.abc/log /run/service/gateway-Odd && touch /run/service/.gateway-x.abc/run";
    machine.run(User::Hermes, &[], &["sh", "-c", stage]).expect(0);
    machine.hermes_ok("boot reconcile");
    assert_eq!(machine.scan_dir(), ["gateway-default"]);
    assert_eq!(machine.everything_of("coder"), []);
}
