//! The scan set: sequences 1 to 18.

use hermes::host::effect::Signal;
use hermes_sim::machine::world::S6Version;
use rstest::rstest;

use super::harness::{S6Machine, V2_11, V2_13, V2_15};

#[rstest]
fn seq_01_directories_and_links_to_them(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    for name in ["a", ".h"] {
        machine.service(name, "agent");
    }
    machine.file("file", "");
    machine.world.disk.put_dir(machine.root(), std::path::Path::new("/srv/far"), 0o755, 0, 0);
    machine.link("link", "/srv/far");
    machine.link("link-to-file", "file");
    machine.boot(&[]);
    assert_eq!(machine.supervisors(), ["a", "link"]);
    assert_eq!(machine.mode(".s6-svscan"), 0o700);
    assert_eq!(machine.mode(".s6-svscan/control"), 0o600);
}

#[rstest]
fn seq_02_two_names_of_one_directory(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    machine.service("good", "agent");
    machine.link("dup", "good");
    machine.boot(&[]);
    assert_eq!(machine.supervisors().len(), 1);
}

#[rstest]
fn seq_03_a_new_one_needs_a_scan(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.service("b", "agent");
    machine.pass(10_000);
    assert_eq!(machine.supervisors(), ["a"]);
    machine.scanctl("-a");
    assert!(machine.is_up("b"));
}

#[rstest]
#[case(V2_11, 10_000)]
#[case(V2_13, 60_000)]
#[case(V2_15, 60_000)]
fn seq_04_no_run(#[case] version: S6Version, #[case] wait: u64) {
    let mut machine = S6Machine::with(version, &[]);
    machine.dir("a");
    machine.scanctl("-a");
    assert!(!machine.is_up("a"));
    machine.service("a", "agent");
    machine.pass(wait - 1000);
    assert!(!machine.is_up("a"));
    machine.pass(1000);
    assert!(machine.is_up("a"));
}

#[rstest]
fn seq_05_a_run_that_is_not_executable(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    let path = machine.path("a/run");
    machine.world.disk.put_file(machine.root(), &path, b"#!/bin/sh\nexit 0\n", 0o644, 0, 0);
    machine.boot(&[]);
    assert!(!machine.is_up("a"));
    machine.service("a", "agent");
    machine.svc("-u", "a");
    assert!(machine.is_up("a"));
}

#[rstest]
fn seq_06_removed_and_nuked(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.remove("a");
    machine.scanctl("-a");
    assert_eq!((machine.supervisors().len(), machine.count("agent")), (1, 1));
    let dir = machine.path("a").display().to_string();
    assert_eq!(machine.tool("s6-svc", &["-d", &dir]).0, 111);
    machine.scanctl("-an");
    machine.pass(5000);
    assert_eq!((machine.supervisors().len(), machine.count("agent")), (0, 0));
}

#[rstest]
fn seq_07_a_link_removed(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    let run = std::path::Path::new("/srv/a/run");
    let text = b"#!/bin/sh\nexec /usr/bin/agent\n";
    machine.world.disk.put_file(machine.root(), run, text, 0o755, 0, 0);
    machine.link("a", "/srv/a");
    machine.boot(&[]);
    machine.remove("a");
    machine.scanctl("-n");
    assert_eq!(machine.count("agent"), 1);
    machine.scanctl("-a");
    machine.scanctl("-n");
    machine.pass(3000);
    assert_eq!((machine.supervisors().len(), machine.count("agent")), (0, 0));
}

#[rstest]
fn seq_08_made_anew(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.rename("a", "../old");
    machine.service("a", "agent");
    machine.scanctl("-a");
    assert_eq!((machine.supervisors(), machine.count("agent")), (vec!["a".into(), "a".into()], 2));
    machine.scanctl("-an");
    machine.pass(3000);
    assert_eq!((machine.supervisors().len(), machine.count("agent")), (1, 1));
}

#[rstest]
fn seq_09_renamed(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    let pid = machine.pid("a");
    machine.rename("a", "c");
    machine.scanctl("-a");
    assert_eq!((machine.supervisors(), machine.pid("c")), (vec!["a".into()], pid));
    let supervisor = machine.supervisor("a");
    machine.kill(supervisor, Signal::KILL);
    machine.pass(2000);
    assert_eq!(machine.supervisors(), ["c"]);
}

#[rstest]
fn seq_10_hidden_and_shown(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.rename("a", ".a");
    machine.scanctl("-an");
    machine.pass(1000);
    assert_eq!(machine.supervisors().len(), 0);
    machine.rename(".a", "a");
    machine.scanctl("-a");
    machine.pass(1000);
    assert!(machine.is_up("a"));
}

