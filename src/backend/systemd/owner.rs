//! Whom the machine's systemd runs a gateway as: the owner of the home, once and for good.
//!
//! ```text
//!   the installed unit's `User=` ──► kept; the home's owner must be the same
//!   no unit yet                  ──► the home's owner, if nobody else can put another home there
//! ```
//!
//! Root asks by names that others may change: what it finds can only make it refuse, never give a unit another owner.

use std::path::{Path, PathBuf};

use crate::error::{HostError, if_present};
use crate::host::effect::{FileKind, Meta};
use crate::host::{Host, fs};
use crate::record::{file, users};
use crate::supervisor::SupervisorError;

const ROOT: u32 = 0;
const PASSWD: &str = "/etc/passwd";
const PASSWD_BYTES_MAX: usize = 1 << 20;

/// The owner of a home that root may write units for.
pub(super) async fn trusted(host: &impl Host, home: &Path) -> Result<u32, SupervisorError> {
    let meta = fs::link_meta(host, home).await?;
    if meta.kind != FileKind::Directory {
        let owner = user(host, meta.uid).await;
        let behind = match if_present(fs::meta(host, home).await)? {
            Some(behind) => user(host, behind.uid).await,
            None => "nobody".to_owned(),
        };
        return refuse(home, format!("it is {owner}'s link to what is {behind}'s"));
    }
    if meta.uid == ROOT && meta.mode & 0o022 != 0 {
        return refuse(home, "it is root's, and others may write in it".to_owned());
    }
    let mut ancestors: Vec<PathBuf> = home.ancestors().skip(1).map(Path::to_owned).collect();
    ancestors.reverse();
    for dir in ancestors {
        if let Some(reason) = distrust(host, &dir, &meta).await? {
            return refuse(home, reason);
        }
    }
    Ok(meta.uid)
}

/// Why a directory above a home decides too much, if it does.
async fn distrust(host: &impl Host, dir: &Path, home: &Meta) -> Result<Option<String>, HostError> {
    let name = fs::link_meta(host, dir).await?;
    let meta = match name.kind {
        // A link of root's own in a directory of root's own is the machine's business.
        FileKind::Link if name.uid == ROOT => fs::meta(host, dir).await?,
        _ => name,
    };
    let [dir_owner, home_owner] = [user(host, meta.uid).await, user(host, home.uid).await];
    let dir = dir.display();
    if meta.uid != ROOT && meta.uid != home.uid {
        return Ok(Some(format!("it is {home_owner}'s, and `{dir}` above it is {dir_owner}'s")));
    }
    if meta.kind != FileKind::Directory {
        return Ok(Some(format!("`{dir}` above it is a link of {dir_owner}")));
    }
    let group_is_another = meta.gid != ROOT && meta.gid != home.gid;
    let is_open = meta.mode & 0o002 != 0 || (meta.mode & 0o020 != 0 && group_is_another);
    Ok(is_open.then(|| {
        format!("it is {home_owner}'s, and others may write in `{dir}` above it, {dir_owner}'s")
    }))
}

/// The owner that a unit of ours records. One without `User=` is an older one, for a home of root's.
pub(super) async fn recorded(host: &impl Host, unit: &str) -> Result<Option<u32>, HostError> {
    let Some(word) = unit.lines().find_map(|line| line.strip_prefix("User=")) else {
        return Ok(Some(ROOT));
    };
    if let Ok(uid) = word.parse() {
        return Ok(Some(uid));
    }
    let passwd = file::read(host, Path::new(PASSWD), PASSWD_BYTES_MAX).await?;
    Ok(users::find_user(&passwd, word).map(|ids| ids.uid))
}

/// The owner that a unit gets: what is recorded stays.
pub(super) async fn of_unit(
    host: &impl Host,
    home: &Path,
    present: Option<&str>,
) -> Result<u32, SupervisorError> {
    if planted!(UnitLosesItsOwner) {
        return Ok(if_present(fs::meta(host, home).await)?.map_or(ROOT, |meta| meta.uid));
    }
    let owner = trusted(host, home).await?;
    let Some(present) = present else { return Ok(owner) };
    match recorded(host, present).await? {
        Some(recorded) if recorded == owner => Ok(owner),
        Some(recorded) => {
            let [now, then] = [user(host, owner).await, user(host, recorded).await];
            refuse(home, format!("it was {then}'s when its unit was installed, and is {now}'s now"))
        }
        None => refuse(home, "its unit has a `User=` that this machine does not know".to_owned()),
    }
}

fn refuse<T>(home: &Path, reason: String) -> Result<T, SupervisorError> {
    Err(SupervisorError::Distrusted { home: home.to_owned(), reason })
}

/// A user by its name, for people.
async fn user(host: &impl Host, uid: u32) -> String {
    let passwd = file::read(host, Path::new(PASSWD), PASSWD_BYTES_MAX).await.unwrap_or_default();
    match users::other_user_with(&passwd, uid, "") {
        Some(name) => format!("user {name} ({uid})"),
        None => format!("user {uid}"),
    }
}

#[cfg(all(test, unix))]
mod tests;
