//! Whom root becomes, by what lies in `/run`: only what is root's alone to write counts.

use rstest::rstest;

use super::*;
use crate::host::answering::Answering;
use crate::host::effect::{Answer, Effect, Handle};
use crate::host::os::run_ready;

const HERMES: Ids = Ids { uid: 1000, gid: 1001 };

fn meta(kind: FileKind, uid: u32, mode: u32) -> Meta {
    Meta { kind, mode, uid, gid: 0, size: 10, identity: (1, 2), links: 1 }
}

/// What counts as recorded where the directory and the record are these.
fn found(dir: Meta, record: Meta, text: &str) -> Result<Option<Ids>, Errno> {
    let host = Answering::new(|effect| {
        Some(match effect {
            Effect::Open { place, .. } if place.path == Path::new(DIR) => {
                Ok(Answer::Handle(Handle(1)))
            }
            Effect::Open { .. } if record.kind == FileKind::Link => Err(Errno::LOOP),
            Effect::Open { .. } => Ok(Answer::Handle(Handle(2))),
            Effect::HandleMeta { handle: Handle(1) } => Ok(Answer::Meta(dir.clone())),
            Effect::HandleMeta { .. } => Ok(Answer::Meta(record.clone())),
            Effect::Read { .. } => Ok(Answer::Bytes(text.as_bytes().to_vec())),
            Effect::Close { .. } => Ok(Answer::Done),
            other => panic!("not asked for: {other:?}"),
        })
    });
    run_ready(recorded(&host)).map_err(|error| error.errno)
}

#[rstest]
#[case::as_the_boot_writes_it(0o755, 0, FileKind::File, 0, 0o644, Some(HERMES))]
#[case::in_a_sticky_directory(0o1777, 0, FileKind::File, 0, 0o644, Some(HERMES))]
#[case::its_directory_is_anybodys(0o777, 0, FileKind::File, 0, 0o644, None)]
#[case::its_directory_is_somebody_elses(0o755, 1000, FileKind::File, 0, 0o644, None)]
#[case::it_is_somebody_elses(0o755, 0, FileKind::File, 1000, 0o644, None)]
#[case::its_group_writes_it(0o755, 0, FileKind::File, 0, 0o664, None)]
#[case::everybody_writes_it(0o755, 0, FileKind::File, 0, 0o646, None)]
#[case::it_is_a_link(0o755, 0, FileKind::Link, 0, 0o777, None)]
#[case::it_is_a_fifo(0o755, 0, FileKind::Fifo, 0, 0o644, None)]
fn a_record_is_roots_alone(
    #[case] dir_mode: u32,
    #[case] dir_owner: u32,
    #[case] kind: FileKind,
    #[case] owner: u32,
    #[case] mode: u32,
    #[case] expected: Option<Ids>,
) {
    let dir = meta(FileKind::Directory, dir_owner, dir_mode);
    assert_eq!(found(dir, meta(kind, owner, mode), "1000 1001\n"), Ok(expected));
}

#[rstest]
#[case("1000 1001\n", Some(HERMES))]
#[case("0 1001\n", None)]
#[case("1000 1001", None)]
#[case("1000\n", None)]
#[case("1000 1001 1002\n", None)]
#[case("-1 1001\n", None)]
#[case("", None)]
fn a_record_is_two_numbers_and_never_roots(#[case] text: &str, #[case] expected: Option<Ids>) {
    let dir = meta(FileKind::Directory, 0, 0o755);
    assert_eq!(found(dir, meta(FileKind::File, 0, 0o644), text), Ok(expected));
}
