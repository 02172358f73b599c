//! The tools: sequences 19 to 22, 65, 73, 74, 77.

use hermes_sim::machine::world::S6Version;
use rstest::rstest;

use super::harness::{S6Machine, V2_11, V2_13, V2_15};

fn dir(machine: &S6Machine, name: &str) -> String {
    machine.path(name).display().to_string()
}

#[rstest]
fn seq_19_20_another_user(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[]);
    let hermes = machine.born(10000, 3);
    assert_eq!(
        machine.tool_as(hermes, "s6-svscanctl", &["-a", "/run/service"]),
        (111, "s6-svscanctl: fatal: unable to control /run/service: Permission denied".into())
    );
    let mut machine = S6Machine::new(version);
    let root = machine.root();
    let (above, control) = (machine.path(".s6-svscan"), machine.path(".s6-svscan/control"));
    machine.world.disk.put_dir(root, &above, 0o711, 0, 0);
    machine.world.disk.put_fifo(root, &control, 0o620, 0, 10000);
    machine.boot(&[]);
    let hermes = machine.born(10000, 3);
    assert_eq!(machine.tool_as(hermes, "s6-svscanctl", &["-a", "/run/service"]).0, 0);
}

#[rstest]
fn seq_21_22_no_scanner(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    machine.me = machine.born(0, 9);
    let prefix = if version == V2_11 { ": " } else { "" };
    let scanctl = |machine: &mut S6Machine| machine.tool("s6-svscanctl", &["-a", "/run/service"]);
    let silent = format!(
        "s6-svscanctl: fatal: {prefix}unable to control /run/service: supervisor not listening"
    );
    assert_eq!(scanctl(&mut machine), (100, silent.clone()));
    machine.dir(".s6-svscan");
    let wrong = "s6-svscanctl: fatal: something is wrong with the /run/service/.s6-svscan directory. errno reported: No such file or directory";
    assert_eq!(scanctl(&mut machine), (100, wrong.into()));
    let path = machine.path(".s6-svscan/control");
    machine.world.disk.put_fifo(machine.root(), &path, 0o600, 0, 0);
    assert_eq!(scanctl(&mut machine), (100, silent));
    machine.file(".s6-svscan/control", "");
    assert_eq!(scanctl(&mut machine).0, 0);
    machine.remove(".s6-svscan/control");
    machine.dir(".s6-svscan/control");
    assert!(scanctl(&mut machine).1.ends_with("Is a directory"));
    machine.remove(".s6-svscan");
    machine.file(".s6-svscan", "");
    assert!(scanctl(&mut machine).1.ends_with("Not a directory"));
    let (code, text) = machine.tool("s6-svscanctl", &["-a", "/nowhere"]);
    assert_eq!(
        (code, text.as_str()),
        (111, "s6-svscanctl: fatal: unable to control /nowhere: No such file or directory")
    );
}

#[rstest]
#[case(V2_11, "fatal: : ", 100, "fatal: ", 100)]
#[case(V2_13, "fatal: ", 100, "fatal: ", 100)]
#[case(V2_15, "warning: ", 102, "warning: ", 1)]
fn seq_77_the_errors_of_svc(
    #[case] version: S6Version,
    #[case] silent: &str,
    #[case] silent_code: u8,
    #[case] wrong: &str,
    #[case] wrong_code: u8,
) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.dir(".new");
    let new = dir(&machine, ".new");
    assert_eq!(
        machine.tool("s6-svc", &["-u", &new]),
        (silent_code, format!("s6-svc: {silent}unable to control {new}: supervisor not listening"))
    );
    machine.remove("a/supervise/control");
    let a = dir(&machine, "a");
    assert_eq!(
        machine.tool("s6-svc", &["-u", &a]),
        (
            wrong_code,
            format!(
                "s6-svc: {wrong}something is wrong with the {a}/supervise directory: No such file or directory"
            )
        )
    );
    assert_eq!(machine.tool("s6-svok", &[&a]).0, 0);
    assert_eq!(machine.tool("s6-svc", &["-Z", &a]).0, 100);
    assert_eq!(machine.tool("s6-svc", &["-u", &dir(&machine, "none")]).0, 111);
}

#[rstest]
fn seq_65_another_user_before_permissions(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    let (hermes, a) = (machine.born(10000, 3), dir(&machine, "a"));
    let (code, text) = machine.tool_as(hermes, "s6-svc", &["-u", &a]);
    assert_eq!((code, text.ends_with("Permission denied")), (111, true));
    let denied = format!("s6-svstat: fatal: unable to check {a}: Permission denied");
    assert_eq!(machine.tool_as(hermes, "s6-svstat", &[&a]), (111, denied));
    assert_eq!(machine.tool_as(hermes, "s6-svok", &[&a]).0, 111);
}

