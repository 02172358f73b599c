//! The same commands with launchd and with Windows' Task Scheduler, each imitated by a script: this has run on no
//! machine of Apple's or Microsoft's. Tests for both are here; those for one are in `launchd.rs` and `windows.rs`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::machine::{expect_that, wait_until};

/// The imitated supervisor.
#[derive(Debug)]
pub(crate) struct Script {
    /// The supervisor's name in `HERMES_SUPERVISOR`.
    manager: &'static str,
    tool: &'static str,
    bin_dir: &'static str,
    /// The user's environment there.
    env: &'static [(&'static str, &'static str)],
    /// Logging out and in again: commands of the script only.
    goes: &'static str,
    comes: &'static str,
}

pub(crate) const MAC: Script = Script {
    manager: "launchd",
    tool: "launchctl",
    bin_dir: "HERMES_LAUNCHD_BIN_DIR",
    env: &[],
    goes: "logout",
    comes: "login",
};

pub(crate) const PC: Script = Script {
    manager: "windows",
    tool: "schtasks",
    bin_dir: "HERMES_WINDOWS_BIN_DIR",
    env: &[("USERNAME", "ann"), ("USERDOMAIN", "PC")],
    goes: "logoff",
    comes: "logon",
};

/// A user's home with that tool. Running processes are ended with the test.
pub(crate) struct Played {
    dir: tempfile::TempDir,
    script: Script,
}

impl Played {
    /// With this profile, whose gateway runs this command.
    pub(crate) fn with(script: Script, profile: &str, toml: &str) -> Self {
        let Script { manager, tool, .. } = script;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(manager);
        std::os::unix::fs::symlink(path.join(format!("{tool}.sh")), dir.path().join(tool))
            .expect("a link");
        let played = Self { dir, script };
        std::fs::create_dir(played.home().join(".schtasks")).expect("our own home");
        std::fs::write(played.long_minute(), "").expect("our own home");
        played.add(profile, toml);
        played
    }

    /// While this file is there, Task Scheduler's minute never ends: only a request starts a task.
    fn long_minute(&self) -> PathBuf {
        self.home().join(".schtasks/long-minute")
    }

    /// From now on, an ended task is started again within a minute, which is a short one.
    pub(crate) fn let_time_pass(&self) {
        std::fs::remove_file(self.long_minute()).expect("it is there until now");
    }

    /// One profile more.
    pub(crate) fn add(&self, profile: &str, toml: &str) {
        self.ok(&format!("profile create {profile}"));
        self.put(profile, toml);
    }

    pub(crate) fn home(&self) -> &Path {
        self.dir.path()
    }

    /// Its gateway's configuration.
    pub(crate) fn put(&self, profile: &str, toml: &str) {
        let path = self.home().join(".hermes/profiles").join(profile).join("gateway.toml");
        // In one step: a gateway must not read a half-written file.
        std::fs::write(path.with_extension("new"), toml).expect("our own home");
        std::fs::rename(path.with_extension("new"), path).expect("our own home");
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().env("HOME", self.home()).env("PATH", "/usr/bin:/bin");
        command.envs(self.script.env.iter().copied()).env(self.script.bin_dir, self.home());
        command
    }

    /// `hermes …`, with no variable that names the supervisor.
    pub(crate) fn hermes(&self, line: &str) -> Command {
        let mut hermes = self.command(env!("CARGO_BIN_EXE_hermes"));
        hermes.args(line.split(' '));
        hermes
    }

    fn run(&self, line: &str) -> Output {
        let mut hermes = self.hermes(line);
        hermes.env("HERMES_SUPERVISOR", self.script.manager).output().expect("hermes runs")
    }

