//! The state machine of s6-supervise: sequences 34 to 63.

use hermes::host::effect::Signal;
use hermes_sim::machine::world::S6Version;
use rstest::rstest;

use super::harness::{S6Machine, V2_11, V2_13, V2_15};

/// One service, traced from its first run on.
pub fn watched(version: S6Version, program: &str) -> S6Machine {
    let mut machine = S6Machine::with(version, &[("a", program)]);
    machine.watch("a");
    machine
}

/// The status records since the trace began.
pub fn trace(machine: &mut S6Machine) -> Vec<String> {
    std::mem::take(&mut machine.trace)
}

#[rstest]
#[case(V2_11, &["-FW-", "--WR"])]
#[case(V2_13, &["--WR"])]
#[case(V2_15, &["--WR"])]
fn seq_34_term_restarts(#[case] version: S6Version, #[case] expected: &[&str]) {
    let mut machine = watched(version, "agent");
    machine.svc("-t", "a");
    assert_eq!(trace(&mut machine), expected);
    machine.pass(999);
    assert!(!machine.is_up("a"));
    machine.pass(1);
    assert_eq!(trace(&mut machine), ["--W- up"]);
}

#[rstest]
fn seq_35_down_and_up_at_once(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = watched(version, "agent");
    machine.svc("-d", "a");
    assert_eq!(machine.trace.first().map(String::as_str), Some("---- up"));
    assert_eq!(machine.trace.last().map(String::as_str), Some("---R"));
    machine.pass(500);
    machine.svc("-u", "a");
    assert!(machine.is_up("a"));
}

#[rstest]
#[case::seq_36("-du", true)]
#[case::seq_37("-ud", false)]
fn seq_36_37_two_letters(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
    #[case] letters: &str,
    #[case] comes_back: bool,
) {
    let mut machine = watched(version, "agent");
    machine.svc(letters, "a");
    assert!(!machine.is_up("a"));
    machine.pass(900);
    assert!(!machine.is_up("a"));
    machine.pass(100);
    assert_eq!(machine.is_up("a"), comes_back);
}

#[rstest]
fn seq_38_signals_without_a_process(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = watched(version, "agent");
    machine.svc("-d", "a");
    trace(&mut machine);
    machine.svc("-trkhpc", "a");
    machine.pass(5000);
    assert_eq!(trace(&mut machine), Vec::<String>::new());
    assert!(!machine.is_up("a"));
}

#[rstest]
fn seq_39_once(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = watched(version, "agent");
    machine.svc("-d", "a");
    machine.svc("-o", "a");
    assert_eq!(machine.fields("up,wantedup", "a"), "true false");
    machine.svc("-k", "a");
    machine.pass(5000);
    assert!(!machine.is_up("a"));
}

#[rstest]
fn seq_40_no_more_after_this(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
    #[values("-o", "-O")] letters: &str,
) {
    let mut machine = watched(version, "agent");
    machine.svc(letters, "a");
    assert!(machine.is_up("a"));
    machine.svc("-k", "a");
    machine.pass(5000);
    assert_eq!(machine.fields("up,wantedup,signum", "a"), "false false 9");
}

#[rstest]
fn seq_41_42_paused(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = watched(version, "agent");
    let pid = machine.pid("a");
    machine.svc("-p", "a");
    machine.svc("-t", "a");
    assert_eq!((machine.fields("paused", "a"), machine.pid("a")), ("true".into(), pid));
    machine.svc("-c", "a");
    assert!(!machine.is_up("a"));
    machine.pass(1000);
    machine.svc("-p", "a");
    machine.svc("-d", "a");
    assert_eq!(machine.fields("up,paused", "a"), "false false");
}

#[rstest]
fn seq_43_leaves_with_its_service(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = watched(version, "agent");
    let before = machine.supervisor("a");
    machine.svc("-x", "a");
    assert!(machine.is_up("a"));
    machine.svc("-t", "a");
    machine.pass(2000);
    assert_ne!(machine.supervisor("a"), before);
    assert!(machine.is_up("a"));
}

