//! Removes directories with all that lies in them: no link is followed, and neither the stack nor the number of open
//! directories grows with the depth.
//!
//! ```text
//!   TOP/a/b/c/d/e/f/g/h/…   the open levels end at LEVELS_MAX; what is a directory below is moved up:
//!   TOP/.lifted-0/…         removed like any other entry of TOP
//! ```
//!
//! Each directory is moved at most once for `LEVELS_MAX` levels, so the work grows with the number of entries only. A
//! removal that is interrupted, or ends because it may remove no more, is gone on with by the next one.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::error::{Errno, HostError, if_present};
use crate::host::Host;
use crate::host::effect::{DirEntry, FileKind, OnExisting, OpenMode, Place};
use crate::host::fs::{self, File};

/// The number of directories open at once, where those below can be moved.
const LEVELS_MAX: usize = 8;

/// The same where they cannot: a directory of a lower layer of an overlay file system answers `EXDEV`.
const LEVELS_MAX_UNMOVED: usize = 64;

/// The beginning of the names that directories get when they are moved up.
const LIFTED_PREFIX: &str = ".lifted-";

type Result<T> = std::result::Result<T, HostError>;

/// Whether a removal reached its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nothing is left.
    Whole,
    /// The allowance was used up: the next removal goes on from here.
    Begun,
}

/// Removes a directory and all below it. An absent one is removed already.
pub async fn remove(host: &impl Host, path: &Path) -> Result<()> {
    remove_within(host, path, &mut { u64::MAX }).await.map(drop)
}

/// The same, up to a number of entries; what is removed is taken off the allowance.
pub async fn remove_within(host: &impl Host, path: &Path, allowance: &mut u64) -> Result<Removal> {
    let place = Place::from(path);
    if if_present(fs::link_meta(host, place.clone()).await)?
        .is_some_and(|meta| meta.kind != FileKind::Directory)
    {
        return Err(HostError::new("remove directory", path, Errno::NOTDIR));
    }
    let opened = fs::open_no_link(host, place.clone(), OpenMode::Directory).await;
    let Some(top) = if_present(opened)? else { return Ok(Removal::Whole) };
    let emptied = empty(host, &top, allowance).await;
    fs::close(host, top).await?;
    if emptied? == Removal::Begun {
        return Ok(Removal::Begun);
    }
    if_present(fs::remove_dir(host, place).await)?;
    Ok(Removal::Whole)
}

/// Removes all that lies in an open directory.
pub async fn remove_contents(host: &impl Host, dir: &File) -> Result<()> {
    empty(host, dir, &mut { u64::MAX }).await.map(drop)
}

/// What one removal has used.
struct Work<'a> {
    allowance: &'a mut u64,
    lifted: u64,
}

async fn empty(host: &impl Host, top: &File, allowance: &mut u64) -> Result<Removal> {
    let mut work = Work { allowance, lifted: 0 };
    loop {
        let lifted_before = work.lifted;
        for entry in fs::list(host, top).await? {
            let mut levels = Vec::new();
            let removed = remove_entry(host, top, entry, &mut levels, &mut work).await;
            for level in levels.into_iter().rev() {
                fs::close(host, level.dir).await?;
            }
            if removed? == Removal::Begun {
                return Ok(Removal::Begun);
            }
        }
        if work.lifted == lifted_before {
            return Ok(Removal::Whole);
        }
    }
}

/// A directory that is being emptied.
struct Level {
    dir: File,
    name: OsString,
    rest: std::vec::IntoIter<DirEntry>,
}

