//! Programs that are run, started and signalled.

use std::path::Path;
use std::time::{Duration, Instant};

use hermes::error::Errno;
use hermes::host::effect::{Effect, Event, Finished, Interests, Pid, Program, Signal, Status};
use hermes::host::os::{OsHost, run_waiting};
use hermes::host::{Answer, Host, Outcome};
use tempfile::tempdir;

use super::{
    BADF, CHILD, SOON, assert_ended, bytes, close, eventually, handle, is_alive, now, number_in,
    pipe, program, read, shell, text,
};

fn run(program: Program, timeout: Duration) -> Outcome {
    now(&OsHost::new(), Effect::Run { program, timeout })
}

fn finished(program: Program) -> Finished {
    match run(program, SOON) {
        Ok(Answer::Finished(finished)) => finished,
        other => panic!("not finished: {other:?}"),
    }
}

pub(super) fn spawned(host: &OsHost, program: Program) -> Pid {
    match now(host, Effect::Spawn { program }) {
        Ok(Answer::Pid(pid)) => pid,
        other => panic!("not spawned: {other:?}"),
    }
}

pub(super) fn end_of(host: &OsHost, child: Pid) -> Outcome {
    let interests = Interests { child: Some(child), ..Interests::default() };
    run_waiting(host.perform(Effect::Wait { interests }))
}

fn ended(status: Status) -> Outcome {
    Ok(Answer::Event(Event::Child(status)))
}

#[test]
fn run_gives_output_and_exit_code() {
    let end = finished(shell("echo out; echo err >&2; exit 7"));
    assert_eq!(end.status, Status::Exited(7));
    assert_eq!((&end.stdout[..], &end.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
}

#[test]
fn run_tells_the_signal_that_ended_the_program() {
    assert_eq!(finished(shell("kill -TERM $$")).status, Status::Signalled(Signal::TERM));
}

#[test]
fn run_gives_the_program_exactly_its_environment_directory_and_an_empty_stdin() {
    let dir = tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let mut env = program("/usr/bin/env", &[]);
    env.env.insert("ONLY".into(), "this".into());
    assert_eq!(finished(env).stdout, b"ONLY=this\n");
    let mut pwd = program("/bin/pwd", &[]);
    pwd.cwd = Some(dir.clone());
    assert_eq!(finished(pwd).stdout, format!("{}\n", dir.display()).into_bytes());
    assert_eq!(finished(program("/bin/cat", &[])).stdout, b"");
}

#[test]
fn run_refuses_what_cannot_be_executed() {
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join("plain"), "").unwrap();
    assert_eq!(run(program(dir.path().join("absent"), &[]), SOON), Err(Errno::NOENT));
    assert_eq!(run(program(dir.path().join("plain"), &[]), SOON), Err(Errno::ACCESS));
    assert_eq!(run(program("true", &[]), SOON), Err(Errno::INVAL));
}

#[test]
fn run_ends_at_its_timeout_and_reaps_the_child() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("pids");
    let script = format!(
        "trap '' TERM; sleep 1000 & echo $! >{0}.helper; echo $$ >{0}; wait",
        file.display()
    );
    let start = Instant::now();
    assert_eq!(run(shell(&script), Duration::from_millis(300)), Err(Errno::TIMEDOUT));
    assert!(start.elapsed() < SOON);
    let child = number_in(&file);
    assert!(!Path::new(&format!("/proc/{child}")).exists(), "reaped");
    let helper = number_in(&dir.path().join("pids.helper"));
    eventually("the helper is dead", || !is_alive(helper));
}

