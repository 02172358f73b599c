//! Floor 3: detects the supervisor of this machine, from what any user can read. What may not be read is no supervisor
//! of ours. A machine that fails to answer is an error: a command that took it for a machine without s6 would exit 0
//! and leave its slot.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::error::{Errno, HostError};
use crate::host::effect::FileKind;
use crate::host::{Host, fs};
use crate::record::file;

/// Which systemd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The user's own.
    User,
    /// The machine's.
    System,
}

/// The supervisor of this machine's gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manager {
    /// s6 in a container.
    S6,
    /// systemd.
    Systemd(Scope),
    /// launchd.
    Launchd,
    /// Windows' Task Scheduler.
    Windows,
    /// A container without s6: its own command is the gateway.
    Foreground,
    /// No supervisor that we can reach.
    None,
}

impl Manager {
    /// The name in texts for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::S6 => "s6 (container supervisor)",
            Self::Systemd(Scope::User) => "systemd (user)",
            Self::Systemd(Scope::System) => "systemd (system)",
            Self::Launchd => "launchd (user)",
            Self::Windows => "Task Scheduler (user)",
            Self::Foreground => "docker (foreground)",
            Self::None => "none",
        }
    }

    /// The name in JSON and in `HERMES_SUPERVISOR`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S6 => "s6",
            Self::Systemd(_) => "systemd",
            Self::Launchd => "launchd",
            Self::Windows => "windows",
            Self::Foreground => "docker",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.label())
    }
}

/// `HERMES_SUPERVISOR` names something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// No supervisor of that name.
    #[error("HERMES_SUPERVISOR={0:?} is not one of s6, systemd, launchd, windows, none")]
    Unknown(String),
}

/// `boot init` takes a moment; a home with very many files a little longer.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Parses `HERMES_SUPERVISOR`; `scope` says which systemd.
pub fn parse_override(name: &str, scope: Scope) -> Result<Manager, OverrideError> {
    match name {
        "s6" => Ok(Manager::S6),
        "systemd" => Ok(Manager::Systemd(scope)),
        "none" => Ok(Manager::None),
        "launchd" => Ok(Manager::Launchd),
        "windows" => Ok(Manager::Windows),
        other => Err(OverrideError::Unknown(other.to_owned())),
    }
}

/// It is s6 if PID 1 is named `s6-svscan` and `/run/s6/basedir` is a directory; both are needed.
///
/// Never from `/proc/1/exe`, which an unprivileged user cannot read, and never from "this is a container". Other
/// supervisors count if they run the machine and answer, not if they are merely installed.
pub async fn detect(
    host: &impl Host,
    scope: Scope,
    answers: impl AsyncFn(Manager) -> bool,
) -> Result<Manager, HostError> {
    // If the wait fails, the present state decides.
    let _ = await_init(host).await;
    if pid_1_is_svscan(host).await? && is_dir(host, "/run/s6/basedir").await? {
        return Ok(Manager::S6);
    }
    mark!("R5");
    if answers(Manager::Windows).await {
        return Ok(Manager::Windows);
    }
    if kind(host, "/sbin/launchd").await?.is_some() && answers(Manager::Launchd).await {
        return Ok(Manager::Launchd);
    }
    let systemd = Manager::Systemd(scope);
    if is_dir(host, "/run/systemd/system").await? && answers(systemd).await {
        return Ok(systemd);
    }
    Ok(if has_container_mark(host).await { Manager::Foreground } else { Manager::None })
}

/// In the first moment of our image, PID 1 is still `hermes boot init`, which becomes s6-svscan.
async fn await_init(host: &impl Host) -> Result<(), HostError> {
    let settled = file::poll(host, INIT_TIMEOUT, async || {
        let command_line = file::read(host, Path::new("/proc/1/cmdline"), 4096).await?;
        Ok::<_, HostError>((!is_init(&command_line)).then_some(()))
    });
    settled.await.map(drop)
}

fn is_init(command_line: &[u8]) -> bool {
    let arguments: Vec<&[u8]> = command_line.split(|&byte| byte == 0).collect();
    matches!(arguments.as_slice(), [program, b"boot", b"init", ..] if program.ends_with(b"hermes"))
}

async fn pid_1_is_svscan(host: &impl Host) -> Result<bool, HostError> {
    let comm = if_visible(file::read(host, Path::new("/proc/1/comm"), 64).await)?;
    Ok(comm.is_some_and(|comm| comm == b"s6-svscan\n"))
}

async fn is_dir(host: &impl Host, path: &str) -> Result<bool, HostError> {
    Ok(kind(host, path).await? == Some(FileKind::Directory))
}

async fn kind(host: &impl Host, path: &str) -> Result<Option<FileKind>, HostError> {
    Ok(if_visible(fs::meta(host, path).await)?.map(|meta| meta.kind))
}

/// `None` if it is absent, or hidden from us.
fn if_visible<T>(result: Result<T, HostError>) -> Result<Option<T>, HostError> {
    const NOT_FOR_US: [Errno; 4] = [Errno::NOENT, Errno::NOTDIR, Errno::ACCESS, Errno::PERM];
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if NOT_FOR_US.contains(&error.errno) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Docker and Podman leave a marker file.
async fn has_container_mark(host: &impl Host) -> bool {
    fs::meta(host, "/.dockerenv").await.is_ok()
        || fs::meta(host, "/run/.containerenv").await.is_ok()
}

/// Is this a container: by an engine's mark, or by its PID 1? One that systemd boots is a host like any other. Asks only
/// what is root's.
pub async fn is_container(host: &impl Host) -> Result<bool, HostError> {
    let comm = if_visible(file::read(host, Path::new("/proc/1/comm"), 64).await)?;
    if comm.is_some_and(|comm| comm == b"systemd\n") {
        return Ok(false);
    }
    Ok(has_container_mark(host).await || pid_1_is_svscan(host).await? || is_booting(host).await?)
}

/// Is PID 1 still our image's `boot init`?
pub async fn is_booting(host: &impl Host) -> Result<bool, HostError> {
    let command_line = if_visible(file::read(host, Path::new("/proc/1/cmdline"), 4096).await)?;
    Ok(command_line.is_some_and(|line| is_init(&line)))
}

/// Is PID 1 an s6-svscan?
pub async fn is_supervised_by_s6(host: &impl Host) -> Result<bool, HostError> {
    pid_1_is_svscan(host).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"/usr/local/bin/hermes\0boot\0init\0--\0", true)]
    #[case(b"hermes\0gateway\0run\0", false)]
    #[case(b"s6-svscan\0--\0/run/hermes/init\0", false)]
    #[case(b"", false)]
    fn an_image_that_is_still_starting_is_known(
        #[case] command_line: &[u8],
        #[case] expected: bool,
    ) {
        assert_eq!(is_init(command_line), expected);
    }

    #[rstest]
    #[case("s6", Ok(Manager::S6))]
    #[case("none", Ok(Manager::None))]
    #[case("systemd", Ok(Manager::Systemd(Scope::User)))]
    #[case("launchd", Ok(Manager::Launchd))]
    #[case("windows", Ok(Manager::Windows))]
    #[case("runit", Err(OverrideError::Unknown("runit".into())))]
    fn the_override_is_read(#[case] name: &str, #[case] expected: Result<Manager, OverrideError>) {
        assert_eq!(parse_override(name, Scope::User), expected);
    }
}
