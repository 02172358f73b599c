//! The first process of a container as this machine counts: where the engine is this machine's own and whoever looks is
//! root, the container can be looked at through it.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use super::Engine;

/// One life of a container. Its number may be somebody else's once it is over; the open directory is never.
#[derive(Debug)]
pub(super) struct HostPid {
    pub(super) init: u32,
    proc: File,
}

impl HostPid {
    /// Of a container that runs.
    pub(super) fn of(engine: &Engine, container: &str) -> Result<Self, String> {
        let init = first_process(engine, container)?;
        let path = format!("/proc/{init}");
        let proc =
            File::open(&path).map_err(|error| format!("failed to open `{path}`: {error}"))?;
        match first_process(engine, container)? == init {
            true => Ok(Self { init, proc }),
            false => Err("the container was started anew meanwhile".to_owned()),
        }
    }

    /// Is it this life still?
    pub(super) fn is_alive(&self) -> bool {
        std::fs::metadata(self.path("/")).is_ok()
    }

    /// A file of the container. For looking only: a link in it leads anywhere.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/root{inside}", self.proc.as_raw_fd()))
    }
}

fn first_process(engine: &Engine, container: &str) -> Result<u32, String> {
    let found = engine.block_on(engine.docker.inspect_container(container, None))?;
    let pid = found.state.and_then(|it| it.pid).and_then(|pid| u32::try_from(pid).ok());
    pid.filter(|&pid| pid > 1).ok_or_else(|| "the container does not run".to_owned())
}