#[test]
fn run_does_not_wait_for_a_grandchild_that_holds_the_pipe() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("pid");
    let start = Instant::now();
    let end = finished(shell(&format!("echo before; sleep 1000 & echo $! >{}", file.display())));
    assert!(start.elapsed() < SOON);
    assert_eq!((end.status, &end.stdout[..]), (Status::Exited(0), &b"before\n"[..]));
    let helper = number_in(&file);
    assert!(is_alive(helper), "helpers of a program that ended in time are left alone");
    let helper = rustix::process::Pid::from_raw(helper).filter(|pid| pid.as_raw_pid() > 1).unwrap();
    rustix::process::kill_process(helper, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn run_times_out_while_the_pipe_is_never_empty() {
    let start = Instant::now();
    let endless = shell("while :; do echo line; done");
    assert_eq!(run(endless, Duration::from_millis(200)), Err(Errno::TIMEDOUT));
    assert!(start.elapsed() < SOON);
}

#[test]
fn run_cuts_long_output_without_stalling_the_program() {
    let end = finished(shell("head -c 1048576 /dev/zero; head -c 1048576 /dev/zero >&2; exit 3"));
    assert_eq!(end.status, Status::Exited(3));
    assert_eq!((end.stdout.len(), end.stderr.len()), (65536, 65536));
}

#[test]
fn run_survives_a_program_that_closes_its_output_early() {
    assert_eq!(finished(shell("exec >&- 2>&-; sleep 0.05; exit 4")).status, Status::Exited(4));
}

#[test]
fn run_takes_a_timeout_without_end() {
    assert!(run(program("/bin/true", &[]), Duration::MAX).is_ok());
}

#[test]
fn an_end_is_reported_until_it_is_reaped() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let gate = dir.path().join("gate");
    let make = Effect::MakeFifo { place: (&gate).into(), mode: 0o600 };
    assert_eq!(now(&host, make), Ok(Answer::Done));
    let child = spawned(&host, shell(&format!("read x <{}; exit 9", gate.display())));
    let reap = || now(&host, Effect::Reap { child });
    assert_eq!(reap(), Err(Errno::AGAIN), "it lives");
    std::fs::write(gate, "\n").unwrap();
    assert_eq!(end_of(&host, child), ended(Status::Exited(9)));
    assert_eq!(end_of(&host, child), ended(Status::Exited(9)));
    assert!(Path::new(&format!("/proc/{child}", child = child.raw())).exists(), "a zombie");
    assert_eq!(reap(), Ok(Answer::Done));
    assert!(!Path::new(&format!("/proc/{child}", child = child.raw())).exists());
    assert_eq!(end_of(&host, child), Err(CHILD));
    assert_eq!(reap(), Err(CHILD));
}

#[test]
fn spawn_says_why_a_program_cannot_be_executed() {
    let host = OsHost::new();
    let (_, writer) = pipe(&host);
    let mut absent = program("/nowhere/program", &[]);
    // With a number to put a descriptor on, the pipe that carries the reason must not be overwritten.
    absent.inherit = (700..764).map(|number| (writer, number)).collect();
    assert_eq!(now(&host, Effect::Spawn { program: absent }), Err(Errno::NOENT));
    let plain = Effect::Spawn { program: program("/etc/passwd", &[]) };
    assert_eq!(now(&host, plain), Err(Errno::ACCESS));
}

#[test]
fn spawn_makes_a_group_leader_that_signal_group_reaches_with_its_helpers() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let file = dir.path().join("pid");
    let script = format!("sleep 1000 & echo $! >{}; wait", file.display());
    let leader = spawned(&host, shell(&script));
    let helper = number_in(&file);
    let signal = Effect::SignalGroup { leader, signal: Signal::TERM };
    assert_eq!(now(&host, signal.clone()), Ok(Answer::Done));
    assert_eq!(end_of(&host, leader), ended(Status::Signalled(Signal::TERM)));
    eventually("the helper is dead", || !is_alive(helper));
    // Its number stays its own, and its group's, until it is reaped.
    assert_eq!(now(&host, signal.clone()), Ok(Answer::Done));
    assert_eq!(now(&host, Effect::Reap { child: leader }), Ok(Answer::Done));
    assert_eq!(now(&host, signal), Err(Errno::SRCH));
}

