//! Typed functions over the file effects. Each asks for exactly one effect and names its object in the error.
//!
//! Composite acts are in `record::file`, above the door.

use std::path::{Path, PathBuf};

use super::effect::{
    Answer, DirEntry, Effect, Handle, LinkPolicy, Meta, OnExisting, OpenMode, Place,
};
use super::{Host, Outcome};
use crate::error::HostError;

/// An open file and the path it was opened by, for errors that name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct File {
    /// The open file.
    pub handle: Handle,
    /// For error texts only: the name may refer to another file by now.
    pub path: PathBuf,
}

impl File {
    /// An entry of this open directory.
    pub fn entry(&self, name: impl Into<PathBuf>) -> Place {
        Place::at(self.handle, name)
    }
}

type Result<T> = std::result::Result<T, HostError>;

/// Opens a file, following a link in the last part of the path.
pub async fn open(host: &impl Host, place: impl Into<Place>, how: OpenMode) -> Result<File> {
    open_with(host, place.into(), how, LinkPolicy::Follow).await
}

/// Opens a file; a link in the last part of the path is refused with `ELOOP`.
pub async fn open_no_link(
    host: &impl Host,
    place: impl Into<Place>,
    how: OpenMode,
) -> Result<File> {
    open_with(host, place.into(), how, LinkPolicy::Refuse).await
}

async fn open_with(
    host: &impl Host,
    place: Place,
    how: OpenMode,
    links: LinkPolicy,
) -> Result<File> {
    let path = place.path.clone();
    let act = match how {
        OpenMode::Create { .. } => "create",
        OpenMode::Read
        | OpenMode::Directory
        | OpenMode::Append { .. }
        | OpenMode::Lock { .. }
        | OpenMode::Write => "open",
    };
    match host.perform(Effect::Open { place, how, links }).await {
        Ok(Answer::Handle(handle)) => Ok(File { handle, path }),
        other => Err(failed(act, &path, other)),
    }
}

/// Reads at most `max` bytes; none at the end.
pub async fn read(host: &impl Host, file: &File, max: usize) -> Result<Vec<u8>> {
    match host.perform(Effect::Read { handle: file.handle, max }).await {
        Ok(Answer::Bytes(bytes)) => Ok(bytes),
        other => Err(failed("read", &file.path, other)),
    }
}

/// Writes a prefix of `bytes` and returns its length.
pub async fn write(host: &impl Host, file: &File, bytes: &[u8]) -> Result<usize> {
    match host.perform(Effect::Write { handle: file.handle, bytes: bytes.to_vec() }).await {
        Ok(Answer::Count(count)) => Ok(count),
        other => Err(failed("write", &file.path, other)),
    }
}

/// Makes a file's data, or a directory's names, durable.
pub async fn sync(host: &impl Host, file: &File) -> Result<()> {
    done("sync", &file.path, host.perform(Effect::Sync { handle: file.handle }).await)
}

/// Closes a file. The handle is gone even if this fails.
pub async fn close(host: &impl Host, file: File) -> Result<()> {
    done("close", &file.path, host.perform(Effect::Close { handle: file.handle }).await)
}

/// An open file's metadata.
pub async fn handle_meta(host: &impl Host, file: &File) -> Result<Meta> {
    meta_answer(&file.path, host.perform(Effect::HandleMeta { handle: file.handle }).await)
}

/// The metadata of a path, links followed.
pub async fn meta(host: &impl Host, place: impl Into<Place>) -> Result<Meta> {
    let place = place.into();
    let path = place.path.clone();
    meta_answer(&path, host.perform(Effect::Meta { place, links: LinkPolicy::Follow }).await)
}

/// The metadata of a path, a link not followed.
pub async fn link_meta(host: &impl Host, place: impl Into<Place>) -> Result<Meta> {
    let place = place.into();
    let path = place.path.clone();
    meta_answer(&path, host.perform(Effect::Meta { place, links: LinkPolicy::Refuse }).await)
}

fn meta_answer(path: &Path, outcome: Outcome) -> Result<Meta> {
    match outcome {
        Ok(Answer::Meta(meta)) => Ok(meta),
        other => Err(failed("examine", path, other)),
    }
}

/// The names in an open directory, sorted: the directory's own order means nothing.
pub async fn list(host: &impl Host, dir: &File) -> Result<Vec<DirEntry>> {
    match host.perform(Effect::List { handle: dir.handle }).await {
        Ok(Answer::Entries(mut entries)) => {
            entries.sort();
            Ok(entries)
        }
        other => Err(failed("list", &dir.path, other)),
    }
}

