//! A gateway that runs a command: its environment, readiness, end.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use hermes::record::marker::StopPlan;
use rstest::rstest;
use rustix::process::Signal;

use super::{GatewayHome, eventually, is_alive, number_in};

fn home_with(config: &str, script: &str) -> GatewayHome {
    let home = GatewayHome::new(&format!("command = [\"./bot\", \"an argument\"]\n{config}"));
    home.script("bot", script);
    home
}

#[rstest]
#[case("exit 0", 0, "running", "the command exited with code 0")]
#[case("exit 3", 3, "running", "the command exited with code 3")]
#[case(
    "exit 78",
    78,
    "startup_failed",
    "the command exited with code 78: its configuration is wrong"
)]
#[case("kill -KILL $$", 137, "running", "SIGKILL ended the command")]
fn the_commands_exit_code_is_ours(
    #[case] script: &str,
    #[case] code: i32,
    #[case] word: &str,
    #[case] reason: &str,
) {
    let home = home_with("", script);
    let (ended, notes) = home.start().end();
    assert_eq!((ended, home.gateway_state().as_str()), (code, word), "{notes}");
    assert_eq!(home.state()["exit_reason"], reason);
}

#[test]
fn only_declared_variables_reach_the_command_of_a_named_profile() {
    let home = home_with(
        "pass_env = [\"WANTED\"]\nenv = { OWN = \"o\" }",
        "env > env.part; pwd >> env.part; echo \"$1\" >> env.part; mv env.part env; exec sleep 60",
    );
    let _gateway = home.start_with(&[
        ("HERMES_S6_SUPERVISED_CHILD", "1"),
        ("HERMES_GATEWAY_PORT", "1"),
        ("TOKEN", "the default's"),
        ("WANTED", "w"),
    ]);
    eventually("the command's report", || home.path("env").exists());
    let report = std::fs::read_to_string(home.path("env")).expect("a report");
    let has = |line: &str| report.lines().any(|one| one == line);
    assert!(has("OWN=o") && has("WANTED=w") && has("HERMES_PROFILE=coder"), "{report}");
    assert!(has(&format!("HERMES_GATEWAY_PORT={}", home.port)), "{report}");
    assert!(has(&format!("HERMES_HOME={}", home.dir.path().display())), "{report}");
    assert!(has(home.path("").display().to_string().trim_end_matches('/')), "{report}");
    assert!(has("an argument"), "{report}");
    assert!(!report.contains("TOKEN") && !report.contains("SUPERVISED"), "{report}");
}

#[test]
fn a_stop_reaches_the_whole_group_of_the_command() {
    let home = home_with("", "sleep 60 & echo $! > grandchild; trap 'exit 5' TERM; wait");
    let gateway = home.start_and_wait();
    let grandchild = number_in(&home.path("grandchild"));
    let (code, _) = gateway.stop(&home);
    assert_eq!((code, home.gateway_state().as_str()), (0, "stopped"));
    eventually("the grandchild's end", || !is_alive(grandchild));
}

#[test]
fn a_command_that_ignores_the_stop_is_killed_after_its_drain_time() {
    let home = home_with(
        "drain_timeout = \"300ms\"",
        "trap '' TERM; echo $$ > pid; while :; do sleep 1; done",
    );
    let gateway = home.start_and_wait();
    let pid = number_in(&home.path("pid"));
    let (code, notes) = gateway.stop(&home);
    assert_eq!((code, home.gateway_state().as_str()), (0, "stopped"));
    assert!(notes.contains("kills the command, which does not end by itself"), "{notes}");
    assert!(!is_alive(pid));
}

#[test]
fn a_command_says_on_descriptor_3_that_it_is_ready() {
    let home = home_with(
        "ready = \"fd\"",
        "while ! [ -e go ]; do sleep 0.02; done; echo >&3; exec 3>&-; exec sleep 60",
    );
    let gateway = home.start();
    home.wait_for("starting");
    std::fs::write(home.path("go"), "").expect("a file");
    home.wait_for("running");
    assert_eq!(gateway.stop(&home).0, 0);
}

#[test]
fn a_command_is_ready_when_its_health_says_so() {
    let home = home_with("ready = \"http\"", "exec sleep 60");
    let gateway = home.start();
    home.wait_for("starting");
    let listener = TcpListener::bind(("127.0.0.1", home.port)).expect("free");
    for answer in ["HTTP/1.1 503 Not Yet\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        assert_eq!(home.gateway_state(), "starting");
        let (mut client, _) = listener.accept().expect("it asks");
        let mut request = [0; 1024];
        let length = client.read(&mut request).expect("a request");
        assert!(request[..length].starts_with(b"GET /health HTTP/1.1\r\n"));
        client.write_all(answer.as_bytes()).expect("it goes");
    }
    home.wait_for("running");
    assert_eq!(gateway.stop(&home).0, 0);
}

#[rstest]
#[case::says_nothing("fd", "echo $$ > pid; exec sleep 60")]
#[case::closes_it("fd", "exec 3>&-; echo $$ > pid; exec sleep 60")]
#[case::nobody_listens("http", "echo $$ > pid; exec sleep 60")]
fn a_command_that_is_not_ready_in_time_is_ended(#[case] ready: &str, #[case] script: &str) {
    let home = home_with(&format!("ready = \"{ready}\"\nready_timeout = \"400ms\""), script);
    let gateway = home.start();
    let pid = number_in(&home.path("pid"));
    let (code, notes) = gateway.end();
    assert_eq!((code, home.gateway_state().as_str()), (1, "startup_failed"), "{notes}");
    assert_eq!(home.state()["exit_reason"], "the command was not ready within 0.4 s");
    assert!(!is_alive(pid));
}

#[test]
fn a_command_that_ends_before_it_is_ready_has_failed_to_start() {
    let home = home_with("ready = \"fd\"", "exit 4");
    assert_eq!((home.start().end().0, home.gateway_state().as_str()), (4, "startup_failed"));
}

#[test]
fn a_stop_during_the_start_ends_stopped() {
    let home = home_with("ready = \"fd\"", "exec sleep 60");
    let gateway = home.start();
    eventually("the command's note", || {
        std::fs::read_to_string(home.path("gateway.pid"))
            .is_ok_and(|text| text.contains("child_pid"))
    });
    home.write_marker(&gateway, StopPlan::Stop);
    gateway.signal(Signal::TERM);
    assert_eq!((gateway.end().0, home.gateway_state().as_str()), (0, "stopped"));
}

#[rstest]
#[case("[\"no-such-program\"]", "the command `no-such-program` is in no directory of PATH")]
#[case("[\"./absent\"]", "the command `./absent` is no executable file")]
#[case("[\"./gateway.toml\"]", "the command `./gateway.toml` is no executable file")]
fn a_command_that_is_not_there_is_permanent(#[case] command: &str, #[case] reason: &str) {
    let home = GatewayHome::new(&format!("command = {command}"));
    let (code, notes) = home.start().end();
    assert_eq!((code, home.gateway_state().as_str()), (78, "startup_failed"));
    assert!(notes.contains(reason), "{notes}");
}

#[test]
fn a_command_dies_with_its_gateway() {
    let home = home_with("", "echo $$ > pid; exec sleep 60");
    let gateway = home.start_and_wait();
    let pid = number_in(&home.path("pid"));
    gateway.signal(Signal::KILL);
    assert_eq!(gateway.end().0, 137);
    eventually("the command's end", || !is_alive(pid));
}
