//! Traps and waits. Tests that send signals do so alone in a process.

use std::io::Write as _;
use std::time::{Duration, Instant};

use hermes::error::Errno;
use hermes::host::effect::{Clock, Effect, Event, Interests, Signal, Status};
use hermes::host::os::{OsHost, run_waiting};
use hermes::host::{Answer, Host, Outcome};
use tempfile::tempdir;

use super::programs::spawned;
use super::{
    BADF, CHILD, NOSYS, SOON, bytes, close, eventually, is_alive, is_alone, now, pipe, program,
    read, shell, write,
};

async fn wait(host: &OsHost, interests: Interests) -> Outcome {
    host.perform(Effect::Wait { interests }).await
}

async fn trap(host: &OsHost, signals: &[Signal]) -> Outcome {
    host.perform(Effect::Trap { signals: signals.to_vec() }).await
}

fn event(event: Event) -> Outcome {
    Ok(Answer::Event(event))
}

async fn boot_clock(host: &OsHost) -> Duration {
    match host.perform(Effect::Now { clock: Clock::Boot }).await {
        Ok(Answer::Time(time)) => time,
        other => panic!("not a time: {other:?}"),
    }
}

/// The handler has run when it returns: a signal to this thread, unlike one to the process, is delivered at once.
#[expect(unsafe_code, reason = "no library we use has a safe form")]
fn raise(signal: Signal) {
    // SAFETY: touches no memory, and the signal is trapped.
    assert_eq!(unsafe { libc::raise(signal.0) }, 0);
}

const WINCH: Signal = Signal(28);

#[test]
fn wait_and_trap_need_a_runtime() {
    let host = OsHost::new();
    assert_eq!(now(&host, Effect::Wait { interests: Interests::default() }), Err(NOSYS));
    assert_eq!(now(&host, Effect::Trap { signals: vec![Signal::TERM] }), Err(NOSYS));
}

#[test]
fn wait_names_what_it_cannot_wait_for() {
    let host = OsHost::new();
    let (reader, _) = pipe(&host);
    close(&host, reader);
    let closed = Interests { readable: vec![reader], ..Interests::default() };
    assert_eq!(run_waiting(wait(&host, closed)), Err(BADF));
    let stranger = spawned(&OsHost::new(), program("/bin/true", &[]));
    let stranger = Interests { child: Some(stranger), ..Interests::default() };
    assert_eq!(run_waiting(wait(&host, stranger)), Err(CHILD));
}

#[test]
fn wait_ends_at_its_deadline_and_not_before() {
    let host = OsHost::new();
    let (reader, _writer) = pipe(&host);
    run_waiting(async {
        let until = boot_clock(&host).await + Duration::from_millis(50);
        let interests = Interests { readable: vec![reader], until: Some(until), child: None };
        assert_eq!(wait(&host, interests).await, event(Event::Deadline));
        assert!(boot_clock(&host).await >= until);
    });
}

#[test]
fn wait_with_a_deadline_in_the_past_ends_at_once() {
    let interests = Interests { until: Some(Duration::ZERO), ..Interests::default() };
    assert_eq!(run_waiting(wait(&OsHost::new(), interests)), event(Event::Deadline));
}

#[test]
fn wait_is_woken_by_bytes_by_an_end_and_by_a_child() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let gate = dir.path().join("gate");
    let make = Effect::MakeFifo { place: (&gate).into(), mode: 0o600 };
    assert_eq!(now(&host, make), Ok(Answer::Done));
    let ((quiet, _kept), (reader, writer)) = (pipe(&host), pipe(&host));
    let mut program =
        shell("exec 4<$0; read x <&4; echo >&3; read x <&4; exec 3>&-; read x <&4; exit 5");
    program.args.push(gate.clone().into());
    program.inherit = vec![(writer, 3)];
    let child = spawned(&host, program);
    close(&host, writer);
    // One open for all the steps: a second one could meet the end of the first.
    let gate = std::fs::File::options().write(true).open(gate).expect("the child opens it");
    // The child takes one step a line, and we are most likely asleep by then.
    let open_gate = || {
        let mut gate = gate.try_clone().expect("one more descriptor");
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            gate.write_all(b"\n").expect("the child reads");
        })
    };
    run_waiting(async {
        let both = || Interests { readable: vec![quiet, reader], child: Some(child), until: None };
        let opener = open_gate();
        assert_eq!(wait(&host, both()).await, event(Event::Readable(reader)));
        assert_eq!(read(&host, reader), bytes("\n"));
        opener.join().expect("opened");
        let opener = open_gate();
        assert_eq!(wait(&host, both()).await, event(Event::Readable(reader)), "the end");
        opener.join().expect("opened");
        open_gate();
        let child_only = Interests { readable: vec![quiet], ..both() };
        assert_eq!(wait(&host, child_only).await, event(Event::Child(Status::Exited(5))));
    });
}

