//! Behaviour specific to Windows' Task Scheduler, tested against `windows/schtasks.sh`, which imitates it; the rest is
//! in `played.rs`.

use serde_json::Value;

use crate::played::{PC, Played, SLEEPS};

#[test]
fn h6_a_task_that_was_enabled_too_early_does_not_run_the_gateway() {
    let pc = Played::with(PC, "bot", SLEEPS);
    pc.ok("-p bot gateway install");
    pc.let_time_pass();
    pc.tool(r"/Change /TN \hermes\gateway-bot /ENABLE");
    // It was asked to end, and gets its time.
    let status = pc.wait_status("bot", "last_exit_code", 0);
    assert_eq!((&status["pid"], &status["gateway_state"]), (&Value::Null, &Value::Null));
    assert_eq!(status["drifts"], serde_json::json!(["wanted-up", "at-start"]));
}

#[test]
fn h17_a_task_that_was_disabled_and_ended_behind_our_back_is_drift() {
    let pc = Played::with(PC, "bot", SLEEPS);
    pc.ok("-p bot gateway start");
    pc.tool(r"/Change /TN \hermes\gateway-bot /DISABLE");
    pc.tool(r"/End /TN \hermes\gateway-bot");
    pc.wait_status("bot", "fact", "down");
    let (out, _) = pc.expect("-p bot gateway status", 4);
    assert!(out.contains("Drift:   windows was told to keep it down, not by hermes"), "{out}");
    let drifts = serde_json::json!(["wanted-down", "at-start", "down"]);
    assert_eq!(pc.status("bot")["drifts"], drifts);
}

#[test]
fn a_pc_without_a_user_says_so() {
    let pc = Played::with(PC, "bot", SLEEPS);
    pc.tool("logoff");
    let (_, err) = pc.expect("-p bot gateway start", 1);
    assert!(err.contains(r"schtasks /Run on '\hermes\gateway-bot' failed (rc=1)"), "{err}");
}

#[test]
fn a_machine_is_windows_if_it_says_so_and_its_scheduler_answers() {
    let pc = Played::with(PC, "bot", SLEEPS);
    let manager = |os: &str, dir: &std::path::Path| {
        let mut hermes = pc.hermes("--json -p bot gateway status");
        hermes.env("OS", os).env("HERMES_WINDOWS_BIN_DIR", dir);
        let output = hermes.output().expect("hermes runs");
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        document["manager"].as_str().expect("a word").to_owned()
    };
    assert_eq!(manager("Windows_NT", pc.home()), "windows");
    assert_ne!(manager("Windows_NT", "/nowhere".as_ref()), "windows");
    assert_ne!(manager("", pc.home()), "windows");
}
