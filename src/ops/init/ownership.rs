//! Everything below the home belongs to hermes, whichever user made it: files that `docker exec` left as root are given
//! back at boot.
//!
//! Walks by open directories, two at a time, follows no link, stays on the home's file system, and never gives away a file that has
//! other names: hermes could have planted a second name of a file of root's. Whatever fails is noted, and the boot goes on.

use std::path::{Component, Path};

use crate::error::{Errno, HostError};
use crate::host::Host;
use crate::host::effect::{DirEntry, FileKind, Meta, OpenMode};
use crate::host::fs::{self, File};
use crate::record::users::Ids;

/// Deeper directories are not walked: each level costs memory for the names that are still to be looked at.
const DEPTH_MAX: usize = 1_000;

/// What the walk did.
#[derive(Debug, Default)]
struct RepairTally {
    given: u64,
    kept: Skipped,
    failed: Skipped,
}

#[derive(Debug, Default)]
struct Skipped {
    count: u64,
    first: Option<String>,
}

impl Skipped {
    fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        self.first.get_or_insert_with(what);
    }

    fn note(self, words: &str) -> Option<String> {
        self.first.map(|first| format!("{} below the home {words}, first {first}", self.count))
    }
}

/// Gives the home and all below it to hermes.
pub(super) async fn repair(host: &impl Host, home: &Path, user: Ids, notes: &mut Vec<String>) {
    let mut report = RepairTally::default();
    if let Err(error) = repair_home(host, home, user, &mut report).await {
        notes.push(format!("the owner of the home was not looked at: {error}"));
    }
    if report.given > 0 {
        notes.push(format!("{} below the home given to {}:{}", report.given, user.uid, user.gid));
    }
    notes.extend(report.kept.note("kept their owner, having other names or a strange kind"));
    notes.extend(report.failed.note("could not be given to hermes"));
}

async fn repair_home(
    host: &impl Host,
    home: &Path,
    user: Ids,
    report: &mut RepairTally,
) -> Result<(), HostError> {
    let (above, dir) = open_home(host, home).await?;
    let meta = fs::handle_meta(host, &dir).await?;
    let device = meta.identity.0;
    let name = home.file_name().unwrap_or_default();
    give(host, &above, Path::new(name), &meta, user, report).await;
    fs::close(host, above).await?;
    let walked = Walk { user, device };
    walk(host, dir, meta.identity, home, &walked, report).await
}

/// Opens the home and the directory above it, refusing a link in every part of the path: part of it may be hermes' own.
/// What is missing is made.
async fn open_home(host: &impl Host, home: &Path) -> Result<(File, File), HostError> {
    let mut above = fs::open_no_link(host, "/", OpenMode::Directory).await?;
    let mut parts = home.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let mut dir = open_or_make(host, &above, parts.next().unwrap_or_default()).await?;
    for part in parts {
        let next = open_or_make(host, &dir, part).await?;
        fs::close(host, above).await?;
        above = std::mem::replace(&mut dir, next);
    }
    Ok((above, dir))
}

async fn open_or_make(
    host: &impl Host,
    above: &File,
    name: &std::ffi::OsStr,
) -> Result<File, HostError> {
    match fs::open_no_link(host, above.entry(name), OpenMode::Directory).await {
        Err(error) if error.is_absent() => {
            fs::make_dir(host, above.entry(name), 0o755).await?;
            fs::open_no_link(host, above.entry(name), OpenMode::Directory).await
        }
        other => other,
    }
}

/// What stays the same on the whole walk.
struct Walk {
    user: Ids,
    device: u64,
}

/// A directory on the way from the home to the one that is open.
struct Level {
    identity: (u64, u64),
    rest: std::vec::IntoIter<DirEntry>,
}

