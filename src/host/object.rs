//! The objects of file effects: handles, paths, kinds. Plain data.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// An open file, directory, socket, pipe end or process handle of this process. Plain data: closing is an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
pub struct Handle(pub u32);

/// A path, absolute or relative to an open directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
pub struct Place {
    /// The directory that a relative path starts from.
    pub dir: Option<Handle>,
    /// The path.
    pub path: PathBuf,
}

impl Place {
    /// An entry of an open directory: a link planted above it cannot redirect it.
    pub fn at(dir: Handle, name: impl Into<PathBuf>) -> Self {
        Self { dir: Some(dir), path: name.into() }
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Place {
    fn from(path: &P) -> Self {
        Self { dir: None, path: path.as_ref().to_owned() }
    }
}

/// How a symbolic link in the last part of a path is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
pub enum LinkPolicy {
    /// It is followed.
    Follow,
    /// It is itself the object; opening it fails with `ELOOP`, or as [`OpenMode::Directory`] with `ENOTDIR`.
    Refuse,
}

/// How a file is opened. Every way is close-on-exec and never waits for a FIFO's other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
pub enum OpenMode {
    /// For reading.
    Read,
    /// A directory, for listing it and as the start of relative paths.
    Directory,
    /// For writing, newly made with this mode (less the umask); `EEXIST` if the name is taken.
    Create {
        /// Permission bits.
        mode: u32,
    },
    /// For writing at the end, made with this mode if absent.
    Append {
        /// Permission bits.
        mode: u32,
    },
    /// For reading and writing without truncation, made with this mode if absent.
    Lock {
        /// Permission bits.
        mode: u32,
    },
    /// An existing file or FIFO, for writing; a FIFO without a reader answers `ENXIO`.
    Write,
}

/// The kind of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Fifo,
    /// Anything else: socket, device.
    Other,
}

/// What we use of `stat(2)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Meta {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Device and inode number: the same object has the same pair.
    pub identity: (u64, u64),
    /// The link count; 1 for a directory, because file systems differ in what they count.
    pub links: u64,
}

/// One name in a directory. Order is the directory's own and means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name; any bytes but `/` and NUL.
    pub name: OsString,
}

/// What a rename does if the new name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "gate", derive(serde::Serialize, serde::Deserialize))]
pub enum OnExisting {
    /// Replaces it in one step.
    Replace,
    /// Fails with `EEXIST` (`RENAME_NOREPLACE`).
    Refuse,
}
