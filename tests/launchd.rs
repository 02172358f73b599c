//! Behaviour specific to launchd, tested against `launchd/launchctl.sh`, which imitates it; the rest is in `played.rs`.

use serde_json::Value;

use crate::played::{MAC, Played, SLEEPS};
use crate::support::machine::{expect_that, wait_until};

#[test]
fn h6_an_agent_that_was_enabled_too_early_does_not_stay_up_after_a_login() {
    let mac = Played::with(MAC, "bot", SLEEPS);
    mac.ok("-p bot gateway install");
    mac.tool("enable gui/0/hermes.gateway.bot");
    mac.tool("login");
    wait_until("it has been asked, and is left alone", || {
        let status = std::fs::read_to_string(mac.home().join(".launchd/hermes.gateway.bot.status"));
        expect_that(matches!(&status, Ok(status) if status == "0\n"), || format!("{status:?}"))
    });
    let status = mac.wait_status("bot", "fact", "down");
    assert_eq!((&status["pid"], &status["last_exit_code"]), (&Value::Null, &Value::Null));
}

#[test]
fn h17_a_bootout_behind_our_back_is_drift() {
    let mac = Played::with(MAC, "bot", SLEEPS);
    mac.ok("-p bot gateway start");
    mac.tool("bootout gui/0/hermes.gateway.bot");
    // It answers before the gateway has ended.
    mac.wait_status("bot", "want", "down");
    let (out, _) = mac.expect("-p bot gateway status", 4);
    assert!(out.contains("Drift:   launchd was told to keep it down, not by hermes"), "{out}");
    assert_eq!(mac.status("bot")["drifts"], serde_json::json!(["wanted-down", "down"]));
}

#[test]
fn uninstall_leaves_no_agent() {
    let mac = Played::with(MAC, "bot", SLEEPS);
    mac.ok("-p bot gateway start");
    mac.ok("-p bot gateway uninstall");
    let agents = mac.home().join("Library/LaunchAgents");
    assert_eq!(std::fs::read_dir(agents).expect("it").count(), 0);
}

#[test]
fn a_mac_without_a_login_is_told_what_to_do() {
    let mac = Played::with(MAC, "bot", SLEEPS);
    std::fs::write(mac.home().join("nobody-is-logged-in"), "").expect("our own home");
    let (_, err) = mac.expect("-p bot gateway start", 1);
    assert!(err.contains("launchctl bootstrap on 'hermes.gateway.bot' failed (rc=125)"), "{err}");
    assert!(err.contains("log in there first"), "{err}");
}
