//! s6-supervise: letters during finish, its own end and what outlives it, signals, and files that exist before its start.

use hermes::host::effect::Signal;
use hermes_sim::machine::world::S6Version;
use rstest::rstest;

use super::harness::{S6Machine, V2_11, V2_13, V2_15};
use super::supervise::{trace, watched};

#[rstest]
fn seq_54_letters_during_finish(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "zero");
    machine.file("a/finish", "#!/bin/sh\nexec /usr/bin/slow\n");
    machine.boot(&[]);
    machine.watch("a");
    machine.pass(100);
    for letters in ["-d", "-u", "-k"] {
        machine.svc(letters, "a");
    }
    assert_eq!(machine.trace, ["-FW-", "-F--", "-FW-"]);
    machine.pass(2000);
    assert_eq!(machine.trace.last().map(String::as_str), Some("--WR"));
}

#[rstest]
#[case::up("agent", 0)]
#[case::down("crash", 500)]
fn seq_55_term_to_the_supervisor(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
    #[case] program: &str,
    #[case] after: u64,
) {
    let mut machine = watched(version, program);
    machine.pass(after);
    let before = machine.supervisor("a");
    machine.kill(before, Signal::TERM);
    machine.pass(3000);
    assert_ne!(machine.supervisor("a"), before);
    assert!(machine.count(program) <= 1);
}

#[rstest]
fn seq_56_hup_waits_for_the_service(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = watched(version, "agent");
    let (supervisor, pid) = (machine.supervisor("a"), machine.pid("a"));
    machine.kill(supervisor, Signal::HUP);
    machine.pass(3000);
    assert_eq!((machine.supervisor("a"), machine.pid("a")), (supervisor, pid));
    machine.svc("-k", "a");
    machine.pass(2000);
    assert_ne!(machine.supervisor("a"), supervisor);
}

#[rstest]
#[case::seq_57(Signal::QUIT, 2)]
#[case::seq_58(Signal::INT, 1)]
#[case::seq_59(Signal::KILL, 2)]
fn seq_57_58_59_the_supervisor_goes_at_once(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
    #[case] signal: Signal,
    #[case] instances: usize,
) {
    let mut machine = watched(version, "agent");
    machine.pass(500);
    let before = machine.contents("a/supervise/status");
    let supervisor = machine.supervisor("a");
    hermes_sim::machine::kernel::signals::deliver(&mut machine.world, supervisor, signal);
    while machine.supervisors() == ["a"] && machine.one_step() {}
    let dir = machine.path("a").display().to_string();
    if machine.supervisors().is_empty() {
        assert_eq!(machine.contents("a/supervise/status"), before, "the record is stale");
        assert_eq!(machine.tool("s6-svstat", &[&dir]).0, 1);
        assert_eq!(machine.tool("s6-svok", &[&dir]).0, 1);
    }
    machine.pass(2000);
    assert_eq!((machine.supervisors().len(), machine.count("agent")), (1, instances));
}

#[rstest]
#[case("-d", 500, false)]
#[case("-t", 5000, true)]
#[case("-du", 500, false)]
fn seq_60_timeout_kill(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
    #[case] letters: &str,
    #[case] after: u64,
    #[case] survives: bool,
) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "stubborn");
    machine.file("a/timeout-kill", "500\n");
    machine.boot(&[]);
    machine.svc(letters, "a");
    machine.pass(after - 1);
    assert!(machine.is_up("a"));
    machine.pass(1);
    assert_eq!(machine.is_up("a"), survives);
    machine.pass(1000);
    assert_eq!(machine.is_up("a"), letters != "-d");
}

#[rstest]
#[case("USR1\n", "7 -1")]
#[case("SIGUSR1", "7 -1")]
#[case("10", "7 -1")]
#[case("bogus", "-1 15")]
fn seq_61_the_down_signal(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
    #[values("-r", "-d")] letters: &str,
    #[case] text: &str,
    #[case] end: &str,
) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "usr1");
    machine.file("a/down-signal", text);
    machine.boot(&[]);
    machine.svc(letters, "a");
    assert_eq!(machine.fields("exitcode,signum", "a"), end);
    machine.pass(2000);
    assert_eq!(machine.is_up("a"), letters == "-r");
}