/// Walks the home and all below. Only one directory stays open; the way back is its `..`, checked to be where we came from.
async fn walk(
    host: &impl Host,
    home: File,
    identity: (u64, u64),
    path: &Path,
    walk: &Walk,
    report: &mut RepairTally,
) -> Result<(), HostError> {
    let (mut dir, mut path) = (home, path.to_owned());
    let mut levels = Vec::new();
    let listed = fs::list(host, &dir).await;
    let failed = listed.as_ref().err().cloned();
    levels.push(Level { identity, rest: listed.unwrap_or_default().into_iter() });
    while let Some(level) = levels.last_mut() {
        if let Some(entry) = level.rest.next() {
            let below = path.join(&entry.name);
            match look(host, &dir, Path::new(&entry.name), walk, report).await {
                Ok(None) => {}
                Ok(Some((inner, _))) if levels.len() > DEPTH_MAX => {
                    report.failed.add(|| format!("{}: too deep", below.display()));
                    fs::close(host, inner).await?;
                }
                Ok(Some((inner, identity))) => {
                    if !planted!(WalkKeepsEveryLevelOpen) {
                        mark!("H66");
                        fs::close(host, dir).await?;
                    }
                    (dir, path) = (inner, below);
                    let listed = fs::list(host, &dir).await.unwrap_or_else(|error| {
                        report.failed.add(|| format!("{}: {}", path.display(), error.errno));
                        Vec::new()
                    });
                    levels.push(Level { identity, rest: listed.into_iter() });
                }
                Err(error) => report.failed.add(|| format!("{}: {}", below.display(), error.errno)),
            }
            continue;
        }
        levels.pop();
        let Some(above) = levels.last() else { break };
        let back = go_back(host, &dir, above.identity).await;
        fs::close(host, dir).await?;
        match back {
            Ok(back) => dir = back,
            Err(error) => {
                report.failed.add(|| format!("{}: {}", path.display(), error.errno));
                return Ok(());
            }
        }
        path.pop();
    }
    fs::close(host, dir).await?;
    failed.map_or(Ok(()), Err)
}

/// Opens the directory above, if it is still the one that we came from: somebody may have moved ours meanwhile.
async fn go_back(host: &impl Host, dir: &File, identity: (u64, u64)) -> Result<File, HostError> {
    let above = fs::open_no_link(host, dir.entry(".."), OpenMode::Directory).await?;
    let meta = fs::handle_meta(host, &above).await;
    if meta.as_ref().is_ok_and(|meta| meta.identity == identity) {
        return Ok(above);
    }
    fs::close(host, above).await?;
    Err(meta.err().unwrap_or(HostError::new("return from", &dir.path, Errno::AGAIN)))
}

/// Gives one entry to hermes; a directory of the same file system comes back open, with its identity.
async fn look(
    host: &impl Host,
    dir: &File,
    name: &Path,
    walk: &Walk,
    report: &mut RepairTally,
) -> Result<Option<(File, (u64, u64))>, HostError> {
    let meta = fs::link_meta(host, dir.entry(name)).await?;
    if meta.identity.0 != walk.device {
        return Ok(None);
    }
    give(host, dir, name, &meta, walk.user, report).await;
    if meta.kind != FileKind::Directory {
        return Ok(None);
    }
    let inner = fs::open_no_link(host, dir.entry(name), OpenMode::Directory).await?;
    let opened = fs::handle_meta(host, &inner).await?;
    if opened.identity == meta.identity {
        return Ok(Some((inner, opened.identity)));
    }
    // Somebody put another in its place meanwhile, a mount perhaps: it is not what was looked at.
    fs::close(host, inner).await?;
    Err(HostError::new("open", name, Errno::AGAIN))
}

