//! Becoming hermes, for what starts as root on somebody else's tree: by the user and group databases alone.
//!
//! Never by who owns something at that moment, and never by a variable.

use std::path::Path;

use super::init::HERMES;
use crate::error::{Errno, HostError};
use crate::host::{Host, proc};
use crate::record::file;
use crate::record::users::{self, Ids};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
const FILE_BYTES_MAX: usize = 1 << 20;

/// The numbers of hermes; a machine that does not know it is an error.
pub async fn hermes(host: &impl Host) -> Result<Ids, HostError> {
    let passwd = file::read(host, Path::new(PASSWD), FILE_BYTES_MAX).await?;
    users::find_user(&passwd, HERMES)
        .ok_or_else(|| HostError::new("find user `hermes` in", PASSWD, Errno::NOENT))
}

/// Becomes hermes with its groups, for good: no call brings root back.
pub async fn become_hermes(host: &impl Host, hermes: Ids) -> Result<(), HostError> {
    // A machine without that file has no more groups.
    let group = file::read(host, Path::new(GROUP), FILE_BYTES_MAX).await.unwrap_or_default();
    proc::set_groups(host, users::groups_of(&group, HERMES, hermes.gid)).await?;
    proc::set_gid(host, hermes.gid).await?;
    proc::set_uid(host, hermes.uid).await
}
