//! Real processes: their identity, whether they are alive, and that a handle means no other process.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use hermes::error::Errno;
use hermes::host::effect::Effect;
use hermes::host::os::{OsHost, run_ready};
use hermes::record::group;
use hermes::record::identity::{self, BootId, Process};
use rstest::rstest;

use crate::support::answering::Answering;

/// A child that ends with its test.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("/bin/sleep").arg("60").spawn().expect("a child"))
    }

    fn process(&self) -> Process {
        let found = run_ready(identity::find_process(&OsHost::new(), &boot(), self.0.id()));
        found.expect("/proc is readable").expect("it lives")
    }

    fn end(&mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it is ours");
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // A process that was ended before cannot be ended again.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn boot() -> BootId {
    run_ready(identity::current_boot(&OsHost::new())).expect("a machine has booted")
}

/// Field 22 of the line that the kernel shows, counted from behind the name.
fn start_time(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    fields.split_whitespace().nth(19).expect("field 22").parse().expect("a number")
}

#[test]
fn a_process_is_known_by_its_number_and_its_start() {
    let mut sleeper = Sleeper::new();
    let process = sleeper.process();
    assert_eq!((process.pid, process.start_time), (sleeper.0.id(), start_time(sleeper.0.id())));
    let host = OsHost::new();
    assert_eq!(run_ready(identity::is_alive(&host, &boot(), &process)), Ok(true));
    let another = Process { start_time: process.start_time + 1, ..process.clone() };
    assert_eq!(run_ready(identity::is_alive(&host, &boot(), &another)), Ok(false));
    sleeper.end();
    assert_eq!(run_ready(identity::is_alive(&host, &boot(), &process)), Ok(false));
}

#[test]
fn a_handle_is_of_that_very_process_or_of_none() {
    let mut sleeper = Sleeper::new();
    let (host, process) = (OsHost::new(), sleeper.process());
    let opened = run_ready(identity::open(&host, &boot(), &process)).expect("it may be opened");
    assert!(opened.is_some());
    let another = Process { start_time: process.start_time + 1, ..process.clone() };
    let opened = run_ready(identity::open(&host, &boot(), &another)).expect("it may be opened");
    assert!(opened.is_none(), "{opened:?}");
    sleeper.end();
    let opened = run_ready(identity::open(&host, &boot(), &process)).expect("absence is no error");
    assert!(opened.is_none(), "{opened:?}");
}

#[test]
fn a_handle_that_the_machine_refuses_is_an_error() {
    let sleeper = Sleeper::new();
    let host = Answering::new(|effect| {
        matches!(effect, Effect::OpenProcess { .. }).then_some(Err(Errno::PERM))
    });
    let refused = run_ready(identity::open(&host, &boot(), &sleeper.process()));
    assert_eq!(refused.map_err(|error| error.errno).err(), Some(Errno::PERM));
}

/// A process whose leader is gone: the leader's number, its own, and what it reads. It ends once that is closed.
fn bereaved() -> (u32, u32, ChildStdin) {
    let mut leader = Command::new("/bin/sh")
        .args(["-c", "{ cat <&3 >/dev/null 3<&- & } 3<&0; echo $!"])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let stdin = leader.stdin.take().expect("a pipe");
    let mut number = String::new();
    leader.stdout.take().expect("a pipe").read_to_string(&mut number).expect("text");
    assert!(leader.wait().expect("it is ours").success());
    (leader.id(), number.trim().parse().expect("a number"), stdin)
}

#[rstest]
#[case::as_old_as_its_leader(0, true)]
#[case::older_than_the_leader(1, false)]
fn a_process_older_than_a_leader_was_not_started_by_it(
    #[case] ticks_later: u64,
    #[case] is_left: bool,
) {
    let (host, (leader, left, stdin)) = (OsHost::new(), bereaved());
    let start_time = start_time(left) + ticks_later;
    let leader = Process { pid: leader, start_time, boot: boot() };
    let found =
        run_ready(group::live_members_of(&host, &boot(), &leader)).expect("/proc is readable");
    let found: Vec<_> = found.iter().map(|process| process.pid).collect();
    assert_eq!(found, if is_left { vec![left] } else { vec![] });
    drop(stdin);
}

#[rstest]
#[case::hidden(Errno::ACCESS, Ok(0))]
#[case::guarded(Errno::PERM, Ok(0))]
#[case::the_disk_fails(Errno::IO, Err(Errno::IO))]
fn a_process_that_is_hidden_is_anothers_and_one_that_cannot_be_read_is_an_error(
    #[case] errno: Errno,
    #[case] expected: Result<usize, Errno>,
) {
    let (_, left, stdin) = bereaved();
    let group = run_ready(identity::read_stat(&OsHost::new(), left))
        .expect("readable")
        .expect("alive")
        .group;
    let hidden = format!("/proc/{left}/stat");
    let host = Answering::new(|effect| match effect {
        Effect::Open { place, .. } if place.path.as_os_str() == hidden.as_str() => Some(Err(errno)),
        _ => None,
    });
    let found = run_ready(group::members(&host, &boot(), group));
    assert_eq!(found.map(|members| members.len()).map_err(|error| error.errno), expected);
    drop(stdin);
}

#[test]
fn nothing_is_ever_left_of_the_first_process() {
    let host = OsHost::new();
    let first =
        run_ready(identity::find_process(&host, &boot(), 1)).expect("readable").expect("alive");
    assert_eq!(run_ready(group::live_members_of(&host, &boot(), &first)), Ok(vec![]));
}
