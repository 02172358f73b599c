//! Pipes, inherited descriptors, clocks and randomness.

use std::os::fd::IntoRawFd;
use std::time::{Duration, SystemTime};

use hermes::error::Errno;
use hermes::host::Answer;
use hermes::host::effect::{Clock, Effect, Stream};
use hermes::host::os::OsHost;

use super::{
    BADF, assert_ended, bytes, close, eventually, handle, is_alone, now, pipe, read, write,
};

#[test]
fn a_pipe_is_read_without_waiting_up_to_its_end() {
    let host = OsHost::new();
    let (reader, writer) = pipe(&host);
    assert_eq!(read(&host, reader), Err(Errno::AGAIN));
    assert_eq!(write(&host, writer, b"text"), Ok(Answer::Count(4)));
    assert_eq!(read(&host, reader), bytes("text"));
    close(&host, writer);
    assert_ended(&host, reader);
}

#[test]
fn a_pipe_has_room_until_it_is_full() {
    let host = OsHost::new();
    let (reader, writer) = pipe(&host);
    assert_eq!(now(&host, Effect::HasRoom { handle: writer }), Ok(Answer::Flag(true)));
    // Linux gives a pipe 65 536 bytes, and others no more (`pipe(7)`): a write of all of it fills it.
    let room = vec![0; 65_536];
    assert_eq!(write(&host, writer, &room), Ok(Answer::Count(room.len())));
    assert_eq!(now(&host, Effect::HasRoom { handle: writer }), Ok(Answer::Flag(false)));
    assert!(matches!(read(&host, reader), Ok(Answer::Bytes(bytes)) if !bytes.is_empty()));
    assert_eq!(now(&host, Effect::HasRoom { handle: writer }), Ok(Answer::Flag(true)));
}

#[test]
fn writing_to_a_pipe_without_a_reader_is_an_errno_and_no_signal() {
    let host = OsHost::new();
    let (reader, writer) = pipe(&host);
    close(&host, reader);
    eventually("the reader is gone", || write(&host, writer, b"text") == Err(Errno::PIPE));
}

#[test]
fn inherited_takes_over_what_came_through_exec_and_nothing_else() {
    if !is_alone("host::os::streams::inherited_takes_over_what_came_through_exec_and_nothing_else")
    {
        return;
    }
    let host = OsHost::new();
    let (reader, ours) = rustix::pipe::pipe().unwrap(); // not close-on-exec: as if we were started with it
    let ours = ours.into_raw_fd();
    let writer = handle(now(&host, Effect::Inherited { descriptor: ours }));
    assert_eq!(write(&host, writer, b"\n"), Ok(Answer::Count(1)));
    assert_eq!(rustix::io::read(&reader, &mut [0; 8]), Ok(1));
    assert_eq!(now(&host, Effect::Inherited { descriptor: ours }), Err(BADF), "once only");
    close(&host, writer);
    assert_eq!(rustix::io::read(&reader, &mut [0; 8]), Ok(0), "it was owned, and closed");
    assert_eq!(now(&host, Effect::Inherited { descriptor: -1 }), Err(BADF));
    assert_eq!(now(&host, Effect::Inherited { descriptor: 60_000 }), Err(BADF));
}

#[test]
fn inherited_doubles_a_standard_stream() {
    let host = OsHost::new();
    let stdin = handle(now(&host, Effect::Inherited { descriptor: 0 }));
    close(&host, stdin);
    assert!(now(&host, Effect::Inherited { descriptor: 0 }).is_ok());
}

#[test]
fn print_counts_what_was_taken() {
    let effect = Effect::Print { stream: Stream::Err, bytes: Vec::new(), patience: None };
    assert_eq!(now(&OsHost::new(), effect), Ok(Answer::Count(0)));
}

fn time(clock: Clock) -> Duration {
    match now(&OsHost::new(), Effect::Now { clock }) {
        Ok(Answer::Time(time)) => time,
        other => panic!("not a time: {other:?}"),
    }
}

#[test]
fn now_reads_the_wall_clock_and_sleep_moves_the_boot_clock() {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(time(Clock::Wall).abs_diff(wall) < Duration::from_secs(60));
    let before = time(Clock::Boot);
    let duration = Duration::from_millis(10);
    assert_eq!(now(&OsHost::new(), Effect::Sleep { duration }), Ok(Answer::Done));
    assert!(time(Clock::Boot) >= before + duration);
}

#[test]
fn random_numbers_differ() {
    let host = OsHost::new();
    assert_ne!(now(&host, Effect::Random), now(&host, Effect::Random));
}
