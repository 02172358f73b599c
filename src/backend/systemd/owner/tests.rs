//! Which homes root writes units for, and whose a unit is.

use std::collections::BTreeMap;

use rstest::rstest;

use super::*;
use crate::error::Errno;
use crate::host::answering::Answering;
use crate::host::effect::{Answer, Effect, LinkPolicy};
use crate::host::os::run_ready;

const ANN: u32 = 1000;
const BOB: u32 = 1001;
const HOME: &str = "/home/ann/.hermes";

type Found = (FileKind, u32, u32);

const DIR: FileKind = FileKind::Directory;

/// A machine with these directories; of each the group has its owner's number.
fn machine(changes: &[(&'static str, Found)]) -> impl Host {
    let mut found = BTreeMap::from([
        ("/", (DIR, 0, 0o755)),
        ("/home", (DIR, 0, 0o755)),
        ("/home/ann", (DIR, ANN, 0o755)),
        (HOME, (DIR, ANN, 0o755)),
    ]);
    found.extend(changes.iter().copied());
    Answering::new(move |effect| {
        let Effect::Meta { place, links } = effect else { return Some(Err(Errno::NOENT)) };
        let known = place.path.to_str().and_then(|path| found.get(path));
        let Some(&(kind, uid, mode)) = known else { return Some(Err(Errno::NOENT)) };
        // What a link of these leads to is root's.
        let (kind, uid, mode) = match (kind, links) {
            (FileKind::Link, LinkPolicy::Follow) => (DIR, 0, 0o755),
            _ => (kind, uid, mode),
        };
        let (size, identity, links) = (0, (1, 2), 1);
        Some(Ok(Answer::Meta(Meta { kind, mode, uid, gid: uid, size, identity, links })))
    })
}

#[rstest]
#[case::as_it_is(&[], Ok(ANN))]
#[case::root_owns_all(&[("/home/ann", (DIR, 0, 0o755)), (HOME, (DIR, 0, 0o755))], Ok(0))]
#[case::the_home_is_a_link(&[(HOME, (FileKind::Link, ANN, 0o777))], Err("user 1000's link to what is user 0's"))]
#[case::a_link_above_is_roots(&[("/home", (FileKind::Link, 0, 0o777))], Ok(ANN))]
#[case::a_link_above_is_the_owners(&[("/home/ann", (FileKind::Link, ANN, 0o777))], Err("link of user 1000"))]
#[case::somebody_else_is_above(&[("/home/ann", (DIR, BOB, 0o755))], Err("user 1000's, and `/home/ann` above it is user 1001's"))]
#[case::roots_home_below_a_users(&[(HOME, (DIR, 0, 0o755))], Err("user 0's, and `/home/ann` above it is user 1000's"))]
#[case::everybody_writes_above(&[("/home", (DIR, 0, 0o1777))], Err("others may write in `/home`"))]
#[case::roots_group_writes_above(&[("/home", (DIR, 0, 0o775))], Ok(ANN))]
#[case::its_own_group_writes_above(&[("/home/ann", (DIR, ANN, 0o775))], Ok(ANN))]
#[case::others_write_in_roots_home(&[("/home/ann", (DIR, 0, 0o755)), (HOME, (DIR, 0, 0o775))], Err("others may write in it"))]
fn a_home_is_trusted_if_nobody_else_can_replace_it(
    #[case] changes: &[(&'static str, Found)],
    #[case] expected: Result<u32, &str>,
) {
    let host = machine(changes);
    match (run_ready(trusted(&host, Path::new(HOME))), expected) {
        (Ok(owner), Ok(expected)) => assert_eq!(owner, expected),
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
        (found, expected) => panic!("{found:?}, not {expected:?}"),
    }
}

#[rstest]
#[case::there_is_no_unit_yet(None, Ok(ANN))]
#[case::it_is_the_same(Some("[Service]\nUser=1000\n"), Ok(ANN))]
#[case::it_was_somebody_elses(
    Some("User=1001\n"),
    Err("it was user 1001's when its unit was installed, and is user 1000's now")
)]
#[case::it_was_roots(Some("[Service]\n"), Err("it was user 0's"))]
fn a_unit_keeps_its_owner(#[case] unit: Option<&str>, #[case] expected: Result<u32, &str>) {
    let host = machine(&[]);
    match (run_ready(of_unit(&host, Path::new(HOME), unit)), expected) {
        (Ok(owner), Ok(expected)) => assert_eq!(owner, expected),
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
        (found, expected) => panic!("{found:?}, not {expected:?}"),
    }
}