#[rstest]
fn seq_62_63_a_stopped_supervisor(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = watched(version, "agent");
    let supervisor = machine.supervisor("a");
    machine.kill(supervisor, Signal(19));
    machine.svc("-d", "a");
    assert!(machine.is_up("a"));
    machine.kill(supervisor, Signal(18));
    assert!(!machine.is_up("a"));
    // SIGTERM takes effect before a letter that was sent earlier.
    machine.kill(supervisor, Signal(19));
    machine.svc("-u", "a");
    trace(&mut machine);
    hermes_sim::machine::kernel::signals::deliver(&mut machine.world, supervisor, Signal::TERM);
    hermes_sim::machine::kernel::signals::deliver(&mut machine.world, supervisor, Signal(18));
    while machine.world.process(supervisor).is_some_and(|it| it.is_alive()) && machine.one_step() {}
    assert_eq!(machine.count("agent"), 0);
}

#[rstest]
fn its_files_have_the_measured_modes(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let machine = watched(version, "agent");
    let names = ["event", "supervise", "supervise/control", "supervise/lock", "supervise/status"];
    let modes = names.map(|name| machine.mode(&format!("a/{name}")));
    assert_eq!(modes, [0o3730, 0o700, 0o600, 0o644, 0o644]);
    assert_eq!(machine.mode("a/supervise/death_tally"), 0o644);
}

#[rstest]
fn seq_64_existing_files_keep_their_modes(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "agent");
    let root = machine.root();
    let (supervise, control) = (machine.path("a/supervise"), machine.path("a/supervise/control"));
    machine.world.disk.put_dir(root, &supervise, 0o710, 0, 10000);
    machine.world.disk.put_fifo(root, &control, 0o620, 0, 10000);
    machine.boot(&[]);
    assert_eq!((machine.mode("a/supervise"), machine.mode("a/supervise/control")), (0o710, 0o620));
    let hermes = machine.born(10000, 3);
    let dir = machine.path("a").display().to_string();
    assert_eq!(machine.tool_as(hermes, "s6-svc", &["-d", &dir]).0, 0);
    assert_eq!(machine.tool_as(hermes, "s6-svstat", &[&dir]).0, 0);
}

#[rstest]
fn seq_66_67_another_file_has_the_name(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    for name in ["a/event", "a/supervise", "a/supervise/control"] {
        let mut machine = S6Machine::new(version);
        machine.service("a", "agent");
        machine.file(name, "");
        machine.boot(&[]);
        machine.pass(3000);
        assert_eq!(machine.count("agent"), 0, "{name}");
        machine.remove(name);
        machine.pass(2000);
        assert_eq!(machine.count("agent"), 1, "{name}");
    }
}

#[rstest]
fn seq_76_without_its_lock_a_second_one_starts(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = watched(version, "agent");
    machine.remove("a/supervise/lock");
    let dir = machine.path("a").display().to_string();
    assert_eq!(machine.tool("s6-svok", &[&dir]).0, 1);
}

#[rstest]
fn two_stamps_differ_while_time_stands_still(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = watched(version, "agent");
    let first = machine.fields("updownsince", "a");
    machine.svc("-d", "a");
    machine.svc("-u", "a");
    assert_ne!(machine.fields("updownsince", "a"), first);
}

#[rstest]
fn each_window_of_a_start_is_observable(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[]);
    machine.service("a", "agent");
    let dir = machine.path("a").display().to_string();
    let scan_dir = machine.path("").display().to_string();
    machine.tool("s6-svscanctl", &["-a", &scan_dir]);
    let mut answers = Vec::new();
    loop {
        let answer = machine.tool("s6-svc", &["-O", &dir]);
        let text = if answer.0 == 0 { "accepted" } else { answer.1.rsplit(' ').next().unwrap() };
        if answers.last().map(String::as_str) != Some(text) {
            answers.push(text.to_owned());
        }
        if answer.0 == 0 || !machine.one_step() {
            break;
        }
    }
    assert_eq!(answers, ["listening", "directory", "accepted"]);
}