/// The target of a symbolic link.
pub async fn read_link(host: &impl Host, place: impl Into<Place>) -> Result<PathBuf> {
    let place = place.into();
    let path = place.path.clone();
    match host.perform(Effect::ReadLink { place }).await {
        Ok(Answer::Path(target)) => Ok(target),
        other => Err(failed("read link", &path, other)),
    }
}

/// Makes a directory.
pub async fn make_dir(host: &impl Host, place: impl Into<Place>, mode: u32) -> Result<()> {
    let place = place.into();
    let path = place.path.clone();
    done("make directory", &path, host.perform(Effect::MakeDir { place, mode }).await)
}

/// Makes a named pipe.
pub async fn make_fifo(host: &impl Host, place: impl Into<Place>, mode: u32) -> Result<()> {
    let place = place.into();
    let path = place.path.clone();
    done("make FIFO", &path, host.perform(Effect::MakeFifo { place, mode }).await)
}

/// Gives an object a new name, in one step.
pub async fn rename(
    host: &impl Host,
    from: impl Into<Place>,
    to: impl Into<Place>,
    over: OnExisting,
) -> Result<()> {
    let (from, to) = (from.into(), to.into());
    let path = match over {
        OnExisting::Replace => from.path.clone(),
        OnExisting::Refuse => to.path.clone(),
    };
    done("rename", &path, host.perform(Effect::Rename { from, to, over }).await)
}

/// Removes a file's name.
pub async fn unlink(host: &impl Host, place: impl Into<Place>) -> Result<()> {
    let place = place.into();
    let path = place.path.clone();
    done("remove", &path, host.perform(Effect::Unlink { place }).await)
}

/// Removes an empty directory.
pub async fn remove_dir(host: &impl Host, place: impl Into<Place>) -> Result<()> {
    let place = place.into();
    let path = place.path.clone();
    done("remove directory", &path, host.perform(Effect::RemoveDir { place }).await)
}

/// Sets the permission bits of an open file, whatever the umask.
pub async fn set_mode(host: &impl Host, file: &File, mode: u32) -> Result<()> {
    let effect = Effect::SetMode { handle: file.handle, mode };
    done("set the mode of", &file.path, host.perform(effect).await)
}

/// Gives an object to a user and group; of a link, the link itself.
pub async fn set_owner(
    host: &impl Host,
    place: impl Into<Place>,
    uid: u32,
    gid: u32,
) -> Result<()> {
    let place = place.into();
    let path = place.path.clone();
    done("set the owner of", &path, host.perform(Effect::SetOwner { place, uid, gid }).await)
}

/// Takes the lock of an open lock file, or fails with `EAGAIN` while another process holds it. The process's end
/// releases it.
pub async fn lock(host: &impl Host, file: &File) -> Result<()> {
    done("lock", &file.path, host.perform(Effect::Lock { handle: file.handle }).await)
}

/// Takes a lock that belongs to this process, also across `exec`, and never to its children; `EAGAIN` while another
/// holds it.
pub async fn lock_record(host: &impl Host, file: &File) -> Result<()> {
    done("lock", &file.path, host.perform(Effect::LockRecord { handle: file.handle }).await)
}

/// Does another process hold a POSIX lock on the file? This is how s6 tells a live supervisor.
pub async fn is_locked(host: &impl Host, file: &File) -> Result<bool> {
    match host.perform(Effect::IsLocked { handle: file.handle }).await {
        Ok(Answer::Flag(locked)) => Ok(locked),
        other => Err(failed("test the lock of", &file.path, other)),
    }
}

/// Would the pipe accept a write at once?
pub async fn has_room(host: &impl Host, file: &File) -> Result<bool> {
    match host.perform(Effect::HasRoom { handle: file.handle }).await {
        Ok(Answer::Flag(has_room)) => Ok(has_room),
        other => Err(failed("examine", &file.path, other)),
    }
}

pub(super) fn done(act: &'static str, path: &Path, outcome: Outcome) -> Result<()> {
    match outcome {
        Ok(Answer::Done) => Ok(()),
        other => Err(failed(act, path, other)),
    }
}

pub(super) fn failed(act: &'static str, path: &Path, outcome: Outcome) -> HostError {
    match outcome {
        Err(errno) => HostError::new(act, path, errno),
        Ok(answer) => unreachable!("the host answered {answer:?} to: {act} {}", path.display()),
    }
}
