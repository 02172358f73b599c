//! A systemd that is missing, silent or refuses: named errors, tested with programs that answer as systemd 252 did.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;

const NOBODY: u32 = 65_534;

/// A home, and a directory of programs.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().expect("a temporary directory") };
        std::fs::create_dir(place.path("bin")).expect("our own directory");
        if rustix::process::geteuid().is_root() {
            chown(place.dir.path(), Some(NOBODY), Some(NOBODY)).expect("we are root");
        }
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    fn hermes(&self, line: &str) -> Output {
        // The user of the command may lack access to the build directory.
        let program = self.path("hermes");
        if !program.exists() {
            let built = env!("CARGO_BIN_EXE_hermes");
            // A link if possible: a file that was just written cannot be executed while another thread forks.
            std::fs::hard_link(built, &program)
                .or_else(|_| std::fs::copy(built, &program).map(drop))
                .expect("the program");
        }
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            // Root's own systemd always exists: most of these tests are about another user's.
            command.uid(NOBODY).gid(NOBODY);
        }
        command
            .args(line.split(' '))
            .env_clear()
            .env("HOME", self.dir.path())
            .env("HERMES_SUPERVISOR", "systemd")
            .env("HERMES_SYSTEMD_BIN_DIR", self.path("bin"))
            .output()
            .expect("hermes runs")
    }
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A systemd that has loaded every unit and accepts every command; each call is a line in `calls`.
const WILLING: &str = r#"echo "$*" >>"$HOME/calls"
case "$*" in
*--property=Version*) echo Version=252.39-1~deb12u2 ;;
*" show "*) printf 'LoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=disabled\nFragmentPath=/x\nMainPID=0\nExecMainCode=0\nExecMainStatus=0\nStateChangeTimestamp=\nJob=\n' ;;
esac"#;

#[rstest]
#[case::no_bus(
    "echo 'Failed to connect to bus: No medium found' >&2; exit 1",
    "loginctl enable-linger"
)]
#[case::not_booted(
    "echo \"System has not been booted with systemd as init system (PID 1). Can't operate.\" >&2; exit 1",
    "log in by ssh"
)]
#[case::locked_down("echo 'Failed to show: Access denied' >&2; exit 4", "use sudo")]
fn a_systemd_that_refuses_is_quoted_with_what_to_do(#[case] script: &str, #[case] hint: &str) {
    let place = Place::new();
    place.program("systemctl", script);
    let output = place.hermes("gateway start");
    assert_eq!(output.status.code(), Some(1));
    let said = err(&output);
    assert!(said.starts_with("✗ systemctl show on 'systemd' failed (rc="), "{said}");
    assert!(said.contains(hint), "{said}");
    assert!(
        !Path::new(&place.path(".hermes/gateway_intent.json")).exists(),
        "nothing was promised"
    );
}

#[test]
fn a_machine_without_systemctl_is_told_where_it_was_looked_for() {
    let place = Place::new();
    let said = err(&place.hermes("gateway start"));
    assert!(said.starts_with("✗ no systemctl in "), "{said}");
    assert!(said.contains("HERMES_SYSTEMD_BIN_DIR"), "{said}");
}

#[test]
fn a_user_who_does_not_linger_is_warned() {
    let place = Place::new();
    place.program("systemctl", WILLING);
    let loginctl = "echo 'Failed to get user: User ID 1 is not logged in or lingering' >&2; exit 1";
    place.program("loginctl", loginctl);
    let output = place.hermes("gateway install");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(err(&output).contains("you do not linger"), "{}", err(&output));
    assert_eq!(place.hermes("--json doctor").status.code(), Some(0));
    place.hermes("profile create bot");
    let said = err(&place.hermes("-p bot gateway start --no-wait"));
    assert!(said.contains("you do not linger"), "a first start installs: {said}");
}

#[test]
fn install_writes_the_unit_and_tells_systemd_once() {
    let place = Place::new();
    place.program("systemctl", WILLING);
    place.program("loginctl", "echo Linger=yes");
    let output = place.hermes("gateway install");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let unit = place.path(".config/systemd/user/hermes-gateway-default.service");
    let text = std::fs::read_to_string(&unit).expect("the unit");
    assert!(text.contains(&format!("HERMES_HOME={}", place.path(".hermes").display())), "{text}");
    place.hermes("gateway install");
    let calls = std::fs::read_to_string(place.path("calls")).expect("the calls");
    assert_eq!(calls.matches("--no-ask-password --user daemon-reload").count(), 1, "{calls}");
}

#[test]
fn install_starts_nothing_whose_word_it_cannot_read() {
    let place = Place::new();
    place.program("systemctl", WILLING);
    place.program("loginctl", "echo Linger=yes");
    assert_eq!(place.hermes("gateway install").status.code(), Some(0));
    std::fs::write(place.path(".hermes/gateway_state.json"), r#"{"gateway_state":"running"}"#)
        .expect("the gateway's own word");
    let intent = place.path(".hermes/gateway_intent.json");
    std::fs::write(&intent, r#"{"intent":"stopped"}"#).expect("the operator's");
    std::fs::set_permissions(&intent, std::fs::Permissions::from_mode(0o000)).expect("its mode");
    let output = place.hermes("gateway install");
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(err(&output).contains("failed to read"), "{}", err(&output));
    let calls = std::fs::read_to_string(place.path("calls")).expect("the calls");
    assert!(!calls.contains(" start "), "{calls}");
}

#[test]
fn a_boot_is_not_for_hermes_to_reconcile_here() {
    let place = Place::new();
    place.program("systemctl", WILLING);
    let output = place.hermes("boot reconcile");
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("here systemd (user) brings gateways back"), "{}", err(&output));
}
