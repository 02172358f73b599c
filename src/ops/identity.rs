//! Becoming hermes, for what starts as root: by what root itself wrote at boot, else by the user database alone.
//!
//! ```text
//!   the boot's record ──► in a container the user database's `hermes` ──► on a host root stays root
//! ```
//!
//! Never by who owns something at that moment, and never by a variable.

use std::path::Path;
use std::time::Duration;

use crate::detect;
use crate::error::{Errno, HostError, if_present};
use crate::host::effect::{FileKind, Meta, OpenMode};
use crate::host::fs::{self, File};
use crate::host::{Host, proc};
use crate::record::file;
use crate::record::users::{self, Ids};

/// The user as whom everything of the gateways runs.
pub const HERMES: &str = "hermes";

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
const FILE_BYTES_MAX: usize = 1 << 20;

/// Where the boot's record lies. No boot empties this directory: between two boots the record is never absent.
const DIR: &str = "/run";

/// The boot's record of who hermes is: two numbers, root's alone to write.
const RECORD: &str = "hermes-identity";

const RECORD_BYTES_MAX: usize = 64;

/// A boot writes its record first of all.
const BOOT_TIMEOUT: Duration = Duration::from_secs(10);

const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// The numbers of hermes; a machine that does not know it is an error.
pub async fn hermes(host: &impl Host) -> Result<Ids, HostError> {
    match recorded(host).await? {
        Some(hermes) => Ok(hermes),
        None => from_users(host)
            .await?
            .ok_or_else(|| HostError::new("find user `hermes` in", PASSWD, Errno::NOENT)),
    }
}

/// Whom a command becomes that somebody typed as root; `None` where root stays root: on a host, and in a container that
/// has no supervisor and no `hermes`.
///
/// Asks nothing that hermes can change.
pub async fn of_typed_command(host: &impl Host) -> Result<Option<Ids>, HostError> {
    if let Some(hermes) = recorded(host).await? {
        return Ok(Some(hermes));
    }
    if !detect::is_container(host).await? {
        return Ok(None);
    }
    mark!("H63");
    let written = file::poll(host, BOOT_TIMEOUT, async || {
        let is_booting = detect::is_booting(host).await?;
        let hermes = recorded(host).await?;
        Ok::<_, HostError>((hermes.is_some() || !is_booting).then_some(hermes))
    });
    if let Some(Some(hermes)) = written.await? {
        return Ok(Some(hermes));
    }
    match from_users(host).await? {
        None if detect::is_supervised_by_s6(host).await? => {
            Err(HostError::new("find user `hermes` in", PASSWD, Errno::NOENT))
        }
        known => Ok(known),
    }
}

/// Writes the boot's record, whatever lay there.
pub async fn write_record(host: &impl Host, hermes: Ids) -> Result<(), HostError> {
    let text = format!("{} {}\n", hermes.uid, hermes.gid);
    file::replace_unsynced(host, &Path::new(DIR).join(RECORD), text.as_bytes(), 0o644).await
}

/// The boot's record. What is not root's alone to write is none.
async fn recorded(host: &impl Host) -> Result<Option<Ids>, HostError> {
    let Some(dir) = if_present(fs::open(host, DIR, OpenMode::Directory).await)? else {
        return Ok(None);
    };
    let found = recorded_in(host, &dir).await;
    fs::close(host, dir).await?;
    found
}

async fn recorded_in(host: &impl Host, dir: &File) -> Result<Option<Ids>, HostError> {
    let meta = fs::handle_meta(host, dir).await?;
    // In a sticky directory nobody but root replaces what is root's.
    if meta.uid != 0 || (meta.mode & OTHERS_WRITE != 0 && meta.mode & STICKY == 0) {
        return Ok(None);
    }
    let opened = match fs::open_no_link(host, dir.entry(RECORD), OpenMode::Read).await {
        Err(error) if error.errno == Errno::LOOP => return Ok(None),
        opened => if_present(opened)?,
    };
    let Some(record) = opened else { return Ok(None) };
    let found = read_record(host, &record).await;
    fs::close(host, record).await?;
    found
}

async fn read_record(host: &impl Host, record: &File) -> Result<Option<Ids>, HostError> {
    let meta = fs::handle_meta(host, record).await?;
    if !is_roots_alone(&meta) && !planted!(RecordOfAnybody) {
        return Ok(None);
    }
    Ok(parse(&fs::read(host, record, RECORD_BYTES_MAX).await?))
}

fn is_roots_alone(meta: &Meta) -> bool {
    meta.kind == FileKind::File && meta.uid == 0 && meta.mode & OTHERS_WRITE == 0
}

/// Hermes is never root.
fn parse(record: &[u8]) -> Option<Ids> {
    let line = std::str::from_utf8(record).ok()?.strip_suffix('\n')?;
    let (uid, gid) = line.split_once(' ')?;
    let ids = Ids { uid: uid.parse().ok()?, gid: gid.parse().ok()? };
    (ids.uid != 0).then_some(ids)
}

/// The user database's own `hermes`.
pub async fn from_users(host: &impl Host) -> Result<Option<Ids>, HostError> {
    let passwd = if_present(file::read(host, Path::new(PASSWD), FILE_BYTES_MAX).await)?;
    Ok(passwd.and_then(|passwd| users::find_user(&passwd, HERMES)))
}

/// Becomes hermes with its groups, for good: no call brings root back.
pub async fn become_hermes(host: &impl Host, hermes: Ids) -> Result<(), HostError> {
    // A machine without that file has no more groups.
    let group = file::read(host, Path::new(GROUP), FILE_BYTES_MAX).await.unwrap_or_default();
    proc::set_groups(host, users::groups_of(&group, HERMES, hermes.gid)).await?;
    proc::set_gid(host, hermes.gid).await?;
    proc::set_uid(host, hermes.uid).await
}

#[cfg(all(test, unix))]
mod tests;