#[test]
fn a_handle_may_be_waited_for_twice_over() {
    let host = OsHost::new();
    let (reader, writer) = pipe(&host);
    run_waiting(async {
        let until = boot_clock(&host).await + Duration::from_millis(10);
        let twice = |until| Interests { readable: vec![reader, reader], until, child: None };
        assert_eq!(wait(&host, twice(Some(until))).await, event(Event::Deadline));
        assert_eq!(write(&host, writer, b"."), Ok(Answer::Count(1)));
        assert_eq!(wait(&host, twice(None)).await, event(Event::Readable(reader)));
    });
}

#[test]
fn a_signal_between_trap_and_wait_is_not_lost_and_comes_once() {
    if !is_alone("host::os::waiting::a_signal_between_trap_and_wait_is_not_lost_and_comes_once") {
        return;
    }
    let host = OsHost::new();
    run_waiting(async {
        assert_eq!(trap(&host, &[Signal::USR1]).await, Ok(Answer::Done));
        assert_eq!(trap(&host, &[Signal::USR1]).await, Ok(Answer::Done));
        raise(Signal::USR1);
        let past = || Interests { until: Some(Duration::ZERO), ..Interests::default() };
        assert_eq!(wait(&host, past()).await, event(Event::Signal(Signal::USR1)));
        assert_eq!(wait(&host, past()).await, event(Event::Deadline));
    });
}

#[test]
fn a_signal_wakes_a_wait() {
    if !is_alone("host::os::waiting::a_signal_wakes_a_wait") {
        return;
    }
    let host = OsHost::new();
    let sender = run_waiting(async {
        assert_eq!(trap(&host, &[Signal::HUP]).await, Ok(Answer::Done));
        let sender = std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            raise(Signal::HUP);
        });
        let start = Instant::now();
        assert_eq!(wait(&host, Interests::default()).await, event(Event::Signal(Signal::HUP)));
        assert!(start.elapsed() < SOON);
        sender
    });
    sender.join().unwrap();
}

#[test]
fn what_is_ready_together_comes_in_the_documented_order() {
    if !is_alone("host::os::waiting::what_is_ready_together_comes_in_the_documented_order") {
        return;
    }
    let host = OsHost::new();
    let ((first, first_end), (second, second_end)) = (pipe(&host), pipe(&host));
    run_waiting(async {
        assert_eq!(trap(&host, &[Signal::USR2, WINCH]).await, Ok(Answer::Done));
        let child = spawned(&host, program("/bin/true", &[]));
        eventually("the child ended", || !is_alive(child.raw()));
        assert_eq!(write(&host, first_end, b"."), Ok(Answer::Count(1)));
        assert_eq!(write(&host, second_end, b"."), Ok(Answer::Count(1)));
        raise(WINCH);
        raise(Signal::USR2);
        let all = Interests {
            readable: vec![second, first],
            child: Some(child),
            until: Some(Duration::ZERO),
        };
        assert_eq!(wait(&host, all.clone()).await, event(Event::Signal(Signal::USR2)));
        assert_eq!(wait(&host, all.clone()).await, event(Event::Signal(WINCH)));
        assert_eq!(wait(&host, all.clone()).await, event(Event::Child(Status::Exited(0))));
        let reap = Effect::Reap { child };
        assert_eq!(host.perform(reap).await, Ok(Answer::Done));
        let reaped = Interests { child: None, ..all };
        assert_eq!(wait(&host, reaped.clone()).await, event(Event::Readable(second)));
        assert_eq!(read(&host, second), bytes("."));
        assert_eq!(wait(&host, reaped.clone()).await, event(Event::Readable(first)));
        assert_eq!(read(&host, first), bytes("."));
        assert_eq!(wait(&host, reaped).await, event(Event::Deadline));
    });
}

#[test]
fn trap_refuses_what_cannot_be_caught() {
    let host = OsHost::new();
    assert_eq!(run_waiting(trap(&host, &[Signal::KILL])), Err(Errno::INVAL));
}