/// Removes one entry of the top. What is open when it fails or ends early is left in `levels`, for the caller to close.
async fn remove_entry(
    host: &impl Host,
    top: &File,
    entry: DirEntry,
    levels: &mut Vec<Level>,
    work: &mut Work<'_>,
) -> Result<Removal> {
    let mut next = Some(entry);
    loop {
        if let Some(entry) = next {
            if *work.allowance == 0 {
                return Ok(Removal::Begun);
            }
            *work.allowance -= 1;
            remove_or_enter(host, top, entry.name, levels, work).await?;
        }
        let Some(level) = levels.last_mut() else { return Ok(Removal::Whole) };
        next = level.rest.next();
        if next.is_none() {
            leave(host, top, levels).await?;
        }
    }
}

/// Removes a name of the innermost open directory, or makes what it names the innermost one.
async fn remove_or_enter(
    host: &impl Host,
    top: &File,
    name: OsString,
    levels: &mut Vec<Level>,
    work: &mut Work<'_>,
) -> Result<()> {
    let dir = innermost(top, levels);
    let place = dir.entry(&name);
    match if_present(fs::link_meta(host, place.clone()).await)?.map(|meta| meta.kind) {
        None => Ok(()),
        Some(FileKind::Directory) => {
            if levels.len() >= LEVELS_MAX && !planted!(RemovalOpensEveryLevel) {
                mark!("H66");
                match lift(host, dir, &name, top, work).await {
                    Err(_) if levels.len() < LEVELS_MAX_UNMOVED => {}
                    lifted => return lifted,
                }
            }
            enter(host, place, name, levels).await
        }
        Some(_) => if_present(fs::unlink(host, place).await).map(drop),
    }
}

fn innermost<'a>(top: &'a File, levels: &'a [Level]) -> &'a File {
    levels.last().map_or(top, |level| &level.dir)
}

async fn enter(
    host: &impl Host,
    place: Place,
    name: OsString,
    levels: &mut Vec<Level>,
) -> Result<()> {
    let dir = fs::open_no_link(host, place, OpenMode::Directory).await?;
    let listed = fs::list(host, &dir).await;
    levels.push(Level { dir, name, rest: Vec::new().into_iter() });
    let listed = listed?;
    if let Some(level) = levels.last_mut() {
        level.rest = listed.into_iter();
    }
    Ok(())
}

/// The innermost open directory is empty: it goes, too.
async fn leave(host: &impl Host, top: &File, levels: &mut Vec<Level>) -> Result<()> {
    let Some(Level { dir, name, .. }) = levels.pop() else { return Ok(()) };
    fs::close(host, dir).await?;
    let place = innermost(top, levels).entry(&name);
    if_present(fs::remove_dir(host, place).await).map(drop)
}

