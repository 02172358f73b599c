//! One live gateway a profile.

use rustix::process::Signal;

use super::{GatewayHome, eventually, is_alive, number_in};

#[test]
fn a_second_gateway_is_refused_and_touches_nothing() {
    let home = GatewayHome::new("");
    let first = home.start_and_wait();
    let before = home.state();
    let (code, notes) = home.start().end();
    assert_eq!(code, 1);
    let reason = format!("another gateway of this profile runs as process {}", first.child.id());
    assert!(notes.contains(&reason), "{notes}");
    assert_eq!(home.state(), before);
    let health = home.send_request("GET /health HTTP/1.1\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
}

#[test]
fn a_bad_configuration_beside_a_live_gateway_leaves_its_state_alone() {
    let home = GatewayHome::new("");
    let _first = home.start_and_wait();
    home.configure("nonsense");
    assert_eq!((home.start().end().0, home.gateway_state().as_str()), (78, "running"));
}

#[test]
fn a_supervised_gateway_takes_over_from_an_orphan() {
    let home = GatewayHome::new("");
    let orphan = home.start_supervised();
    home.wait_for("running");
    let heir = home.start_supervised();
    assert_eq!(orphan.end().0, 143);
    eventually("the heir's pid", || home.state()["pid"] == heir.child.id());
    home.wait_for("running");
    let (code, notes) = heir.stop(&home);
    assert_eq!(code, 0);
    assert!(notes.contains("whose supervisor is dead"), "{notes}");
    assert!(home.state().get("failures").is_none(), "{}", home.state());
}

#[test]
fn an_orphan_that_does_not_leave_is_killed() {
    let home = GatewayHome::new("drain_timeout = \"100ms\"");
    let orphan = home.start_supervised();
    home.wait_for("running");
    orphan.signal(Signal::STOP);
    let heir = home.start_supervised();
    assert_eq!(orphan.end().0, 137);
    eventually("the heir's pid", || home.state()["pid"] == heir.child.id());
}

#[test]
fn a_supervised_gateway_waits_for_one_that_runs_by_hand() {
    let home = GatewayHome::new("");
    let by_hand = home.start_and_wait();
    let mut waiting = home.start_supervised();
    waiting.wait_for_note("waits for its lock");
    assert_eq!(home.state()["pid"], by_hand.child.id());
    assert_eq!(by_hand.stop(&home).0, 0);
    eventually("the next one's pid", || home.state()["pid"] == waiting.child.id());
    home.wait_for("running");
    let (code, notes) = waiting.stop(&home);
    assert_eq!((code, notes.matches("waits for its lock").count()), (0, 1), "{notes}");
}

#[test]
fn a_stop_reaches_a_gateway_that_waits_for_its_lock() {
    let home = GatewayHome::new("");
    let by_hand = home.start_and_wait();
    let mut waiting = home.start_supervised();
    waiting.wait_for_note("waits for its lock");
    assert_eq!(waiting.stop(&home).0, 0);
    assert_eq!(
        (home.gateway_state().as_str(), home.state()["pid"].as_u64()),
        ("running", Some(by_hand.child.id().into()))
    );
}

#[test]
fn a_command_that_a_dead_gateway_left_is_killed() {
    let home = GatewayHome::new("command = [\"./bot\"]\n[restart]\ndelay = 0\n");
    home.script("bot", "echo $$ > pid; exec sleep 60");
    let gateway = home.start_and_wait();
    number_in(&home.path("pid"));
    let note = std::fs::read_to_string(home.path("gateway.pid")).expect("a note");
    gateway.signal(Signal::KILL);
    gateway.end();
    // The kernel ended the real child; an unrelated process stands in for one that it could not end.
    let mut stray = std::process::Command::new("sleep").arg("60").spawn().expect("sleep starts");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", stray.id())).expect("/proc");
    let start_time: u64 = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().nth(19))
        .expect("a field")
        .parse()
        .expect("a number");
    let mut noted: serde_json::Value = serde_json::from_str(&note).expect("JSON");
    noted["child_pid"] = stray.id().into();
    noted["child_start_time"] = start_time.into();
    std::fs::write(home.path("gateway.pid"), noted.to_string()).expect("a note");
    let _gateway = home.start();
    eventually("its end", || !is_alive(i32::try_from(stray.id()).expect("a pid")));
    stray.wait().expect("our child");
}
