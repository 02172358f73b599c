//! The real machine answers every effect as its doc says, errno for errno.
//!
//! Effects are performed directly, not through the typed functions: the outcome is tested.

mod files;
mod locks;
mod programs;
mod sockets;
mod streams;
mod waiting;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use hermes::error::Errno;
use hermes::host::effect::{Effect, Handle, LinkPolicy, OpenMode, Place, Program};
use hermes::host::os::{OsHost, run_ready};
use hermes::host::{Answer, Host, Outcome};

const BADF: Errno = Errno(9);
const CHILD: Errno = Errno(10);
const NOSYS: Errno = Errno(38);

/// Time limit for what should take almost no time.
const SOON: Duration = Duration::from_secs(5);

fn now(host: &OsHost, effect: Effect) -> Outcome {
    run_ready(host.perform(effect))
}

fn open(host: &OsHost, place: impl Into<Place>, how: OpenMode, links: LinkPolicy) -> Outcome {
    now(host, Effect::Open { place: place.into(), how, links })
}

fn opened(host: &OsHost, path: &Path, how: OpenMode) -> Handle {
    handle(open(host, path, how, LinkPolicy::Follow))
}

fn handle(outcome: Outcome) -> Handle {
    match outcome {
        Ok(Answer::Handle(handle)) => handle,
        other => panic!("not a handle: {other:?}"),
    }
}

fn pipe(host: &OsHost) -> (Handle, Handle) {
    match now(host, Effect::Pipe) {
        Ok(Answer::Pair(reader, writer)) => (reader, writer),
        other => panic!("not a pipe: {other:?}"),
    }
}

fn read(host: &OsHost, handle: Handle) -> Outcome {
    now(host, Effect::Read { handle, max: 4096 })
}

/// The writer's end is gone. Not always at once: children that other tests start hold it until they become a program.
fn assert_ended(host: &OsHost, reader: Handle) {
    eventually("the end", || read(host, reader) == bytes(""));
}

fn write(host: &OsHost, handle: Handle, bytes: &[u8]) -> Outcome {
    now(host, Effect::Write { handle, bytes: bytes.to_vec() })
}

fn close(host: &OsHost, handle: Handle) {
    assert_eq!(now(host, Effect::Close { handle }), Ok(Answer::Done));
}

fn bytes(text: &str) -> Outcome {
    Ok(Answer::Bytes(text.as_bytes().to_vec()))
}

fn text(outcome: Outcome) -> String {
    match outcome {
        Ok(Answer::Bytes(bytes)) => String::from_utf8(bytes).expect("text"),
        other => panic!("not bytes: {other:?}"),
    }
}

fn program(path: impl AsRef<Path>, args: &[&str]) -> Program {
    Program {
        path: path.as_ref().to_owned(),
        args: args.iter().map(Into::into).collect(),
        ..Program::default()
    }
}

fn shell(script: &str) -> Program {
    let mut program = program("/bin/sh", &["-c", script]);
    program.env.insert("PATH".into(), "/usr/bin:/bin".into());
    program
}

/// Polls until the condition holds; the panic names the unmet condition.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs the calling test again, alone in a process, and returns whether this is that process. Needed for state that a
/// whole process shares: all runtimes of a process learn of signals through one pipe, and can miss each other's for a
/// moment.
fn is_alone(test: &str) -> bool {
    const KEY: &str = "HERMES_TEST_ALONE";
    if std::env::var_os(KEY).is_some() {
        return true;
    }
    let again = alone(test).env(KEY, "").output().expect("the test binary starts");
    let words = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && words.contains(" 1 passed"), "{again:#?}");
    false
}

/// The command that runs one test alone.
fn alone(test: &str) -> std::process::Command {
    let ourselves = std::env::current_exe().expect("the test binary's path");
    let mut command = std::process::Command::new(ourselves);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command
}

/// Is a process with this number there and not a zombie?
fn is_alive(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat.iter().rposition(|&byte| byte == b')').and_then(|end| stat.get(end + 2));
        state != Some(&b'Z') && state != Some(&b'X')
    })
}

/// The number that a program wrote into a file, once it did.
fn number_in(path: &Path) -> i32 {
    let mut number = None;
    eventually("a number in the file", || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        number = text.strip_suffix('\n').and_then(|line| line.parse().ok());
        number.is_some()
    });
    number.expect("it came")
}

fn name(bytes: &[u8]) -> std::ffi::OsString {
    std::ffi::OsStr::from_bytes(bytes).to_owned()
}