async fn give(
    host: &impl Host,
    dir: &File,
    name: &Path,
    meta: &Meta,
    user: Ids,
    report: &mut RepairTally,
) {
    match verdict(meta, user) {
        OwnerVerdict::Hers => {}
        OwnerVerdict::Keep => report.kept.add(|| name.display().to_string()),
        OwnerVerdict::Give => {
            match fs::set_owner(host, dir.entry(name), user.uid, user.gid).await {
                Ok(()) => report.given += 1,
                Err(error) => {
                    report.failed.add(|| format!("{}: {}", name.display(), error.errno));
                }
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum OwnerVerdict {
    Hers,
    Give,
    Keep,
}

fn verdict(meta: &Meta, user: Ids) -> OwnerVerdict {
    let is_hers = meta.uid == user.uid;
    match meta.kind {
        _ if is_hers && meta.gid == user.gid => OwnerVerdict::Hers,
        FileKind::Directory => OwnerVerdict::Give,
        FileKind::File | FileKind::Link | FileKind::Fifo
            if is_hers || meta.links <= 1 || planted!(HardLinkGivenAway) =>
        {
            OwnerVerdict::Give
        }
        FileKind::File | FileKind::Link | FileKind::Fifo | FileKind::Other => {
            mark!("H25");
            OwnerVerdict::Keep
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::host::answering::Answering;
    use crate::host::effect::{Answer, Effect};
    use crate::host::os::{OsHost, run_ready};
    use crate::record::file;
    use rstest::rstest;

    #[rstest]
    #[case(FileKind::File, 10, 10, 5, OwnerVerdict::Hers)]
    #[case(FileKind::File, 0, 0, 1, OwnerVerdict::Give)]
    #[case(FileKind::File, 0, 0, 2, OwnerVerdict::Keep)]
    #[case(FileKind::File, 10, 0, 2, OwnerVerdict::Give)]
    #[case(FileKind::Link, 0, 0, 1, OwnerVerdict::Give)]
    #[case(FileKind::Directory, 0, 0, 9, OwnerVerdict::Give)]
    #[case(FileKind::Other, 0, 0, 1, OwnerVerdict::Keep)]
    fn a_file_with_another_name_is_never_given_away(
        #[case] kind: FileKind,
        #[case] uid: u32,
        #[case] gid: u32,
        #[case] links: u64,
        #[case] expected: OwnerVerdict,
    ) {
        let meta = Meta { kind, mode: 0o644, uid, gid, size: 0, identity: (1, 2), links };
        assert_eq!(verdict(&meta, Ids { uid: 10, gid: 10 }), expected);
    }

    fn own(home: &Path) -> Ids {
        let meta = run_ready(fs::link_meta(&OsHost::new(), home)).expect("a home");
        Ids { uid: meta.uid, gid: meta.gid }
    }

    /// A home with two files, looked at for this user; the notes.
    fn repaired(user: impl FnOnce(Ids) -> Ids, answer: Result<(), Errno>) -> Vec<String> {
        let home = tempfile::tempdir().expect("a temporary directory");
        let host = Answering::new(|effect| {
            matches!(effect, Effect::SetOwner { .. }).then_some(answer.map(|()| Answer::Done))
        });
        for name in ["one", "two"] {
            let path = home.path().join(name);
            run_ready(file::replace(&host, &path, b"", 0o644)).expect("a file");
        }
        let mut notes = Vec::new();
        let user = user(own(home.path()));
        run_ready(repair(&host, home.path(), user, &mut notes));
        notes
    }

    #[test]
    fn what_is_given_is_counted() {
        let notes = repaired(|_| Ids { uid: 7, gid: 8 }, Ok(()));
        assert_eq!(notes, ["3 below the home given to 7:8"]);
    }

    #[test]
    fn what_is_hers_already_is_no_note() {
        assert_eq!(repaired(|own| own, Ok(())), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_given_is_counted_and_the_first_is_named() {
        let notes = repaired(|_| Ids { uid: 7, gid: 8 }, Err(Errno::ROFS));
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        assert!(
            note.starts_with("3 below the home could not be given to hermes, first "),
            "{note}"
        );
    }

    #[test]
    fn a_home_that_is_too_deep_is_walked_as_far_as_that() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let host = OsHost::new();
        let deepest = (0..=DEPTH_MAX).fold(home.path().to_owned(), |dir, _| dir.join("d"));
        run_ready(file::make_dirs(&host, &deepest, 0o755)).expect("directories");
        let mut notes = Vec::new();
        run_ready(repair(&host, home.path(), own(home.path()), &mut notes));
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        assert!(
            note.starts_with("1 below the home could not be given to hermes, first "),
            "{note}"
        );
        assert!(note.ends_with("/d: too deep"), "{note}");
    }
    #[test]
    fn a_part_of_the_homes_path_that_cannot_be_opened_is_named_with_its_reason() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let user = own(home.path());
        let host = Answering::new(|effect| match effect {
            Effect::Open { place, .. } if place.path.ends_with("tmp") => Some(Err(Errno::LOOP)),
            _ => None,
        });
        let mut notes = Vec::new();
        run_ready(repair(&host, Path::new("/tmp/home"), user, &mut notes));
        let refused = HostError::new("open", "tmp", Errno::LOOP);
        assert_eq!(notes, [format!("the owner of the home was not looked at: {refused}")]);
    }
}