/// Moves a directory up into the top, under a name that is free or an empty directory's.
async fn lift(
    host: &impl Host,
    dir: &File,
    name: &OsStr,
    top: &File,
    work: &mut Work<'_>,
) -> Result<()> {
    loop {
        let to = top.entry(format!("{LIFTED_PREFIX}{}", work.lifted));
        work.lifted += 1;
        match fs::rename(host, dir.entry(name), to, OnExisting::Replace).await {
            Err(error)
                if matches!(error.errno, Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR)
                    && *work.allowance > 0 =>
            {
                *work.allowance -= 1;
            }
            lifted => return if_present(lifted).map(drop),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::host::answering::Answering;
    use crate::host::effect::Effect;
    use crate::host::os::{OsHost, run_ready};
    use crate::record::file;
    use rstest::rstest;
    use std::cell::Cell;
    use std::path::PathBuf;

    fn nested(depth: usize) -> (tempfile::TempDir, PathBuf) {
        let above = tempfile::tempdir().expect("a temporary directory");
        let top = above.path().join("top");
        let deepest = (0..depth).fold(top.clone(), |dir, _| dir.join("d"));
        run_ready(file::make_dirs(&OsHost::new(), &deepest, 0o755)).expect("directories");
        for dir in [&top, &deepest] {
            run_ready(file::replace(&OsHost::new(), &dir.join("file"), b"", 0o644))
                .expect("a file");
        }
        (above, top)
    }

    fn is_there(path: &Path) -> bool {
        run_ready(fs::link_meta(&OsHost::new(), path)).is_ok()
    }

    #[rstest]
    fn a_deep_directory_is_removed_with_few_open_at_once(#[values(0, 7, 8, 9, 200)] depth: usize) {
        let (_above, top) = nested(depth);
        let (open, most) = (Cell::new(0_usize), Cell::new(0));
        let host = Answering::new(|effect| {
            match effect {
                Effect::Open { .. } => open.set(open.get() + 1),
                Effect::Close { .. } => open.set(open.get() - 1),
                _ => {}
            }
            most.set(most.get().max(open.get()));
            None
        });
        assert_eq!(run_ready(remove(&host, &top)), Ok(()));
        assert!(!is_there(&top));
        assert_eq!(open.get(), 0);
        assert!(most.get() <= LEVELS_MAX + 1, "{} open", most.get());
    }

    #[test]
    fn a_removal_goes_on_where_the_one_before_ended() {
        let (_above, top) = nested(100);
        let passes = (0..100)
            .take_while(|_| {
                let removed = run_ready(remove_within(&OsHost::new(), &top, &mut 20));
                removed.expect("no failure") == Removal::Begun
            })
            .count();
        assert!((5..20).contains(&passes), "{passes} passes");
        assert!(!is_there(&top));
    }

    #[test]
    fn a_name_that_is_taken_is_passed_over() {
        let (_above, top) = nested(20);
        // It is met before the names that are taken.
        let deep = (0..20).fold(top.join(".a"), |dir, _| dir.join("d"));
        run_ready(file::make_dirs(&OsHost::new(), &deep, 0o755)).expect("directories");
        run_ready(file::make_dirs(&OsHost::new(), &top.join(".lifted-0/full"), 0o755))
            .expect("directories");
        run_ready(file::replace(&OsHost::new(), &top.join(".lifted-1"), b"", 0o644))
            .expect("a file");
        assert_eq!(run_ready(remove(&OsHost::new(), &top)), Ok(()));
        assert!(!is_there(&top));
    }

    #[test]
    fn what_cannot_be_moved_is_removed_where_it_is() {
        let (_above, top) = nested(40);
        let host = Answering::new(|effect| {
            matches!(effect, Effect::Rename { .. }).then_some(Err(Errno(18)))
        });
        assert_eq!(run_ready(remove(&host, &top)), Ok(()));
        assert!(!is_there(&top));
    }

    #[test]
    fn a_link_is_removed_and_not_followed() {
        let (above, top) = nested(12);
        let kept = above.path().join("kept");
        run_ready(file::make_dirs(&OsHost::new(), &kept, 0o755)).expect("a directory");
        let within = (0..12).fold(top.clone(), |dir, _| dir.join("d")).join("link");
        std::os::unix::fs::symlink(&kept, within).expect("a link");
        assert_eq!(run_ready(remove(&OsHost::new(), &top)), Ok(()));
        assert!(!is_there(&top) && is_there(&kept));
        let link = above.path().join("link");
        std::os::unix::fs::symlink(&kept, &link).expect("a link");
        let refused = run_ready(remove(&OsHost::new(), &link));
        assert_eq!(refused.map_err(|error| error.errno), Err(Errno::NOTDIR));
    }

    #[test]
    fn a_failure_closes_all_that_is_open() {
        let (_above, top) = nested(12);
        let open = Cell::new(0_usize);
        let host = Answering::new(|effect| {
            match effect {
                Effect::Open { .. } => open.set(open.get() + 1),
                Effect::Close { .. } => open.set(open.get() - 1),
                Effect::Unlink { place } if place.path.ends_with("file") => {
                    return Some(Err(Errno::ROFS));
                }
                _ => {}
            }
            None
        });
        let failed = run_ready(remove(&host, &top)).map_err(|error| error.errno);
        assert_eq!((failed, open.get()), (Err(Errno::ROFS), 0));
    }
}
