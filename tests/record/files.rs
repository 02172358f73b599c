//! Files with rare answers of the machine: a full log, a taken name, a file system that lacks a call.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::time::Duration;

use hermes::error::{Errno, HostError};
use hermes::host::effect::{Answer, Effect, OnExisting, OpenMode, Outcome};
use hermes::host::os::{OsHost, run_ready};
use hermes::layout::Layout;
use hermes::name::Profile;
use hermes::record::json::Reading;
use hermes::record::lock::{self, LockError};
use hermes::record::{boot_log, file, intent};
use rstest::rstest;
use tempfile::{TempDir, tempdir};

use crate::support::answering::Answering;

fn dir() -> TempDir {
    tempdir().expect("a temporary directory")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

#[rstest]
#[case::as_long_as_may_be(8, Ok(b"12345678".to_vec()))]
#[case::longer(7, Err(Errno::FBIG))]
fn a_file_longer_than_asked_for_is_not_read(
    #[case] bytes_max: usize,
    #[case] expected: Result<Vec<u8>, Errno>,
) {
    let dir = dir();
    let path = dir.path().join("record");
    fs::write(&path, "12345678").expect("written");
    let read = run_ready(file::read(&OsHost::new(), &path, bytes_max));
    assert_eq!(read.map_err(|error| error.errno), expected);
}

#[test]
fn a_temporary_name_that_is_taken_is_not_used() {
    let dir = dir();
    let path = dir.path().join("record");
    let refused = Cell::new(0);
    let host = Answering::new(|effect| match effect {
        Effect::Open { how: OpenMode::Create { .. }, .. } if refused.get() < 2 => {
            refused.set(refused.get() + 1);
            Some(Err(Errno::EXIST))
        }
        _ => None,
    });
    assert_eq!(run_ready(file::replace(&host, &path, b"whole", 0o644)), Ok(()));
    assert_eq!((text(&path).as_str(), refused.get()), ("whole", 2));
}

/// NFS and others answer a rename that must not replace with `EINVAL`.
fn no_such_step(effect: &Effect) -> Option<Outcome> {
    matches!(effect, Effect::Rename { over: OnExisting::Refuse, .. }).then_some(Err(Errno::INVAL))
}

#[test]
fn a_free_name_is_given_where_the_file_system_lacks_the_one_step() {
    let dir = dir();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, "new").expect("written");
    let host = Answering::new(no_such_step);
    assert_eq!(run_ready(file::rename_new(&host, &from, &to)), Ok(()));
    assert_eq!((text(&to).as_str(), from.exists()), ("new", false));
}

#[test]
fn a_taken_name_is_kept_where_the_file_system_lacks_the_one_step() {
    let dir = dir();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, "new").expect("written");
    fs::write(&to, "old").expect("written");
    let host = Answering::new(no_such_step);
    let refused = run_ready(file::rename_new(&host, &from, &to)).expect_err("taken");
    assert_eq!((refused.errno, text(&to).as_str()), (Errno::EXIST, "old"));
}

#[test]
fn a_rename_that_fails_is_not_made_in_another_way() {
    let dir = dir();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, "new").expect("written");
    let host = Answering::new(|effect| match effect {
        Effect::Rename { over: OnExisting::Refuse, .. } => Some(Err(Errno::ROFS)),
        _ => None,
    });
    let refused = run_ready(file::rename_new(&host, &from, &to)).expect_err("read-only");
    assert_eq!((refused.errno, from.exists()), (Errno::ROFS, true));
}

#[test]
fn a_log_that_grew_too_long_behind_our_back_is_put_aside() {
    let dir = dir();
    let path = dir.path().join("container-boot.log");
    let long = "a line\n".repeat(200_000);
    fs::write(&path, &long).expect("written");
    assert_eq!(run_ready(boot_log::append(&OsHost::new(), &path, "new\n")), Ok(()));
    assert_eq!(text(&path), "new\n");
    assert_eq!(text(&dir.path().join("container-boot.log.1")), long);
}

#[test]
fn a_log_that_cannot_be_read_is_not_written_on() {
    let dir = dir();
    let path = dir.path().join("container-boot.log");
    fs::write(&path, "torn").expect("written");
    let host =
        Answering::new(|effect| matches!(effect, Effect::Read { .. }).then_some(Err(Errno::IO)));
    let refused = run_ready(boot_log::append(&host, &path, "new\n")).expect_err("unread");
    assert_eq!((refused.errno, text(&path).as_str()), (Errno::IO, "torn"));
}

#[rstest]
#[case::too_long(None, "it is longer than 1048576 bytes")]
#[case::no_file(Some(Errno::INVAL), "it is not a regular file")]
#[case::refused(Some(Errno::ACCESS), "permission denied")]
fn a_record_that_cannot_be_read_is_odd_and_says_why(
    #[case] refused: Option<Errno>,
    #[case] expected: &str,
) {
    let dir = dir();
    let path = dir.path().join("gateway_intent.json");
    fs::write(&path, vec![b' '; file::RECORD_BYTES_MAX + 1]).expect("written");
    let host = Answering::new(|effect| match effect {
        Effect::Read { .. } => refused.map(Err),
        _ => None,
    });
    match run_ready(intent::read(&host, &path)) {
        Reading::Unusable(warning) => assert_eq!(warning.reason, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lock_that_the_machine_refuses_is_not_waited_for() {
    let dir = dir();
    let layout = Layout::from_home(dir.path());
    let coder = Profile::parse("coder").expect("legal");
    let asked = Cell::new(0);
    let host = Answering::new(|effect| match effect {
        Effect::Lock { .. } => {
            asked.set(asked.get() + 1);
            Some(Err(Errno::IO))
        }
        _ => None,
    });
    let taken = run_ready(lock::acquire(&host, &layout, &coder, Duration::from_secs(60)));
    let refused = matches!(&taken, Err(LockError::Host(error)) if error.errno == Errno::IO);
    assert!(refused, "{taken:?}");
    assert_eq!(asked.get(), 1);
}

#[rstest]
#[case::made_just_now("", 2)]
#[case::there_already("a line\n", 1)]
fn a_new_logs_name_is_made_durable_with_its_lines(#[case] before: &str, #[case] expected: usize) {
    let dir = dir();
    let path = dir.path().join("container-boot.log");
    if !before.is_empty() {
        fs::write(&path, before).expect("written");
    }
    let synced = Cell::new(0);
    let host = Answering::new(|effect| {
        synced.set(synced.get() + usize::from(matches!(effect, Effect::Sync { .. })));
        None
    });
    assert_eq!(run_ready(boot_log::append(&host, &path, "new\n")), Ok(()));
    assert_eq!((text(&path), synced.get()), (format!("{before}new\n"), expected));
}

#[test]
fn nobody_waits_longer_than_asked() {
    let clock = Cell::new(Duration::from_secs(100));
    let host = Answering::new(|effect| match effect {
        Effect::Now { .. } => Some(Ok(Answer::Time(clock.get()))),
        Effect::Sleep { duration } => {
            clock.set(clock.get() + *duration);
            Some(Ok(Answer::Done))
        }
        _ => None,
    });
    let look = async || Ok::<Option<()>, HostError>(None);
    let waited = run_ready(file::poll(&host, Duration::from_millis(75), look));
    assert_eq!((waited, clock.get()), (Ok(None), Duration::from_millis(100_075)));
}
