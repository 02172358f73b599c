//! Locks, with another open description and with another process.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use hermes::error::Errno;
use hermes::host::effect::{Effect, Handle, OpenMode};
use hermes::host::os::OsHost;
use hermes::host::{Answer, Outcome};
use tempfile::tempdir;

use super::{alone, close, eventually, now, opened, pipe, program, write};

const LOCK: OpenMode = OpenMode::Lock { mode: 0o600 };

fn is_locked(host: &OsHost, handle: Handle) -> Outcome {
    now(host, Effect::IsLocked { handle })
}

#[test]
fn lock_is_refused_while_another_open_description_holds_it() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let path = dir.path().join("lock");
    let (first, second) = (opened(&host, &path, LOCK), opened(&host, &path, LOCK));
    assert_eq!(now(&host, Effect::Lock { handle: first }), Ok(Answer::Done));
    assert_eq!(now(&host, Effect::Lock { handle: second }), Err(Errno::AGAIN));
    close(&host, first);
    let lock = || now(&host, Effect::Lock { handle: second });
    // A child that another test just started holds the first lock as well until its `execve`.
    eventually("the lock is free", || lock() == Ok(Answer::Done));
}

#[test]
fn a_record_lock_is_seen_from_outside_and_survives_exec() {
    const NAME: &str = "host::os::locks::a_record_lock_is_seen_from_outside_and_survives_exec";
    if let Some(path) = std::env::var_os(PATH_KEY) {
        lock_and_become_cat(Path::new(&path));
    }
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let path = dir.path().join("lock");
    let mut other = other_process(NAME, &path);
    let (reading, writing) = (opened(&host, &path, OpenMode::Read), opened(&host, &path, LOCK));
    assert_eq!(is_locked(&host, reading), Ok(Answer::Flag(true)));
    assert_eq!(is_locked(&host, writing), Ok(Answer::Flag(true)));
    let refused = now(&host, Effect::LockRecord { handle: writing });
    assert_eq!(refused, Err(Errno::AGAIN));
    drop(other.stdin.take());
    other.wait().unwrap();
    eventually("the lock is free", || is_locked(&host, reading) == Ok(Answer::Flag(false)));
    assert_eq!(now(&host, Effect::LockRecord { handle: writing }), Ok(Answer::Done));
}

#[test]
fn a_program_does_not_inherit_a_record_locked_handle() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let handle = opened(&host, &dir.path().join("lock"), LOCK);
    assert_eq!(now(&host, Effect::LockRecord { handle }), Ok(Answer::Done));
    let mut program = program("/bin/true", &[]);
    program.inherit = vec![(handle, 3)];
    assert_eq!(now(&host, Effect::Spawn { program }), Err(Errno::INVAL));
}

const PATH_KEY: &str = "HERMES_TEST_LOCK";

/// Another process that holds a record lock, taken before it became `cat`; it ends when its stdin does.
fn other_process(test: &str, path: &Path) -> Child {
    let mut child = alone(test)
        .env(PATH_KEY, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test binary starts");
    let stdin = child.stdin.as_mut().expect("stdin is piped");
    stdin.write_all(b"echoed by cat\n").expect("it reads");
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let echoed = stdout.lines().map_while(Result::ok).any(|line| line.ends_with("echoed by cat"));
    assert!(echoed, "the other process became cat");
    child
}

fn lock_and_become_cat(path: &Path) -> ! {
    let host = OsHost::new();
    let handle = opened(&host, path, LOCK);
    assert_eq!(now(&host, Effect::LockRecord { handle }), Ok(Answer::Done));
    let absent = Effect::Exec { program: program("/nowhere/program", &[]) };
    assert_eq!(now(&host, absent), Err(Errno::NOENT));
    let (reader, writer) = pipe(&host);
    close(&host, reader);
    assert_eq!(write(&host, writer, b"."), Err(Errno::PIPE), "SIGPIPE is still ignored");
    let mut cat = program("/bin/cat", &[]);
    cat.inherit = vec![(writer, 600)];
    panic!("became nothing: {:?}", now(&host, Effect::Exec { program: cat }));
}