#[rstest]
fn seq_11_nuked_by_the_last_scan(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.rename("a", ".a");
    machine.scanctl("-a");
    machine.rename(".a", "a");
    machine.scanctl("-n");
    assert_eq!(machine.count("agent"), 0);
    machine.scanctl("-a");
    machine.pass(2000);
    assert!(machine.is_up("a"));
}

#[rstest]
#[case(V2_11, true, true)]
#[case(V2_13, true, false)]
#[case(V2_15, false, true)]
fn seq_12_a_dangling_link_at_boot(
    #[case] version: S6Version,
    #[case] kept: bool,
    #[case] others: bool,
) {
    let mut machine = S6Machine::new(version);
    machine.link("a", "nowhere");
    machine.service("b", "agent");
    machine.boot(&[]);
    assert_eq!(machine.exists("a"), kept);
    assert_eq!(machine.count("agent") == 1, others);
}

#[rstest]
#[case(V2_11, 3)]
#[case(V2_13, 2)]
#[case(V2_15, 2)]
fn seq_13_a_dangling_link_ends_the_scan(#[case] version: S6Version, #[case] expected: usize) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.link("m", "nowhere");
    machine.service("b", "agent");
    machine.service("z", "agent");
    machine.scanctl("-a");
    assert_eq!(machine.count("agent"), expected);
    machine.remove("m");
    machine.pass(4000);
    assert_eq!(machine.count("agent"), 3);
}

#[rstest]
#[case(V2_11, false)]
#[case(V2_13, true)]
#[case(V2_15, true)]
fn seq_14_no_directory_and_no_supervisor(#[case] version: S6Version, #[case] respawns: bool) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.rename("a", "../gone");
    let before = machine.world.container(machine.me.container).last_pid;
    let supervisor = machine.supervisor("a");
    machine.kill(supervisor, Signal::KILL);
    machine.pass(5000);
    let made = machine.world.container(machine.me.container).last_pid - before;
    assert_eq!(made >= 4, respawns, "{made}");
    machine.scanctl("-an");
    let before = machine.world.container(machine.me.container).last_pid;
    machine.pass(5000);
    assert_eq!(machine.world.container(machine.me.container).last_pid, before);
}

#[rstest]
#[case(V2_11, true)]
#[case(V2_13, false)]
#[case(V2_15, false)]
fn seq_15_a_death_is_a_scan(#[case] version: S6Version, #[case] seen: bool) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.service("b", "agent");
    let supervisor = machine.supervisor("a");
    machine.kill(supervisor, Signal::KILL);
    machine.pass(2000);
    assert_eq!(machine.supervisors().contains(&"b".to_owned()), seen);
    assert!(machine.supervisors().contains(&"a".to_owned()));
}

#[rstest]
#[case(V2_11, &["-c", "3"], 3)]
#[case(V2_13, &["-C", "4"], 0)]
#[case(V2_15, &["-C", "4"], 0)]
fn seq_16_the_limit(#[case] version: S6Version, #[case] args: &[&str], #[case] added: usize) {
    let mut machine = S6Machine::new(version);
    if version != V2_11 {
        for name in ["0", "1", "2", "3"] {
            machine.service(name, "agent");
        }
    }
    machine.boot(args);
    let before = machine.count("agent");
    for name in ["a", "b", "c", "d", "e"] {
        machine.service(name, "agent");
    }
    machine.scanctl("-a");
    assert_eq!(machine.count("agent") - before, added);
}

#[rstest]
fn seq_17_a_logged_service_goes(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
    #[values("-an", "-aN")] letters: &str,
) {
    let mut machine = S6Machine::new(version);
    machine.logged("a", "agent");
    machine.boot(&[]);
    assert_eq!(machine.supervisors(), ["a", "a/log"]);
    assert_eq!((machine.count("agent"), machine.count("s6-log")), (1, 1));
    machine.rename("a", ".a");
    machine.scanctl(letters);
    machine.pass(3000);
    assert_eq!(machine.supervisors().len() + machine.count("agent") + machine.count("s6-log"), 0);
}

#[rstest]
#[case(V2_11, false)]
#[case(V2_13, true)]
#[case(V2_15, true)]
fn seq_18_a_logger_added_later(#[case] version: S6Version, #[case] seen: bool) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.logged("a", "agent");
    machine.scanctl("-a");
    machine.pass(2000);
    assert_eq!(machine.supervisors().contains(&"a/log".to_owned()), seen);
}
