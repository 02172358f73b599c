//! The first signal says how a gateway ends, and the marker says what was planned.

use std::io::Write as _;
use std::net::TcpStream;

use hermes::record::marker::StopPlan;
use rstest::rstest;
use rustix::process::Signal;

use super::GatewayHome;

#[rstest]
#[case::planned_stop(Some(StopPlan::Stop), Signal::TERM, 0, "stopped")]
#[case::planned_restart(Some(StopPlan::Restart), Signal::TERM, 75, "running")]
#[case::unplanned(None, Signal::TERM, 143, "running")]
#[case::hang_up(None, Signal::HUP, 129, "running")]
#[case::interrupt(None, Signal::INT, 0, "stopped")]
fn a_gateway_ends_as_planned(
    #[case] plan: Option<StopPlan>,
    #[case] signal: Signal,
    #[case] code: i32,
    #[case] word: &str,
) {
    let home = GatewayHome::new("");
    let gateway = home.start_and_wait();
    if let Some(plan) = plan {
        home.write_marker(&gateway, plan);
    }
    gateway.signal(signal);
    assert_eq!((gateway.end().0, home.gateway_state().as_str()), (code, word));
    assert!(!home.path(".gateway-planned-stop.json").exists(), "the marker is used up");
    assert!(!home.path("gateway.pid").exists(), "no gateway lives here");
    assert!(home.path(".gateway.lock").exists(), "the lock file stays");
    assert!(home.state().get("pid").is_none(), "{}", home.state());
}

/// Keeps a gateway draining: a request that never becomes complete.
fn linger(home: &GatewayHome) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", home.port)).expect("it listens");
    client.write_all(b"GET /").expect("it goes");
    home.send_request("GET /health HTTP/1.1\r\n\r\n");
    client
}

#[test]
fn later_signals_change_nothing_about_a_planned_stop() {
    let home = GatewayHome::new("drain_timeout = \"1s\"");
    let gateway = home.start_and_wait();
    let _client = linger(&home);
    home.write_marker(&gateway, StopPlan::Stop);
    gateway.signal(Signal::TERM);
    home.wait_for("draining");
    gateway.signal(Signal::TERM);
    gateway.signal(Signal::HUP);
    assert_eq!((gateway.end().0, home.gateway_state().as_str()), (0, "stopped"));
}

#[test]
fn a_marker_that_comes_too_late_changes_nothing() {
    let home = GatewayHome::new("drain_timeout = \"1s\"");
    let gateway = home.start_and_wait();
    let _client = linger(&home);
    gateway.signal(Signal::TERM);
    home.wait_for("draining");
    home.write_marker(&gateway, StopPlan::Stop);
    gateway.signal(Signal::TERM);
    assert_eq!((gateway.end().0, home.gateway_state().as_str()), (143, "running"));
}

#[test]
fn a_marker_that_names_another_process_is_left_alone() {
    let home = GatewayHome::new("");
    let gateway = home.start_and_wait();
    home.write_marker_for_pid(std::process::id(), StopPlan::Stop);
    gateway.signal(Signal::TERM);
    assert_eq!((gateway.end().0, home.gateway_state().as_str()), (143, "running"));
    assert!(home.path(".gateway-planned-stop.json").exists());
}

#[test]
fn a_bad_configuration_is_permanent_and_named_with_its_place() {
    let home = GatewayHome::new("");
    home.configure("port = 1\nprot = 2\n");
    let (code, notes) = home.start().end();
    assert_eq!((code, home.gateway_state().as_str()), (78, "startup_failed"));
    assert!(notes.contains("line 2, column 1: unknown field `prot`"), "{notes}");
    assert!(home.state()["exit_reason"].as_str().is_some_and(|reason| notes.contains(reason)));
}

#[test]
fn keys_of_others_survive_in_the_state_file() {
    let home = GatewayHome::new("");
    std::fs::write(home.path("gateway_state.json"), r#"{"theirs":[1],"gateway_state":"running"}"#)
        .expect("a state file");
    let gateway = home.start();
    super::eventually("our pid", || home.state()["pid"] == gateway.child.id());
    home.wait_for("running");
    gateway.stop(&home);
    assert_eq!(home.state()["theirs"], serde_json::json!([1]));
    assert_eq!(home.gateway_state(), "stopped");
}
