//! The same words with launchd, which is played by `launchd/launchctl.sh`: no machine of Apple's has run this.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::machine::{so, wait_until};

/// A user's home with a launchctl. What still runs is ended with the test.
struct Mac {
    dir: tempfile::TempDir,
}

impl Mac {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let launchctl =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/launchd/launchctl.sh");
        std::os::unix::fs::symlink(launchctl, dir.path().join("launchctl")).expect("a link");
        Self { dir }
    }

    /// The same with this profile, whose gateway runs this command.
    fn with(profile: &str, toml: &str) -> Self {
        let mac = Self::new();
        mac.ok(&format!("profile create {profile}"));
        mac.put(profile, toml);
        mac
    }

    fn put(&self, profile: &str, toml: &str) {
        let path = self.dir.path().join(".hermes/profiles").join(profile).join("gateway.toml");
        // At once: a gateway that reads it half written would be another one.
        std::fs::write(path.with_extension("new"), toml).expect("our own home");
        std::fs::rename(path.with_extension("new"), path).expect("our own home");
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.dir.path()).env("PATH", "/usr/bin:/bin");
        command
    }

    fn hermes(&self, line: &str) -> Output {
        self.command(env!("CARGO_BIN_EXE_hermes"))
            .args(line.split(' '))
            .env("HERMES_SUPERVISOR", "launchd")
            .env("HERMES_LAUNCHD_BIN_DIR", self.dir.path())
            .output()
            .expect("hermes runs")
    }

    #[track_caller]
    fn expect(&self, line: &str, code: i32) -> (String, String) {
        let output = self.hermes(line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{line}: {out}{err}");
        (out, err)
    }

    #[track_caller]
    fn ok(&self, line: &str) -> String {
        self.expect(line, 0).0
    }

    /// Behind hermes' back.
    fn launchctl(&self, line: &str) {
        let launchctl = self.dir.path().join("launchctl");
        let status =
            self.command(launchctl.to_str().expect("UTF-8")).args(line.split(' ')).status();
        assert!(status.expect("the script runs").success(), "{line}");
    }

    fn status(&self, profile: &str) -> Value {
        let output = self.hermes(&format!("--json -p {profile} gateway status"));
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        document["gateways"][0].clone()
    }

    #[track_caller]
    fn wait_status(&self, profile: &str, key: &str, value: impl Into<Value>) -> Value {
        let value = value.into();
        wait_until(&format!("{key} of '{profile}' is {value}"), || {
            let status = self.status(profile);
            so(status[key] == value, || status.to_string())?;
            Ok(status)
        })
    }
}

impl Drop for Mac {
    fn drop(&mut self) {
        let launchctl = self.dir.path().join("launchctl");
        // A test that has failed says why by itself.
        drop(self.command(launchctl.to_str().expect("UTF-8")).arg("logout").status());
    }
}

const SLEEPS: &str = "command = ['sleep', '1000']\n";

#[test]
fn start_stop_restart_and_status_are_true() {
    let mac = Mac::with("bot", SLEEPS);
    mac.expect("-p bot gateway status", 3);
    assert!(mac.ok("-p bot gateway install").contains("launchd (user) looks after it"));
    mac.expect("-p bot gateway status", 3);
    let (said, _) = mac.expect("-p bot gateway start", 0);
    let first = mac.status("bot")["pid"].clone();
    assert_eq!(said, format!("✓ Started gateway 'bot' (pid {first})\n"));
    assert!(mac.ok("-p bot gateway start").contains("running already"));
    let said = mac.ok("-p bot gateway restart");
    let second = mac.status("bot")["pid"].clone();
    assert_eq!(said, format!("✓ Restarted gateway 'bot' (pid {second})\n"));
    assert_ne!(first, second);
    assert_eq!(mac.ok("-p bot gateway stop"), "✓ Stopped gateway 'bot'\n");
    assert_eq!(mac.status("bot")["gateway_state"], "stopped");
    mac.expect("-p bot gateway status", 3);
    assert!(mac.ok("-p bot gateway logs").contains("gateway 'bot': running on port"));
    mac.ok("-p bot gateway uninstall");
    assert_eq!(
        std::fs::read_dir(mac.dir.path().join("Library/LaunchAgents")).expect("it").count(),
        0
    );
}

