//! The PID 1 of a container by its pid on this machine. If the engine is on this machine and the simulator runs as root, the
//! container can be observed through `/proc` of that process.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use super::Engine;

/// One PID 1 of a container. After its end the pid may belong to another process; the open directory never does.
#[derive(Debug)]
pub(super) struct HostPid {
    pub(super) init: u32,
    proc: File,
}

impl HostPid {
    /// The PID 1 of a running container.
    pub(super) fn of(engine: &Engine, container: &str) -> Result<Self, String> {
        let init = first_process(engine, container)?;
        let path = format!("/proc/{init}");
        let proc =
            File::open(&path).map_err(|error| format!("failed to open `{path}`: {error}"))?;
        match first_process(engine, container)? == init {
            true => Ok(Self { init, proc }),
            false => Err("the container was restarted meanwhile".to_owned()),
        }
    }

    /// Is this process still alive?
    pub(super) fn is_alive(&self) -> bool {
        std::fs::metadata(self.path("/")).is_ok()
    }

    /// A file of the container. Only for observing: a link in the container may lead anywhere.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/root{inside}", self.proc.as_raw_fd()))
    }
}

fn first_process(engine: &Engine, container: &str) -> Result<u32, String> {
    let found = engine.block_on(engine.docker.inspect_container(container, None))?;
    let pid = found.state.and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok());
    pid.filter(|&pid| pid > 1).ok_or_else(|| "the container does not run".to_owned())
}
