//! Composite acts on files, step by step through the door: read whole, replace whole.
//!
//! ```text
//!   replace:  create .NAME.UNIQUE (exclusive) → write → sync → rename over NAME → sync of the directory
//! ```
//!
//! A crash between two steps leaves the old file or the new one, and at most a hidden temporary name, which the next
//! boot removes. Clean-up after a failed step is a call like any other, and may itself fail.

use std::ffi::{OsStr, OsString};
use std::hash::Hash;
use std::path::Path;
use std::time::Duration;

use crate::error::{Errno, HostError, if_present};
use crate::host::effect::{FileKind, OnExisting, OpenMode};
use crate::host::fs::{self, File};
use crate::host::{Host, time};

/// No record of ours is longer; a longer file is no record.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

const CHUNK_BYTES_MIN: usize = 512;
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// The suffix of the temporary names that [`replace`] makes.
const TEMPORARY_SUFFIX: &str = ".hermes-tmp";

type Result<T> = std::result::Result<T, HostError>;

/// Reads a regular file of at most `bytes_max`. Never blocks, whatever kind of file it is: a FIFO or a device is
/// `EINVAL`, a directory `EISDIR`, a longer file `EFBIG`.
pub async fn read(host: &impl Host, path: &Path, bytes_max: usize) -> Result<Vec<u8>> {
    let file = fs::open(host, path, OpenMode::Read).await?;
    let contents = read_open(host, &file, bytes_max).await;
    let closed = fs::close(host, file).await;
    let contents = contents?;
    closed?;
    Ok(contents)
}

async fn read_open(host: &impl Host, file: &File, bytes_max: usize) -> Result<Vec<u8>> {
    let meta = fs::handle_meta(host, file).await?;
    match meta.kind {
        FileKind::File => {}
        FileKind::Directory => return Err(HostError::new("read", &file.path, Errno::ISDIR)),
        FileKind::Link | FileKind::Fifo | FileKind::Other => {
            return Err(HostError::new("read", &file.path, Errno::INVAL));
        }
    }
    let size = usize::try_from(meta.size).unwrap_or(usize::MAX);
    let mut contents = Vec::new();
    loop {
        // The rest by the file's size, and one byte to detect its end; `/proc` gives no size.
        let rest = size.saturating_sub(contents.len()).saturating_add(1);
        let chunk = fs::read(host, file, rest.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX)).await?;
        if chunk.is_empty() {
            return Ok(contents);
        }
        contents.extend_from_slice(&chunk);
        if contents.len() > bytes_max {
            return Err(HostError::new("read", &file.path, Errno::FBIG));
        }
    }
}

/// Writes all of `bytes` to an open file.
pub async fn write_all(host: &impl Host, file: &File, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let taken = fs::write(host, file, bytes).await?;
        if taken == 0 {
            return Err(HostError::new("write", &file.path, Errno::IO));
        }
        bytes = &bytes[taken.min(bytes.len())..];
    }
    Ok(())
}

/// Replaces a file as a whole and durably: a reader sees the old contents or the new ones, also after a crash.
pub async fn replace(host: &impl Host, path: &Path, contents: &[u8], mode: u32) -> Result<()> {
    replace_unsynced(host, path, contents, mode).await?;
    if planted!(DirectoryNotSynced) {
        return Ok(());
    }
    sync_dir(host, parent(path)).await
}

/// Like [`replace`] without the last step: the new name is durable only once the directory is synced.
pub async fn replace_unsynced(
    host: &impl Host,
    path: &Path,
    contents: &[u8],
    mode: u32,
) -> Result<()> {
    let (file, temporary) = create_temporary(host, path, mode).await?;
    let placed = fill_and_place(host, file, &temporary, path, contents).await;
    if placed.is_err() {
        mark!("H45");
        // The first failure is reported to the caller; a temporary name that stays is swept at boot.
        let _ = fs::unlink(host, &temporary).await;
    }
    placed
}

async fn fill_and_place(
    host: &impl Host,
    file: File,
    temporary: &Path,
    path: &Path,
    contents: &[u8],
) -> Result<()> {
    let filled = match write_all(host, &file, contents).await {
        Ok(()) if planted!(FileNotSynced) => Ok(()),
        Ok(()) => fs::sync(host, &file).await,
        Err(error) => Err(error),
    };
    let closed = fs::close(host, file).await;
    filled?;
    closed?;
    if planted!(OldRemovedFirst) {
        remove(host, path).await?;
    }
    fs::rename(host, temporary, path, OnExisting::Replace).await
}

async fn create_temporary(
    host: &impl Host,
    path: &Path,
    mode: u32,
) -> Result<(File, std::path::PathBuf)> {
    loop {
        let (unique, how) = match planted!(TemporaryShared) {
            true => (0, OpenMode::Append { mode }),
            false => (time::random(host).await?, OpenMode::Create { mode }),
        };
        let name = temporary_name(path.file_name().unwrap_or_default(), unique);
        let temporary = parent(path).join(name);
        match fs::open_no_link(host, &temporary, how).await {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.errno == Errno::EXIST => {}
            Err(error) => return Err(error),
        }
    }
}