#[test]
fn r1_a_login_brings_back_what_ran_and_nothing_else() {
    let mac = Mac::with("runs", SLEEPS);
    mac.ok("profile create stopped");
    mac.put("stopped", SLEEPS);
    mac.ok("-p runs gateway start");
    mac.ok("-p stopped gateway start");
    mac.ok("-p stopped gateway stop");
    mac.launchctl("logout");
    mac.launchctl("login");
    mac.wait_status("runs", "verdict", "up");
    mac.expect("-p stopped gateway status", 3);
}

#[test]
fn h6_an_agent_that_was_enabled_too_early_does_not_stay_up_after_a_login() {
    let mac = Mac::with("bot", SLEEPS);
    mac.ok("-p bot gateway install");
    mac.launchctl("enable gui/0/hermes.gateway.bot");
    mac.launchctl("login");
    wait_until("it has been asked, and is left alone", || {
        let status =
            std::fs::read_to_string(mac.dir.path().join(".launchd/hermes.gateway.bot.status"));
        so(matches!(&status, Ok(status) if status == "0\n"), || format!("{status:?}"))
    });
    let status = mac.wait_status("bot", "fact", "down");
    assert_eq!(status["pid"], Value::Null);
}

#[test]
fn a_start_while_the_old_one_is_still_on_its_way_out_ends_with_a_new_one() {
    let toml =
        "command = ['sh', '-c', 'trap \"sleep 1; exit\" TERM; while :; do sleep 0.1; done']\n";
    let mac = Mac::with("bot", toml);
    mac.ok("-p bot gateway start");
    let first = mac.status("bot")["pid"].clone();
    mac.ok("-p bot gateway stop --no-wait");
    let status = mac.status("bot");
    assert_eq!((&status["want"], &status["fact"]), (&"down".into(), &"up".into()), "{status}");
    mac.ok("-p bot gateway start");
    let status = mac.status("bot");
    assert_eq!(status["verdict"], "up");
    assert_ne!(status["pid"], first);
}

#[test]
fn h17_a_bootout_behind_our_back_is_drift() {
    let mac = Mac::with("bot", SLEEPS);
    mac.ok("-p bot gateway start");
    mac.launchctl("bootout gui/0/hermes.gateway.bot");
    // It answers before the gateway has ended.
    mac.wait_status("bot", "want", "down");
    let (out, _) = mac.expect("-p bot gateway status", 4);
    assert!(out.contains("Drift:   launchd was told to keep it down, not by hermes"), "{out}");
    assert_eq!(mac.status("bot")["drifts"], serde_json::json!(["wanted-down", "down"]));
}

#[test]
fn what_ends_comes_back_and_what_is_wrong_does_not() {
    let mac =
        Mac::with("bot", "command = ['sh', '-c', 'sleep 0.3']\n[restart]\nstable_after = 0\n");
    mac.ok("-p bot gateway start");
    let first = mac.status("bot")["pid"].clone();
    wait_until("another process, after an exit with 0", || {
        let status = mac.status("bot");
        so(status["pid"].is_number() && status["pid"] != first, || status.to_string())
    });
    mac.put("bot", "prot = 1\n");
    let status = mac.wait_status("bot", "last_exit_code", 78);
    assert_eq!(status["drifts"], serde_json::json!(["failed-permanently"]));
    mac.put("bot", SLEEPS);
    mac.ok("-p bot gateway start");
    mac.ok("-p bot gateway status");
}

#[test]
fn a_mac_without_a_login_or_a_launchctl_is_told_what_to_do() {
    let mac = Mac::with("bot", SLEEPS);
    std::fs::write(mac.dir.path().join("nobody-is-logged-in"), "").expect("our own home");
    let (_, err) = mac.expect("-p bot gateway start", 1);
    assert!(err.contains("launchctl bootstrap on 'hermes.gateway.bot' failed (rc=125)"), "{err}");
    assert!(err.contains("log in there first"), "{err}");
    let nowhere = mac
        .command(env!("CARGO_BIN_EXE_hermes"))
        .args(["gateway", "start"])
        .env("HERMES_SUPERVISOR", "launchd")
        .env("HERMES_LAUNCHD_BIN_DIR", "/nowhere")
        .output()
        .expect("hermes runs");
    let err = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(err.starts_with("✗ no launchctl in /nowhere"), "{err}");
}
