//! What the scripts of PID 1's tree come to: the container's command, its end, and the end of the gateways' tree.
//!
//! ```text
//!   main/run ─► waits for the gateways ─► its directory ─► its user ─► the command
//!   main/finish ─► its exit code is noted ─► PID 1 stops ─► .s6-svscan/finish ─► that code is the container's
//! ```
//!
//! Until it has become hermes, all of it runs as root, in directories of root's alone: it follows nothing that hermes
//! can change. Every wait has an end, so that the container has one. For `cli` only.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::root_tree::{self, GUEST_EXIT_CODE, is_executable};
use super::runtime::{GUEST_FLAG, WAITING_FLAG, write_guest_flag};
use crate::backend::s6::S6;
use crate::environment;
use crate::error::{Errno, HostError, if_present};
use crate::host::effect::{OpenMode, Program};
use crate::host::{Host, fs, proc};
use crate::record::file;
use crate::record::users::Ids;
use crate::supervisor::SupervisorError;

/// Root's note of how the container's command ended.
const EXIT_CODE: &str = "/run/hermes/exitcode";

/// So long the command waits for the gateways to be looked after, before it starts all the same.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// What s6-supervise gives `finish` in place of an exit code when a signal ended the process.
const BY_SIGNAL: u32 = 256;

/// Tells s6-supervise not to start the service again.
pub const PERMANENT: u8 = 125;

/// Waits until the gateways are looked after, here or in another container. Says whether they are.
pub async fn wait_for_gateways(
    host: &impl Host,
    bin_dir: Option<PathBuf>,
) -> Result<bool, HostError> {
    let s6 = S6::open(host, root_tree::DIR.into(), bin_dir).await;
    let looked_after = file::poll(host, READY_TIMEOUT, async || {
        for mark in [GUEST_FLAG, WAITING_FLAG] {
            if fs::link_meta(host, mark).await.is_ok() {
                return Ok(Some(()));
            }
        }
        // What cannot be read just now may be a moment later.
        let is_ready: Result<bool, SupervisorError> = s6.is_ready("gateways").await;
        Ok::<_, HostError>(is_ready.unwrap_or(false).then_some(()))
    });
    Ok(looked_after.await?.is_some())
}

/// Goes to the command's directory while it may still be root's alone, then becomes the command's user, for good.
pub async fn enter(host: &impl Host, cwd: &Path, user: Option<Ids>) -> Result<(), HostError> {
    let dir = fs::open(host, cwd, OpenMode::Directory).await?;
    let gone_to = proc::change_dir(host, &dir).await;
    fs::close(host, dir).await?;
    gone_to?;
    if let Some(Ids { uid, gid }) = user {
        proc::set_groups(host, vec![gid]).await?;
        proc::set_gid(host, gid).await?;
        proc::set_uid(host, uid).await?;
    }
    Ok(())
}

/// Becomes the command, found as a shell finds it; returns only to say why it could not.
pub async fn become_command(
    host: &impl Host,
    words: &[OsString],
    cwd: &Path,
    env: &BTreeMap<OsString, OsString>,
) -> HostError {
    let Some((name, args)) = words.split_first() else {
        return HostError::new("execute", cwd, Errno::NOENT);
    };
    let program =
        |path| Program { path, args: args.to_vec(), env: env.clone(), ..Program::default() };
    if name.as_encoded_bytes().contains(&b'/') {
        return proc::exec(host, program(cwd.join(name))).await;
    }
    let mut failed = HostError::new("execute", Path::new(name), Errno::NOENT);
    let path = environment::search_path(env);
    for dir in std::env::split_paths(path) {
        let found = cwd.join(dir).join(name);
        if !is_executable(host, &found).await {
            continue;
        }
        failed = proc::exec(host, program(found)).await;
        if failed.errno != Errno::ACCESS {
            break;
        }
    }
    failed
}

/// Notes how the command ended, and has PID 1 stop: its end is the container's.
pub async fn command_ended(host: &impl Host, code: u32, signal: u32) -> Result<(), HostError> {
    let code = if code == BY_SIGNAL { 128 + signal } else { code };
    let text = format!("{code}\n");
    let noted = file::replace_unsynced(host, Path::new(EXIT_CODE), text.as_bytes(), 0o644).await;
    // The container ends, whatever could be noted.
    let control = Path::new(root_tree::DIR).join(".s6-svscan/control");
    let control = fs::open_no_link(host, &control, OpenMode::Write).await?;
    let told = file::write_all(host, &control, b"t").await;
    fs::close(host, control).await?;
    told?;
    noted
}

/// What the command ended with; 0 if there was none, or it has not ended.
pub async fn exit_code(host: &impl Host) -> Result<u8, HostError> {
    let noted = if_present(file::read(host, Path::new(EXIT_CODE), 64).await)?;
    let code = noted.and_then(|noted| String::from_utf8_lossy(&noted).trim().parse::<u32>().ok());
    // As `exit` of a shell does.
    Ok(code.map_or(0, |code| code.to_le_bytes()[0]))
}

/// Another container supervises this home: the gateways' tree stays down. Whatever else it ended with, it comes back.
pub async fn gateways_ended(host: &impl Host, code: u32) -> Result<u8, HostError> {
    if code != u32::from(GUEST_EXIT_CODE) {
        return Ok(0);
    }
    match write_guest_flag(host).await {
        Err(error) if error.errno != Errno::EXIST => Err(error),
        _ => Ok(PERMANENT),
    }
}

#[cfg(all(test, unix))]
mod tests;