fn temporary_name(name: &OsStr, unique: u64) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{unique:016x}{TEMPORARY_SUFFIX}"));
    temporary
}

/// Is this the name of a temporary file that a crash left?
pub fn is_temporary(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(TEMPORARY_SUFFIX))
}

/// Makes the names in a directory durable.
pub async fn sync_dir(host: &impl Host, dir: &Path) -> Result<()> {
    let dir = fs::open(host, dir, OpenMode::Directory).await?;
    let synced = fs::sync(host, &dir).await;
    fs::close(host, dir).await?;
    synced
}

/// Makes a directory and those above it, durably; one that is there already stays as it is.
pub async fn make_dirs(host: &impl Host, dir: &Path, mode: u32) -> Result<()> {
    let mut missing = Vec::new();
    let mut next = dir;
    loop {
        match (make_one(host, next, mode).await, next.parent()) {
            (Err(error), Some(above)) if error.is_absent() => {
                missing.push(next);
                next = above;
            }
            (made, _) => break made?,
        }
    }
    for dir in missing.into_iter().rev() {
        make_one(host, dir, mode).await?;
    }
    Ok(())
}

async fn make_one(host: &impl Host, dir: &Path, mode: u32) -> Result<()> {
    match fs::make_dir(host, dir, mode).await {
        Ok(()) => sync_dir(host, parent(dir)).await,
        Err(error) if error.errno == Errno::EXIST => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives an object a name that is free, in one step. Some network file systems lack that step (`EINVAL`): there it is a
/// check and a rename, and the caller's lock excludes other commands of ours between the two.
pub async fn rename_new(host: &impl Host, from: &Path, to: &Path) -> Result<()> {
    match fs::rename(host, from, to, OnExisting::Refuse).await {
        Err(error) if error.errno == Errno::INVAL => {}
        other => return other,
    }
    match if_present(fs::link_meta(host, to).await)? {
        Some(_) => Err(HostError::new("rename", to, Errno::EXIST)),
        None => fs::rename(host, from, to, OnExisting::Replace).await,
    }
}

/// Moves an unreadable record aside, to `*.damaged` beside it, so that its contents are not lost.
pub async fn set_aside(host: &impl Host, path: &Path) -> Result<()> {
    mark!("H11");
    let mut damaged = path.as_os_str().to_owned();
    damaged.push(".damaged");
    fs::rename(host, path, Path::new(&damaged), OnExisting::Replace).await?;
    sync_dir(host, parent(path)).await
}

/// The names in a directory, sorted; none if the directory is absent.
pub async fn list_names(host: &impl Host, dir: &Path) -> Result<Vec<OsString>> {
    let Some(dir) = if_present(fs::open(host, dir, OpenMode::Directory).await)? else {
        return Ok(Vec::new());
    };
    let listed = fs::list(host, &dir).await;
    fs::close(host, dir).await?;
    Ok(listed?.into_iter().map(|entry| entry.name).collect())
}

/// Removes a file's name; an absent one is removed already. Says whether it was there.
pub async fn remove(host: &impl Host, path: &Path) -> Result<bool> {
    Ok(if_present(fs::unlink(host, path).await)?.is_some())
}

/// Polls `poll_once` until it returns a value or the time is over (`None`). The pause between polls grows from 2 to 50 ms.
pub async fn poll<H: Host, T, E: From<HostError>>(
    host: &H,
    timeout: Duration,
    mut poll_once: impl AsyncFnMut() -> std::result::Result<Option<T>, E>,
) -> std::result::Result<Option<T>, E> {
    poll_carrying(host, timeout, &mut (), async |()| poll_once().await).await
}

/// The same for polls that leave state behind for the next one: all of that state is in `carried`.
pub async fn poll_carrying<H: Host, S: Hash, T, E: From<HostError>>(
    host: &H,
    timeout: Duration,
    carried: &mut S,
    mut poll_once: impl AsyncFnMut(&mut S) -> std::result::Result<Option<T>, E>,
) -> std::result::Result<Option<T>, E> {
    let deadline = time::boot(host).await? + timeout;
    wait!(begins);
    let mut pause = Duration::from_millis(2);
    let ended = loop {
        wait!(round & (pause, &*carried));
        match poll_once(carried).await {
            Ok(None) => {}
            ended => break ended,
        }
        let now = time::boot(host).await?;
        if now >= deadline {
            break Ok(None);
        }
        time::sleep(host, pause.min(deadline - now)).await?;
        pause = (pause * 2).min(Duration::from_millis(50));
    };
    wait!(ends);
    ended
}

/// The parent directory of a path.
pub fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}
