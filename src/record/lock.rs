//! The lock that serialises operations on one profile.
//!
//! It is a kernel lock: the process's end releases it. It lies outside the profile, and is removed only with the
//! profile, by its holder. So after locking, a process checks again that the locked file still has the name.

use std::path::PathBuf;
use std::time::Duration;

use super::file;
use crate::error::{Errno, HostError, if_present};
use crate::host::Host;
use crate::host::effect::OpenMode;
use crate::host::fs::{self, File};
use crate::layout::Layout;
use crate::name::Profile;

/// A held lock, until [`release`].
#[derive(Debug)]
pub struct ProfileLock {
    file: File,
}

/// Why the lock could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Another command is at work on the profile.
    #[error("another command is at work on profile '{profile}': waited {} s for `{}`", waited.as_secs_f32(), path.display())]
    Busy {
        /// Which profile.
        profile: Profile,
        /// The lock file.
        path: PathBuf,
        /// How long we waited.
        waited: Duration,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Takes a profile's lock, waiting at most this long for other commands.
pub async fn acquire(
    host: &impl Host,
    layout: &Layout,
    profile: &Profile,
    timeout: Duration,
) -> Result<ProfileLock, LockError> {
    let path = layout.lock(profile);
    file::make_dirs(host, &layout.locks(), 0o755).await?;
    let held = file::poll(host, timeout, async || attempt(host, &path).await).await?;
    held.ok_or(LockError::Busy { profile: profile.clone(), path, waited: timeout })
}

async fn attempt(
    host: &impl Host,
    path: &std::path::Path,
) -> Result<Option<ProfileLock>, LockError> {
    let file = fs::open_no_link(host, path, OpenMode::Lock { mode: 0o644 }).await?;
    match lock_if_current(host, &file).await {
        Ok(true) => Ok(Some(ProfileLock { file })),
        other => {
            fs::close(host, file).await?;
            other.map(|_| None).map_err(LockError::from)
        }
    }
}

/// Locks the open file if no other process has, and if its name still refers to it.
async fn lock_if_current(host: &impl Host, file: &File) -> Result<bool, HostError> {
    if planted!(ProfileLockNotTaken) {
        return Ok(true);
    }
    match fs::lock(host, file).await {
        Ok(()) if planted!(LockNotRechecked) => return Ok(true),
        Ok(()) => {}
        Err(error) if error.errno == Errno::AGAIN => {
            mark!("H7");
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    let ours = fs::handle_meta(host, file).await?.identity;
    let named = if_present(fs::link_meta(host, &file.path).await)?;
    Ok(named.is_some_and(|meta| meta.identity == ours))
}

/// Releases the lock.
pub async fn release(host: &impl Host, held: ProfileLock) -> Result<(), HostError> {
    fs::close(host, held.file).await
}

/// Releases the lock and removes its file: the profile is gone.
pub async fn retire(host: &impl Host, held: ProfileLock) -> Result<(), HostError> {
    let removed = file::remove(host, &held.file.path).await;
    fs::close(host, held.file).await?;
    removed.map(drop)
}
