//! How PID 1's services end: on the real machine, but for the files of root's.

use std::cell::RefCell;

use rstest::rstest;

use super::*;
use crate::host::answering::Answering;
use crate::host::effect::{Answer, Effect, FileKind, Handle, Meta};
use crate::host::os::{OsHost, run_ready};

const NOTE: Meta =
    Meta { kind: FileKind::File, mode: 0o644, uid: 0, gid: 0, size: 3, identity: (1, 2), links: 1 };

/// What is written into a file or FIFO, one entry a write.
fn written_by(
    act: impl AsyncFn(&Answering<&dyn Fn(&Effect) -> Option<crate::host::Outcome>>),
) -> Vec<String> {
    let written = RefCell::new(Vec::new());
    let answer = |effect: &Effect| {
        Some(Ok(match effect {
            Effect::Open { .. } => Answer::Handle(Handle(9)),
            Effect::Random => Answer::Number(7),
            Effect::Write { bytes, .. } => {
                written.borrow_mut().push(String::from_utf8_lossy(bytes).into_owned());
                Answer::Count(bytes.len())
            }
            _ => Answer::Done,
        }))
    };
    let host = Answering::new(&answer as &dyn Fn(&Effect) -> _);
    run_ready(act(&host));
    drop(host);
    written.into_inner()
}

#[rstest]
#[case::it_exited(7, 0, "7\n")]
#[case::a_signal_ended_it(256, 15, "143\n")]
fn the_commands_end_is_noted_before_pid_1_is_stopped(
    #[case] code: u32,
    #[case] signal: u32,
    #[case] noted: &str,
) {
    let written = written_by(async |host| {
        assert_eq!(command_ended(host, code, signal).await, Ok(()));
    });
    assert_eq!(written, [noted, "t"]);
}

#[rstest]
#[case::it_is_noted(Some("7\n"), 7)]
#[case::there_was_no_command(None, 0)]
#[case::it_is_no_number(Some("x"), 0)]
fn the_container_ends_with_its_commands_code(
    #[case] noted: Option<&'static str>,
    #[case] expected: u8,
) {
    let unread = RefCell::new(noted.unwrap_or_default());
    let host = Answering::new(|effect| {
        Some(match effect {
            Effect::Open { .. } if noted.is_none() => Err(Errno::NOENT),
            Effect::Open { .. } => Ok(Answer::Handle(Handle(9))),
            Effect::HandleMeta { .. } => Ok(Answer::Meta(NOTE)),
            Effect::Read { .. } => Ok(Answer::Bytes(unread.take().into())),
            _ => Ok(Answer::Done),
        })
    });
    assert_eq!(run_ready(exit_code(&host)), Ok(expected));
}

#[rstest]
#[case::a_guest(3, 1, 125)]
#[case::anything_else(1, 0, 0)]
fn a_tree_that_is_a_guest_stays_down_and_any_other_end_is_none(
    #[case] code: u32,
    #[case] marks: usize,
    #[case] expected: u8,
) {
    let opened = RefCell::new(0);
    let host = Answering::new(|effect| {
        Some(Ok(match effect {
            Effect::Open { place, .. } => {
                assert_eq!(place.path, Path::new(GUEST_FLAG));
                *opened.borrow_mut() += 1;
                Answer::Handle(Handle(9))
            }
            _ => Answer::Done,
        }))
    });
    assert_eq!(run_ready(gateways_ended(&host, code)), Ok(expected));
    assert_eq!(*opened.borrow(), marks);
}

#[rstest]
#[case::of_the_path("sh", Some("/bin"), "/bin/sh")]
#[case::by_its_own_path("/bin/sh", None, "/bin/sh")]
#[case::from_where_it_starts("./sh", None, "/bin/./sh")]
fn a_command_is_found_as_a_shell_finds_it(
    #[case] word: &str,
    #[case] path: Option<&str>,
    #[case] expected: &str,
) {
    let host = Answering::new(|effect| match effect {
        Effect::Exec { program } => {
            assert_eq!(program.path, Path::new(expected));
            Some(Err(Errno::NOMEM))
        }
        _ => None,
    });
    let env = path.map(|path| ("PATH".into(), path.into())).into_iter().collect();
    let error = run_ready(become_command(&host, &[word.into()], Path::new("/bin"), &env));
    assert_eq!(error.errno, Errno::NOMEM);
}

#[test]
fn a_command_that_is_nowhere_is_said_to_be() {
    let env = BTreeMap::from([("PATH".into(), "/nowhere".into())]);
    let words = ["no-such-program".into()];
    let error = run_ready(become_command(&OsHost::new(), &words, Path::new("/"), &env));
    assert_eq!(error.errno, Errno::NOENT);
}

#[test]
fn the_directory_is_entered_before_root_is_given_up() {
    let asked = RefCell::new(Vec::new());
    let host = Answering::new(|effect| {
        asked.borrow_mut().push(effect.clone());
        Some(Ok(match effect {
            Effect::Open { .. } => Answer::Handle(Handle(9)),
            _ => Answer::Done,
        }))
    });
    let user = Some(Ids { uid: 7, gid: 8 });
    assert_eq!(run_ready(enter(&host, Path::new("/root"), user)), Ok(()));
    let asked = asked.into_inner();
    let at = |is: fn(&Effect) -> bool| asked.iter().position(is).expect("asked for");
    let entered = at(|effect| matches!(effect, Effect::ChangeDir { .. }));
    let groups = at(|effect| matches!(effect, Effect::SetGroups { .. }));
    let group = at(|effect| matches!(effect, Effect::SetGid { gid: 8 }));
    let user = at(|effect| matches!(effect, Effect::SetUid { uid: 7 }));
    assert!(entered < groups && groups < group && group < user, "{asked:?}");
}