#[test]
fn spawn_starts_a_child_with_default_signals() {
    let host = OsHost::new();
    let (reader, writer) = pipe(&host);
    let mut program = shell("sed -n 's/^Sig\\(Blk\\|Ign\\):[[:space:]]*//p' /proc/self/status >&3");
    program.inherit = vec![(writer, 3)];
    let child = spawned(&host, program);
    assert_eq!(end_of(&host, child), ended(Status::Exited(0)));
    let text = text(read(&host, reader));
    let masks: Vec<u64> =
        text.lines().map(|line| u64::from_str_radix(line, 16).expect("a mask")).collect();
    // Signals above 31 are the C library's own.
    let ordinary: Vec<u64> = masks.iter().map(|mask| mask & 0x7fff_ffff).collect();
    assert_eq!(ordinary, [0, 0], "blocked, ignored");
}

#[test]
fn spawn_ties_the_child_to_the_life_of_its_starter() {
    // The death signal comes with the end of the thread that started the child; in production there is one.
    let pid = std::thread::spawn(|| spawned(&OsHost::new(), program("/bin/sleep", &["1000"])))
        .join()
        .unwrap();
    let child = rustix::process::Pid::from_raw(pid.raw()).unwrap();
    let (_, status) = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty())
        .unwrap()
        .unwrap();
    assert_eq!(status.terminating_signal(), Some(Signal::KILL.0));
}

#[test]
fn inherited_handles_arrive_under_their_numbers_and_no_others_do() {
    let host = OsHost::new();
    let ((first, first_end), (second, second_end)) = (pipe(&host), pipe(&host));
    let script =
        "echo three >&3; echo four >&4; for n in /proc/$$/fd/*; do readlink $n; done >&4; :";
    let mut program = shell(script);
    program.inherit = vec![(first_end, 3), (second_end, 4)];
    let child = spawned(&host, program);
    assert_eq!(end_of(&host, child), ended(Status::Exited(0)));
    close(&host, first_end);
    close(&host, second_end);
    assert_eq!(read(&host, first), bytes("three\n"));
    assert_ended(&host, first);
    let said = text(read(&host, second));
    assert!(said.starts_with("four\n"), "{said}");
    for pipe in [first, second] {
        let Ok(Answer::Meta(meta)) = now(&host, Effect::HandleMeta { handle: pipe }) else {
            panic!("an open pipe has a meta");
        };
        // While the list is written, the shell keeps its stdout aside, and stdout is the second pipe as well.
        let link = format!("pipe:[{}]", meta.identity.1);
        let expected = if pipe == first { 1 } else { 2 };
        assert_eq!(said.lines().filter(|line| *line == link).count(), expected, "{said}");
    }
}

#[test]
fn inherit_refuses_a_number_below_zero() {
    let host = OsHost::new();
    let mut program = program("/bin/true", &[]);
    program.inherit = vec![(pipe(&host).0, -1)];
    assert_eq!(now(&host, Effect::Spawn { program }), Err(BADF));
}

#[test]
fn a_process_handle_signals_the_process_and_not_its_number() {
    let host = OsHost::new();
    let child = spawned(&host, program("/bin/sleep", &["1000"]));
    let process = handle(now(&host, Effect::OpenProcess { pid: child }));
    let signal = |signal| now(&host, Effect::SignalProcess { process, signal });
    assert_eq!(signal(Signal(0)), Err(Errno::INVAL));
    assert_eq!(signal(Signal::KILL), Ok(Answer::Done));
    assert_eq!(end_of(&host, child), ended(Status::Signalled(Signal::KILL)));
    assert_eq!(signal(Signal::KILL), Ok(Answer::Done), "a zombie's handle");
    assert_eq!(now(&host, Effect::Reap { child }), Ok(Answer::Done));
    assert_eq!(signal(Signal::KILL), Err(Errno::SRCH));
    assert_eq!(now(&host, Effect::OpenProcess { pid: child }), Err(Errno::SRCH));
}

#[test]
fn credentials_refuse_the_number_that_means_no_change() {
    let host = OsHost::new();
    assert_eq!(now(&host, Effect::SetUid { uid: u32::MAX }), Err(Errno::INVAL));
    assert_eq!(now(&host, Effect::SetGid { gid: u32::MAX }), Err(Errno::INVAL));
    assert_eq!(now(&host, Effect::SetGroups { gids: vec![u32::MAX] }), Err(Errno::INVAL));
}
