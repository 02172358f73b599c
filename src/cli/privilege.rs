//! `docker exec` gives root; the gateways' tree belongs to hermes. A command run as root becomes the owner of the scan
//! directory before it reads anything that a user could have planted, so that no file it leaves belongs to root.

use super::invocation::Invocation;
use crate::error::{HostError, if_present};
use crate::host::{Host, fs, proc};

use std::path::Path;

/// As root, becomes the user who owns the scan directory; any other user stays as it is.
pub(super) async fn drop_root(
    host: &impl Host,
    invocation: &Invocation,
    scan_dir: &Path,
) -> Result<u32, HostError> {
    if invocation.uid != 0 || invocation.is_on("HERMES_DOCKER_EXEC_AS_ROOT") {
        return Ok(invocation.uid);
    }
    match if_present(fs::meta(host, scan_dir).await)? {
        Some(meta) if meta.uid != 0 => {
            proc::set_groups(host, vec![meta.gid]).await?;
            proc::set_gid(host, meta.gid).await?;
            proc::set_uid(host, meta.uid).await?;
            Ok(meta.uid)
        }
        _ => Ok(0),
    }
}
