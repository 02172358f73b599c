//! A gateway that keeps failing waits before it tries again; a new request of the operator, and time, reset the count.

use std::time::{Duration, Instant};

use hermes::record::marker::StopPlan;
use rustix::process::Signal;

use super::{GatewayHome, number_in};

const SLOW: &str = "command = [\"/bin/false\"]\n[restart]\ndelay = \"1h\"\ndelay_max = \"1h\"\n";

#[test]
fn a_second_start_waits_and_a_stop_ends_the_wait() {
    let home = GatewayHome::new(SLOW);
    home.write_intent(1);
    assert_eq!(home.start().end().0, 1);
    assert_eq!(home.state()["failures"], 1);
    let gateway = home.start();
    home.wait_for("starting");
    assert_eq!(home.state()["exit_reason"], "the command exited with code 1");
    let (code, notes) = gateway.stop(&home);
    assert_eq!((code, home.gateway_state().as_str()), (0, "stopped"));
    assert!(notes.contains("after failure 1: the command exited with code 1"), "{notes}");
    assert_eq!(home.state()["failures"], 1);
}

#[test]
fn an_unplanned_signal_during_the_wait_leaves_running_for_the_next_boot() {
    let home = GatewayHome::new(SLOW);
    home.start().end();
    let gateway = home.start();
    home.wait_for("starting");
    gateway.signal(Signal::TERM);
    assert_eq!((gateway.end().0, home.gateway_state().as_str()), (143, "running"));
    assert_eq!(home.state()["failures"], 1);
    assert_eq!(home.state()["exit_reason"], "the command exited with code 1");
}

#[test]
fn a_new_word_of_the_operator_clears_the_slate() {
    let home = GatewayHome::new(SLOW);
    home.write_intent(1);
    assert_eq!(home.start().end().0, 1);
    home.write_intent(2);
    assert_eq!(home.start().end().0, 1, "it did not wait");
    assert_eq!(home.state()["failures"], 1);
    let waiting = home.start();
    home.wait_for("starting");
    home.write_intent(3);
    assert_eq!(waiting.end().0, 1, "it waits no longer");
    assert_eq!(home.state()["failures"], 1);
}

#[test]
fn the_wait_ends_by_itself_and_failures_add_up_to_a_permanent_one() {
    let home = GatewayHome::new(
        "command = [\"/bin/false\"]\n[restart]\ndelay = \"300ms\"\nfailures_max = 3\n",
    );
    assert_eq!(home.start().end().0, 1);
    let start = Instant::now();
    assert_eq!(home.start().end().0, 1);
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
    assert_eq!((home.start().end().0, home.gateway_state().as_str()), (78, "startup_failed"));
    let (code, notes) = home.start().end();
    assert_eq!(code, 78);
    assert!(notes.contains("failed 3 times in a row"), "{notes}");
}

#[test]
fn a_gateway_killed_soon_after_its_start_has_failed() {
    let home = GatewayHome::new("[restart]\ndelay = \"1h\"\ndelay_max = \"1h\"\n");
    let gateway = home.start_and_wait();
    gateway.signal(Signal::KILL);
    gateway.end();
    let gateway = home.start();
    home.wait_for("starting");
    assert_eq!(home.state()["failures"], 1);
    gateway.signal(Signal::INT);
    assert_eq!(gateway.end().0, 0);
}

#[test]
fn a_container_that_ends_is_no_failure_of_its_gateway() {
    let home = GatewayHome::new("[restart]\ndelay = \"1h\"\ndelay_max = \"1h\"\n");
    let gateway = home.start_and_wait();
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().0, 143);
    let gateway = home.start_and_wait();
    gateway.signal(Signal::KILL);
    gateway.end();
    // As another boot would find it.
    let path = home.path("gateway_state.json");
    let mut state = home.state();
    state["boot_id"] = "another".into();
    std::fs::write(path, state.to_string()).expect("a state file");
    let gateway = home.start();
    super::eventually("a new start", || home.state()["boot_id"] != "another");
    home.wait_for("running");
    assert!(home.state().get("failures").is_none(), "{}", home.state());
    home.write_marker(&gateway, StopPlan::Stop);
}

#[test]
fn running_long_enough_clears_the_slate() {
    let home = GatewayHome::new(
        "command = [\"./bot\"]\n[restart]\ndelay = \"100ms\"\nstable_after = \"300ms\"\n",
    );
    home.script("bot", "[ -e good ] || exit 1; echo $$ > pid; exec sleep 60");
    assert_eq!(home.start().end().0, 1);
    assert_eq!(home.state()["failures"], 1);
    std::fs::write(home.path("good"), "").expect("a file");
    let gateway = home.start();
    let pid = number_in(&home.path("pid"));
    super::eventually("forgiveness", || home.state().get("failures").is_none());
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, Signal::KILL).expect("the command is alive");
    assert_eq!((gateway.end().0, home.gateway_state().as_str()), (137, "running"));
    assert!(home.state().get("failures").is_none(), "{}", home.state());
}