    #[track_caller]
    pub(crate) fn expect(&self, line: &str, code: i32) -> (String, String) {
        let output = self.run(line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{line}: {out}{err}");
        (out, err)
    }

    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> String {
        self.expect(line, 0).0
    }

    /// The tool itself, without hermes.
    pub(crate) fn tool(&self, line: &str) {
        let ran = self.command(self.home().join(self.script.tool)).args(line.split(' ')).output();
        assert!(ran.expect("the script runs").status.success(), "{line}");
    }

    pub(crate) fn status(&self, profile: &str) -> Value {
        let output = self.run(&format!("--json -p {profile} gateway status"));
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        document["gateways"][0].clone()
    }

    #[track_caller]
    pub(crate) fn wait_status(&self, profile: &str, key: &str, value: impl Into<Value>) -> Value {
        let value = value.into();
        wait_until(&format!("{key} of '{profile}' is {value}"), || {
            let status = self.status(profile);
            expect_that(status[key] == value, || status.to_string())?;
            Ok(status)
        })
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        let tool = self.home().join(self.script.tool);
        // A failed test reports the reason by itself.
        drop(self.command(tool).arg(self.script.goes).output());
    }
}

pub(crate) const SLEEPS: &str = "command = ['sleep', '1000']\n";

#[rstest]
#[case::launchd(MAC, "launchd (user) looks after it")]
#[case::windows(PC, "Task Scheduler (user) looks after it")]
fn start_stop_restart_and_status_are_true(#[case] script: Script, #[case] installed: &str) {
    let host = Played::with(script, "bot", SLEEPS);
    host.expect("-p bot gateway status", 3);
    assert!(host.ok("-p bot gateway install").contains(installed));
    assert!(host.ok("-p bot gateway install").contains("is installed already"));
    host.expect("-p bot gateway status", 3);
    let said = host.ok("-p bot gateway start");
    let first = host.status("bot")["pid"].clone();
    assert_eq!(said, format!("✓ Started gateway 'bot' (pid {first})\n"));
    assert!(host.ok("-p bot gateway start").contains("running already"));
    let said = host.ok("-p bot gateway restart");
    let second = host.status("bot")["pid"].clone();
    assert_eq!(said, format!("✓ Restarted gateway 'bot' (pid {second})\n"));
    assert_ne!(first, second);
    assert_eq!(host.ok("-p bot gateway stop"), "✓ Stopped gateway 'bot'\n");
    assert_eq!(host.status("bot")["gateway_state"], "stopped");
    host.expect("-p bot gateway status", 3);
    let log = host.ok("-p bot gateway logs");
    assert!(log.contains("gateway 'bot': running on port"), "{log}");
    // The default gateway never ran, and has none.
    assert_eq!(host.ok("gateway logs --all"), format!("==> bot <==\n{log}"));
    host.put("bot", "command = ['sleep', '1000']\n[restart]\ndelay = 120\ndelay_max = 600\n");
    assert!(host.ok("-p bot gateway install").contains("Brought gateway 'bot' up to date"));
    host.ok("gateway uninstall --all");
    assert_eq!(host.status("bot")["presence"], "unregistered");
}

#[rstest]
#[case::launchd(MAC)]
#[case::windows(PC)]
fn r1_a_login_brings_back_what_ran_and_nothing_else(#[case] script: Script) {
    let host = Played::with(script, "runs", SLEEPS);
    host.add("stopped", SLEEPS);
    host.ok("-p runs gateway start");
    host.ok("-p stopped gateway start");
    host.ok("-p stopped gateway stop");
    host.tool(host.script.goes);
    assert_eq!(host.status("runs")["fact"], "down");
    host.let_time_pass();
    host.tool(host.script.comes);
    host.wait_status("runs", "verdict", "up");
    host.expect("-p stopped gateway status", 3);
}

#[rstest]
#[case::launchd(MAC)]
#[case::windows(PC)]
fn a_start_while_the_old_one_is_still_on_its_way_out_ends_with_a_new_one(#[case] script: Script) {
    let toml =
        "command = ['sh', '-c', 'trap \"sleep 1; exit\" TERM; while :; do sleep 0.1; done']\n";
    let host = Played::with(script, "bot", toml);
    host.ok("-p bot gateway start");
    let first = host.status("bot")["pid"].clone();
    host.ok("-p bot gateway stop --no-wait");
    let status = host.wait_status("bot", "gateway_state", "draining");
    assert_eq!((&status["want"], &status["fact"]), (&"down".into(), &"up".into()), "{status}");
    host.ok("-p bot gateway start");
    let status = host.status("bot");
    assert_eq!(status["verdict"], "up");
    assert_ne!(status["pid"], first);
}

#[rstest]
#[case::launchd(MAC, json!(["failed-permanently"]))]
#[case::windows(PC, json!(["failed-permanently", "at-start"]))]
fn what_ends_comes_back_and_what_is_wrong_does_not(#[case] script: Script, #[case] drifts: Value) {
    // Long enough for the start to see it.
    let ends = "command = ['sleep', '3']\n[restart]\nstable_after = 0\n";
    let host = Played::with(script, "bot", ends);
    host.ok("-p bot gateway start");
    let first = host.status("bot")["pid"].clone();
    host.let_time_pass();
    wait_until("another process, after an exit with 0", || {
        let status = host.status("bot");
        expect_that(status["pid"].is_number() && status["pid"] != first, || status.to_string())
    });
    host.put("bot", "prot = 1\n");
    host.wait_status("bot", "drifts", drifts);
    assert_eq!(host.status("bot")["last_exit_code"], 78);
    // Each start has its own outcome, and none is answered by an older record.
    for _ in 0..2 {
        let (_, err) = host.expect("-p bot gateway start", 78);
        assert!(err.contains("unknown field `prot`"), "{err}");
    }
    host.put("bot", SLEEPS);
    host.ok("-p bot gateway start");
    host.ok("-p bot gateway status");
}

#[rstest]
#[case::launchd(MAC)]
#[case::windows(PC)]
fn a_host_without_its_tool_says_so(#[case] script: Script) {
    let host = Played::with(script, "bot", SLEEPS);
    let mut start = host.hermes("gateway start");
    start.env("HERMES_SUPERVISOR", host.script.manager).env(host.script.bin_dir, "/nowhere");
    let err = start.output().expect("hermes runs").stderr;
    let expected = format!("✗ no {} in /nowhere", host.script.tool);
    assert!(String::from_utf8_lossy(&err).starts_with(&expected), "{err:?}");
}
