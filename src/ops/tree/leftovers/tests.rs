//! What a killed scanner left, on a machine whose clock goes on for those alone who wait.

use std::cell::{Cell, RefCell};

use rstest::rstest;

use super::*;
use crate::host::answering::Answering;
use crate::host::effect::{Answer, Effect};
use crate::host::os::{OsHost, run_ready};

const LIMIT: Duration = Duration::from_secs(9);

/// A supervisor that ends once it was told this.
type Ends = Option<&'static str>;

const NEVER: Ends = Some("never");

/// What bringing down came to.
#[derive(Debug, Default, PartialEq)]
struct Ended {
    service_told: String,
    logger_told: String,
    notes: Vec<String>,
    waited: Duration,
}

/// One slot with its logger; `None` has no live supervisor.
fn brought_down(service: Ends, logger: Ends) -> Ended {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (slot, log) = (dir.path().join("s"), dir.path().join("s/log"));
    for service in [&slot, &log, &dir.path().join(".s6-svscan")] {
        for name in ["supervise/lock", "supervise/control"] {
            let path = service.join(name);
            run_ready(file::make_dirs(&OsHost::new(), file::parent(&path), 0o755)).expect("made");
            run_ready(file::replace(&OsHost::new(), &path, b"", 0o644)).expect("written");
        }
    }
    let (opened, ended) = (RefCell::new(PathBuf::new()), RefCell::new(Ended::default()));
    let clock = Cell::new(Duration::ZERO);
    let host = Answering::new(|effect| match effect {
        Effect::Open { place, .. } => {
            opened.replace(place.path.clone());
            None
        }
        Effect::IsLocked { .. } => {
            let (is, told) = match opened.borrow().starts_with(&log) {
                true => (logger, ended.borrow().logger_told.clone()),
                false => (service, ended.borrow().service_told.clone()),
            };
            Some(Ok(Answer::Flag(is.is_some_and(|ends| ends != told))))
        }
        Effect::Write { bytes, .. } => {
            let letters = String::from_utf8_lossy(bytes);
            let ended = &mut *ended.borrow_mut();
            match opened.borrow().starts_with(&log) {
                true => ended.logger_told += &letters,
                false => ended.service_told += &letters,
            }
            Some(Ok(Answer::Count(bytes.len())))
        }
        Effect::Now { .. } => Some(Ok(Answer::Time(clock.get()))),
        Effect::Sleep { duration } => {
            clock.set(clock.get() + *duration);
            Some(Ok(Answer::Done))
        }
        _ => None,
    });
    let mut notes = Vec::new();
    assert_eq!(run_ready(bring_down(&host, dir.path(), LIMIT, &mut notes)), Ok(()));
    drop(host);
    let root = format!("{}/", dir.path().display());
    let notes = notes.iter().map(|note| note.replace(&root, "")).collect();
    Ended { notes, waited: clock.get(), ..ended.into_inner() }
}

const TWO: &str = "supervisors that outlived a killed scanner are brought down first: 2";
const ONE: &str = "supervisors that outlived a killed scanner are brought down first: 1";
const LATE: &str = "the supervisor of `s` does not end: its successor waits for it";
const LATE_LOG: &str = "the supervisor of `s/log` does not end: its successor waits for it";

#[rstest]
#[case::both_end_when_told(Some("dx"), Some("x"), ["dx", "x"], &[TWO], 0)]
#[case::the_logger_is_told_twice(Some("dx"), Some("xdx"), ["dx", "xdx"], &[TWO], 1)]
#[case::only_the_service_lives(Some("dx"), None, ["dx", ""], &[ONE], 0)]
#[case::only_the_logger_lives(None, Some("x"), ["", "x"], &[ONE], 0)]
#[case::the_service_never_ends(NEVER, None, ["dx", ""], &[ONE, LATE], 9)]
#[case::the_logger_never_ends(None, NEVER, ["", "xdx"], &[ONE, LATE_LOG], 2)]
#[case::nobody_was_left(None, None, ["", ""], &[], 0)]
fn supervisors_are_told_services_first_and_waited_for(
    #[case] service: Ends,
    #[case] logger: Ends,
    #[case] told: [&str; 2],
    #[case] notes: &[&str],
    #[case] waited: u64,
) {
    let [service_told, logger_told] = told.map(str::to_owned);
    let expected = Ended {
        service_told,
        logger_told,
        notes: notes.iter().map(|&note| note.to_owned()).collect(),
        waited: Duration::from_secs(waited),
    };
    assert_eq!(brought_down(service, logger), expected);
}