#[rstest]
fn seq_44_45_what_lasts(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = watched(version, "agent");
    machine.svc("-dx", "a");
    machine.pass(2000);
    assert!(machine.is_up("a"), "-d is forgotten");
    machine.svc("-D", "a");
    assert!(machine.exists("a/down"));
    machine.svc("-x", "a");
    machine.pass(2000);
    assert!(!machine.is_up("a"), "-D is not");
    machine.svc("-U", "a");
    assert!(machine.is_up("a") && !machine.exists("a/down"));
}

#[rstest]
#[case(V2_11, true)]
#[case(V2_13, true)]
#[case(V2_15, false)]
fn seq_46_the_letter_that_was_lost(#[case] version: S6Version, #[case] works: bool) {
    let mut machine = watched(version, "agent");
    machine.svc("-Q", "a");
    assert_eq!(machine.exists("a/down"), works);
    assert_eq!(machine.fields("up,wantedup", "a"), format!("true {}", !works));
}

#[rstest]
fn seq_47_48_the_down_file(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "agent");
    machine.file("a/down", "");
    machine.boot(&[]);
    assert_eq!(machine.fields("up,wantedup,normallyup", "a"), "false false false");
    machine.svc("-u", "a");
    machine.svc("-k", "a");
    machine.pass(1000);
    assert!(machine.is_up("a"));
    let supervisor = machine.supervisor("a");
    machine.kill(supervisor, Signal::TERM);
    machine.pass(2000);
    assert!(!machine.is_up("a"));
    machine.remove("a/down");
    machine.settle();
    assert_eq!(machine.fields("up,normallyup", "a"), "false true");
}

#[rstest]
fn seq_49_a_crash_loop(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = watched(version, "crash");
    machine.pass(5000);
    let starts = machine.trace.iter().filter(|it| it.ends_with("up")).count();
    assert_eq!(starts, 4);
    machine.svc("-d", "a");
    machine.pass(1000);
    trace(&mut machine);
    for _ in 0..3 {
        machine.svc("-u", "a");
        machine.pass(20);
    }
    assert_eq!(machine.trace.iter().filter(|it| *it == "--W- up").count(), 3);
}

#[rstest]
#[case::ready_long_ago(2000, true)]
#[case::just_ready(200, false)]
fn seq_50_readiness(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
    #[case] after: u64,
    #[case] at_once: bool,
) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "ready");
    machine.file("a/notification-fd", "3\n");
    machine.boot(&[]);
    assert_eq!(machine.fields("up,ready", "a"), "true false");
    machine.pass(after);
    assert_eq!(machine.fields("up,ready", "a"), "true true");
    machine.svc("-t", "a");
    assert_eq!(machine.is_up("a"), at_once);
    machine.pass(1000);
    assert!(machine.is_up("a"));
}

#[rstest]
#[case("zero", "0 0")]
#[case("three", "3 0")]
#[case("agent", "256 9")]
fn seq_51_the_arguments_of_finish(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
    #[case] program: &str,
    #[case] end: &str,
) {
    let mut machine = S6Machine::new(version);
    machine.service("a", program);
    machine.file("a/finish", "#!/bin/sh\nexec /usr/bin/hang \"$@\"\n");
    machine.file("a/timeout-finish", "0\n");
    machine.boot(&[]);
    let pid = machine.pid("a");
    machine.pass(20);
    machine.svc("-k", "a");
    let group = if version == V2_11 { String::new() } else { format!(" {pid}") };
    assert_eq!(machine.words_of("hang"), format!("{end} a{group}"));
}

#[rstest]
fn seq_52_permanent_failure(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "three");
    machine.file("a/finish", "#!/bin/sh\nexit 125\n");
    machine.boot(&[]);
    machine.watch("a");
    machine.pass(5000);
    assert_eq!(machine.trace, ["-FW-", "---R"]);
    assert_eq!(machine.fields("up,wantedup,exitcode", "a"), "false false 3");
}

#[rstest]
fn seq_53_a_finish_that_hangs(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "zero");
    machine.file("a/finish", "#!/bin/sh\nexec /usr/bin/hang\n");
    machine.file("a/timeout-finish", "700\n");
    machine.boot(&[]);
    machine.watch("a");
    machine.pass(700);
    assert_eq!(machine.trace, ["-FW-"]);
    machine.pass(20);
    assert_eq!(machine.trace, ["-FW-", "--WR"]);
}
