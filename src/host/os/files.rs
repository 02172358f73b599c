//! Files, directories, links and FIFOs: one `*at` call an effect.
//!
//! Composes nothing: replacing a file or removing a tree lives above the door. For `OsHost::perform` only.

use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, RenameFlags, SeekFrom, Stat, chownat, fchmod, fstat,
    fsync, mkdirat, mknodat, openat, readlinkat, renameat, renameat_with, seek, statat, unlinkat,
};

use super::done;
use super::process::{gid_of, uid_of};
use super::table::Table;
use crate::host::effect::{
    DirEntry, FileKind, Handle, LinkPolicy, Meta, OnExisting, OpenMode, Place,
};
use crate::host::{Answer, Outcome};

pub(super) fn open(table: &mut Table, place: &Place, how: OpenMode, links: LinkPolicy) -> Outcome {
    let (mut flags, mode) = flags_and_mode(how);
    if links == LinkPolicy::Refuse {
        flags |= OFlags::NOFOLLOW;
    }
    let file = openat(table.start(place)?, &place.path, flags, Mode::from_raw_mode(mode))?;
    Ok(Answer::Handle(table.insert(file)?))
}

fn flags_and_mode(how: OpenMode) -> (OFlags, u32) {
    // A terminal planted at the name must not become our controlling terminal.
    let every = OFlags::CLOEXEC | OFlags::NOCTTY;
    match how {
        OpenMode::Read => (every | OFlags::RDONLY | OFlags::NONBLOCK, 0),
        OpenMode::Directory => (every | OFlags::RDONLY | OFlags::DIRECTORY, 0),
        OpenMode::Create { mode } => (every | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, mode),
        OpenMode::Append { mode } => {
            (every | OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NONBLOCK, mode)
        }
        OpenMode::Lock { mode } => (every | OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK, mode),
        OpenMode::Write => (every | OFlags::WRONLY | OFlags::NONBLOCK, 0),
    }
}

/// The maximum of one read, even if the caller would take more: a limit of memory, not of the file.
const READ_BYTES_MAX: usize = 1 << 20;

pub(super) fn read(table: &Table, handle: Handle, max: usize) -> Outcome {
    let file = table.get(handle)?;
    let mut bytes = vec![0; max.min(READ_BYTES_MAX)];
    let count = rustix::io::read(file, &mut bytes)?;
    bytes.truncate(count);
    Ok(Answer::Bytes(bytes))
}

pub(super) fn write(table: &Table, handle: Handle, bytes: &[u8]) -> Outcome {
    Ok(Answer::Count(rustix::io::write(table.get(handle)?, bytes)?))
}

pub(super) fn sync(table: &Table, handle: Handle) -> Outcome {
    done(fsync(table.get(handle)?))
}

/// The result of `close(2)` is ignored: a caller that must know whether data arrived calls [`sync`] first.
pub(super) fn close(table: &mut Table, handle: Handle) -> Outcome {
    drop(table.remove(handle)?);
    Ok(Answer::Done)
}

pub(super) fn handle_meta(table: &Table, handle: Handle) -> Outcome {
    Ok(Answer::Meta(meta_of(&fstat(table.get(handle)?)?)))
}

pub(super) fn meta(table: &Table, place: &Place, links: LinkPolicy) -> Outcome {
    let flags = match links {
        LinkPolicy::Follow => AtFlags::empty(),
        LinkPolicy::Refuse => AtFlags::SYMLINK_NOFOLLOW,
    };
    Ok(Answer::Meta(meta_of(&statat(table.start(place)?, &place.path, flags)?)))
}

#[expect(clippy::unnecessary_cast, reason = "the fields of `stat` differ between architectures")]
fn meta_of(stat: &Stat) -> Meta {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Link,
        FileType::Fifo => FileKind::Fifo,
        _ => FileKind::Other,
    };
    Meta {
        kind,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: stat.st_size as u64,
        identity: (stat.st_dev as u64, stat.st_ino as u64),
        links: if kind == FileKind::Directory { 1 } else { stat.st_nlink as u64 },
    }
}

/// Room for many names at a time; one entry needs at most 280 bytes.
const LIST_BYTES: usize = 32 * 1024;

pub(super) fn list(table: &Table, handle: Handle) -> Outcome {
    let dir = table.get(handle)?;
    // A handle keeps its directory position; every listing starts from the beginning.
    seek(dir, SeekFrom::Start(0))?;
    let mut room = vec![MaybeUninit::uninit(); LIST_BYTES];
    let mut names = RawDir::new(dir, &mut room);
    let mut entries = Vec::new();
    while let Some(entry) = names.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            entries.push(DirEntry { name: OsStr::from_bytes(name).to_owned() });
        }
    }
    Ok(Answer::Entries(entries))
}

pub(super) fn read_link(table: &Table, place: &Place) -> Outcome {
    let target = readlinkat(table.start(place)?, &place.path, Vec::new())?;
    Ok(Answer::Path(PathBuf::from(OsString::from_vec(target.into_bytes()))))
}

pub(super) fn make_dir(table: &Table, place: &Place, mode: u32) -> Outcome {
    done(mkdirat(table.start(place)?, &place.path, Mode::from_raw_mode(mode)))
}

pub(super) fn make_fifo(table: &Table, place: &Place, mode: u32) -> Outcome {
    let mode = Mode::from_raw_mode(mode);
    done(mknodat(table.start(place)?, &place.path, FileType::Fifo, mode, 0))
}

pub(super) fn rename(table: &Table, from: &Place, to: &Place, over: OnExisting) -> Outcome {
    let (from_dir, to_dir) = (table.start(from)?, table.start(to)?);
    done(match over {
        OnExisting::Replace => renameat(from_dir, &from.path, to_dir, &to.path),
        OnExisting::Refuse => {
            renameat_with(from_dir, &from.path, to_dir, &to.path, RenameFlags::NOREPLACE)
        }
    })
}

pub(super) fn unlink(table: &Table, place: &Place) -> Outcome {
    done(unlinkat(table.start(place)?, &place.path, AtFlags::empty()))
}

pub(super) fn remove_dir(table: &Table, place: &Place) -> Outcome {
    done(unlinkat(table.start(place)?, &place.path, AtFlags::REMOVEDIR))
}

pub(super) fn set_mode(table: &Table, handle: Handle, mode: u32) -> Outcome {
    done(fchmod(table.get(handle)?, Mode::from_raw_mode(mode)))
}

pub(super) fn set_owner(table: &Table, place: &Place, uid: u32, gid: u32) -> Outcome {
    let dir = table.start(place)?;
    let (uid, gid) = (uid_of(uid)?, gid_of(gid)?);
    done(chownat(dir, &place.path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW))
}