#[rstest]
#[case(V2_11, 35, "down (exitcode 0) 0 seconds, ready 0 seconds")]
#[case(V2_13, 43, "down (exitcode 0) 0 seconds, ready 0 seconds")]
#[case(V2_15, 35, "down (not started yet) ")]
fn seq_73_a_fresh_record(#[case] version: S6Version, #[case] size: usize, #[case] text: &str) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "agent");
    machine.file("a/down", "");
    machine.boot(&[]);
    let record = machine.contents("a/supervise/status");
    let paused = u8::from(version == V2_15);
    assert_eq!((record.len(), record[size - 1]), (size, 8 | paused));
    // 2^62 + 1 800 000 000 + 37, and the first stamp of its supervisor.
    let stamp = [0x40, 0, 0, 0, 0x6b, 0x49, 0xd2, 0x25, 0, 0, 0, 1];
    assert_eq!((&record[..12], &record[12..24]), (&stamp[..], &stamp[..]));
    assert_eq!(record[24..size - 1], vec![0; size - 25]);
    let a = dir(&machine, "a");
    assert_eq!(machine.tool("s6-svstat", &[&a]), (0, text.into()));
}

#[rstest]
fn seq_73_up_and_ended(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    let (a, pid) = (dir(&machine, "a"), machine.pid("a"));
    let group = if version == V2_11 { String::new() } else { format!(" pgid {pid}") };
    machine.pass(5000);
    assert_eq!(machine.tool("s6-svstat", &[&a]), (0, format!("up (pid {pid}{group}) 5 seconds")));
    machine.svc("-Ok", "a");
    machine.pass(2000);
    let record = machine.contents("a/supervise/status");
    assert_eq!(record[record.len() - 3..], [0, 9, 8]);
    let text = "down (signal SIGKILL) 2 seconds, normally up, ready 2 seconds";
    assert_eq!(machine.tool("s6-svstat", &[&a]), (0, text.into()));
    let tally = machine.contents("a/supervise/death_tally");
    assert_eq!((tally.len(), &tally[12..]), (14, &[0x89, 9][..]));
}

/// Each line of the real tool's output: the record's flags, the sentence, the fields.
fn check_oracle(version: S6Version, oracle: &str) -> usize {
    const FIELDS: &str =
        "up,wantedup,normallyup,ready,paused,pid,exitcode,signal,signum,updownfor,readyfor";
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.pass(100_000);
    let mut checked = 0;
    for line in oracle.lines().filter(|line| line.starts_with("down=")) {
        let (label, answer) = line.split_once(" | ").expect("a label and what follows");
        let (sentence, fields) = answer.split_once(" || ").expect("a sentence and fields");
        let [down, state, flags]: [&str; 3] =
            label.split_whitespace().collect::<Vec<_>>().try_into().expect("three words");
        fabricate(&mut machine, down == "down=1", state, flags);
        let a = dir(&machine, "a");
        assert_eq!(machine.tool("s6-svstat", &[&a]).1.trim_end(), sentence.trim_end(), "{label}");
        assert_eq!(machine.fields(FIELDS, "a"), fields.trim_end(), "{label}");
        checked += 1;
    }
    checked
}

fn fabricate(machine: &mut S6Machine, down: bool, state: &str, flags: &str) {
    let label = |ago: u64| {
        let seconds = (1 << 62) + 37 + machine.world.clock.wall.as_secs() - ago;
        [&seconds.to_be_bytes()[..], &[0; 4]].concat()
    };
    let mut record = [label(5), label(3)].concat();
    let (pid, end): (u64, u16) = match state {
        "up" => (4242, 0),
        "exit3" => (0, 0x300),
        "TERM" => (0, 15),
        _ => (0, 0),
    };
    record.extend(pid.to_be_bytes());
    record.extend(end.to_be_bytes());
    let bits = [('P', 1), ('F', 2), ('W', 4), ('R', 8)];
    record.push(bits.iter().filter(|(letter, _)| flags.contains(*letter)).map(|bit| bit.1).sum());
    let (root, path) = (machine.root(), machine.path("a/supervise/status"));
    machine.world.disk.put_file(root, &path, &record, 0o644, 0, 0);
    machine.remove("a/down");
    if down {
        machine.file("a/down", "");
    }
}

#[rstest]
#[case(V2_11, include_str!("svstat-2.11.txt"))]
#[case(V2_15, include_str!("svstat-2.15.txt"))]
fn seq_74_the_answers_of_the_real_svstat(#[case] version: S6Version, #[case] oracle: &str) {
    assert_eq!(check_oracle(version, oracle), 80);
}

#[rstest]
fn fields_are_exact_since_2_13(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    let (old, bogus) = (machine.fields("re", "a"), machine.fields("bogus", "a"));
    let refused = "s6-svstat: fatal: invalid option field: re";
    assert_eq!(old, if version == V2_11 { "false" } else { refused });
    assert_eq!(bogus, "s6-svstat: fatal: invalid option field: bogus");
    let missing = machine.tool("s6-svstat", &["/nowhere"]);
    let prefix = if version == V2_11 { ": " } else { "" };
    let text = format!(
        "s6-svstat: fatal: {prefix}unable to read status for /nowhere: s6-supervise not running"
    );
    assert_eq!(missing, (1, text));
}

#[rstest]
#[case(V2_11, "[ -c maxservices ]")]
#[case(V2_13, "| -C services_max ]")]
#[case(V2_15, "unrecognized boolean option")]
fn the_scanner_prints_its_options(#[case] version: S6Version, #[case] words: &str) {
    let mut machine = S6Machine::with(version, &[]);
    assert!(machine.tool("s6-svscan", &["--help"]).1.contains(words));
}
