//! Observes a running container through `/proc` of this machine. Changes nothing.

use std::fs::DirEntry;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use super::container::{ObservedFile, lock_holders_in};
use crate::scenario::expect::FileKindSpec;

/// Observes a file; a link at the end of the path is not followed.
pub(super) fn observe_file(path: &Path) -> Option<ObservedFile> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    let kind = match meta.file_type() {
        kind if kind.is_dir() => FileKindSpec::Dir,
        kind if kind.is_symlink() => FileKindSpec::Link,
        _ => FileKindSpec::File,
    };
    let is_regular = kind == FileKindSpec::File && !meta.file_type().is_fifo();
    let bytes = is_regular.then(|| std::fs::read(path).unwrap_or_default());
    let entries = (kind == FileKindSpec::Dir).then(|| std::fs::read_dir(path).ok()).flatten();
    let named = |entry: std::io::Result<DirEntry>| {
        Some(entry.ok()?.file_name().to_string_lossy().into_owned())
    };
    let mut names: Vec<String> = entries.into_iter().flatten().filter_map(named).collect();
    names.sort();
    let bytes = bytes.unwrap_or_default();
    Some(ObservedFile { kind, uid: meta.uid(), inode: meta.ino(), bytes, names })
}

/// `Ok` if a process has this FIFO open for reading.
pub(super) fn check_fifo_reader(fifo: &Path) -> Result<(), String> {
    use rustix::fs::{Mode, OFlags, open};
    let opened = open(fifo, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty());
    opened.map(drop).map_err(|errno| errno.to_string())
}

/// The holders of record locks on a file, by pid on this machine.
pub(super) fn lock_holders(inode: u64) -> Vec<u32> {
    lock_holders_in(&std::fs::read_to_string("/proc/locks").unwrap_or_default(), inode)
}
