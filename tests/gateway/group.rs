//! A command is its whole process group: no process of it outlives its gateway, and no other process is touched.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rstest::rstest;
use rustix::process::Signal;

use super::{GatewayHome, GatewayProcess, eventually, is_alive, number_in};

/// A wrapper that starts a member, which reports its pid once its trap is set. It ends with the home of a failed test.
fn wrapper(trap: &str, then: &str) -> String {
    format!(
        "sh -c 'trap \"{trap}\" TERM; echo $$ > member; while [ -e member ]; do sleep 0.05; done' &\n\
         while ! [ -s member ]; do sleep 0.02; done; {then}"
    )
}

fn home_with(config: &str, script: &str) -> GatewayHome {
    let home = GatewayHome::new(&format!("command = [\"./bot\"]\n{config}"));
    home.script("bot", script);
    home
}

fn stop(gateway: GatewayProcess, home: &GatewayHome) -> (Duration, String) {
    let start = Instant::now();
    let (code, notes) = gateway.stop(home);
    assert_eq!((code, home.gateway_state().as_str()), (0, "stopped"), "{notes}");
    (start.elapsed(), notes)
}

#[test]
fn a_member_that_ignores_the_stop_is_killed_after_the_drain_time() {
    let home = home_with("drain_timeout = \"500ms\"", &wrapper("", "wait"));
    let gateway = home.start_and_wait();
    let member = number_in(&home.path("member"));
    let (took, notes) = stop(gateway, &home);
    assert!(!is_alive(member), "{notes}");
    assert!(notes.contains("kills what its command left"), "{notes}");
    assert!(took >= Duration::from_millis(500) && took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_member_that_drains_is_waited_for() {
    let script = wrapper("sleep 1; echo > drained; exit", "wait");
    let home = home_with("drain_timeout = \"8s\"", &script);
    let gateway = home.start_and_wait();
    let member = number_in(&home.path("member"));
    let (took, notes) = stop(gateway, &home);
    assert!(home.path("drained").exists() && !is_alive(member), "{notes}");
    assert!(!notes.contains("kills"), "{notes}");
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(6), "{took:?}");
}

#[rstest]
#[case::hears("echo > told; exit", true)]
#[case::ignores("", false)]
fn a_leader_that_ends_by_itself_does_not_leave_its_members(
    #[case] trap: &str,
    #[case] hears: bool,
    #[values("none", "fd")] ready: &str,
) {
    let config = format!("drain_timeout = \"500ms\"\nready = \"{ready}\"");
    let home = home_with(&config, &wrapper(trap, "exit 3"));
    let gateway = home.start();
    let member = number_in(&home.path("member"));
    let (code, notes) = gateway.end();
    assert!(!is_alive(member), "{notes}");
    assert_eq!(home.path("told").exists(), hears, "{notes}");
    assert_eq!(notes.contains("kills what its command left"), !hears, "{notes}");
    assert_eq!(code, 3, "{notes}");
    assert_eq!(home.state()["exit_reason"], "the command exited with code 3");
}

#[test]
fn a_stop_while_the_members_of_an_ended_leader_drain_is_still_a_planned_one() {
    let home = home_with("drain_timeout = \"2s\"", &wrapper("echo > told", "exit 3"));
    let gateway = home.start();
    eventually("the member is told to end", || home.path("told").exists());
    let member = number_in(&home.path("member"));
    stop(gateway, &home);
    assert!(!is_alive(member));
}

#[test]
fn a_command_alone_in_its_group_is_not_waited_for() {
    let home = home_with("drain_timeout = \"60s\"", "echo $$ > member; exec sleep 60");
    let gateway = home.start_and_wait();
    number_in(&home.path("member"));
    let (took, notes) = stop(gateway, &home);
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(!notes.contains("left"), "{notes}");
}

#[test]
fn the_members_that_a_killed_gateway_left_end_before_the_next_command_starts() {
    let home = home_with("[restart]\ndelay = 0\n", &wrapper("", "wait"));
    let gateway = home.start_and_wait();
    let member = number_in(&home.path("member"));
    gateway.signal(Signal::KILL);
    assert_eq!(gateway.end().0, 137);
    assert!(is_alive(member), "no other process ends it");
    home.script(
        "bot",
        &format!(
            "grep -qs '^State:[[:space:]]*[^ZX[:space:]]' /proc/{member}/status && echo > overlap\n\
             echo $$ > second; exec sleep 60"
        ),
    );
    let gateway = home.start();
    number_in(&home.path("second"));
    let overlap = home.path("overlap").exists();
    let (_, notes) = gateway.stop(&home);
    assert!(!overlap && !is_alive(member), "{notes}");
    assert!(notes.contains(&format!("kills process {member}, which a dead gateway left")));
}

/// A group outside all gateways: a leader, which lives as long as its member or ends at once, and the member.
fn stray(home: &GatewayHome, lives: bool) -> (Child, i32) {
    let then = if lives { "wait" } else { "exit" };
    let leader = Command::new("/bin/sh")
        .args(["-c", &format!("sleep 60 & echo $! > stray; {then}")])
        .current_dir(home.path(""))
        .process_group(0)
        .spawn()
        .expect("sh starts");
    let member = number_in(&home.path("stray"));
    (leader, member)
}

/// As a gateway would have recorded it: `later` than it started.
fn note(home: &GatewayHome, leader: u32, later: u64) {
    let gateway = home.start_and_wait();
    let path = home.path("gateway.pid");
    eventually("a note", || path.exists());
    let text = std::fs::read_to_string(&path).expect("a note");
    gateway.signal(Signal::KILL);
    gateway.end();
    let stat = std::fs::read_to_string(format!("/proc/{leader}/stat")).expect("not yet reaped");
    let start = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19));
    let start: u64 = start.expect("a field").parse().expect("a number");
    let mut noted: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    noted["child_pid"] = leader.into();
    noted["child_start_time"] = (start + later).into();
    std::fs::write(path, noted.to_string()).expect("a note");
}

/// The state file says "running" about the gateway before.
fn start_again(home: &GatewayHome) -> GatewayProcess {
    let gateway = home.start();
    eventually("a new start", || home.state()["pid"] == gateway.child.id());
    gateway
}

#[rstest]
#[case::with_its_leader(true, 0, true)]
#[case::without_its_leader(false, 0, true)]
#[case::of_another_leader_with_its_number(true, 1, false)]
fn of_a_noted_group_all_are_killed_and_of_another_nobody(
    #[case] lives: bool,
    #[case] later: u64,
    #[case] killed: bool,
) {
    let home = GatewayHome::new("[restart]\ndelay = 0\n");
    let (mut leader, member) = stray(&home, lives);
    note(&home, leader.id(), later);
    let gateway = start_again(&home);
    let leader_lives = is_alive(i32::try_from(leader.id()).expect("a pid"));
    assert_eq!((leader_lives, is_alive(member)), (!killed, !killed));
    drop(gateway);
    if !killed {
        let group = rustix::process::Pid::from_child(&leader);
        rustix::process::kill_process_group(group, Signal::KILL).expect("not yet reaped");
    }
    leader.wait().expect("our child");
}

#[test]
fn members_older_than_the_noted_leader_are_left_alone() {
    let home = GatewayHome::new("[restart]\ndelay = 0\n");
    let (mut leader, member) = stray(&home, false);
    note(&home, leader.id(), 1_000_000);
    leader.wait().expect("our child");
    let _gateway = start_again(&home);
    assert!(is_alive(member));
    let member = rustix::process::Pid::from_raw(member).expect("a pid");
    rustix::process::kill_process(member, Signal::KILL).expect("it is alive");
}
