//! The namespaces of a container, from the first mount to the end of its last process.
//!
//! The file system is mounted first, and its files can be changed; then PID 1 is started. The namespaces end with the thread
//! that created them, however that thread ends: the kernel guarantees it (a parent-death signal).

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::processes::{self, HostProcess, first_child, signalable_pid};
use super::wait;

const INIT: &str = include_str!("init.sh");

/// The files of a container on the host.
#[derive(Clone, Debug)]
pub(crate) struct OverlayLayers {
    /// The root file system of a Debian release; never written to.
    pub(crate) lower: PathBuf,
    /// The directory for the container's own files and its output.
    pub(crate) scratch: PathBuf,
    /// The volume.
    pub(crate) volume: PathBuf,
    /// `hermes`.
    pub(crate) program: PathBuf,
}

impl OverlayLayers {
    /// The file with everything that the container has printed since it was created.
    pub(crate) fn console(&self) -> PathBuf {
        self.scratch.join("console")
    }

    /// Creates empty layers.
    pub(crate) fn make(&self) -> Result<(), String> {
        let _ = std::fs::remove_dir_all(&self.scratch); // there may be none yet
        for dir in ["upper", "work", "merged"] {
            let dir = self.scratch.join(dir);
            std::fs::create_dir_all(&dir).map_err(|error| io_error("make", &dir, &error))?;
        }
        Ok(())
    }
}

pub(crate) fn io_error(verb: &str, path: &Path, error: &std::io::Error) -> String {
    format!("failed to {verb} `{}`: {error}", path.display())
}

/// The namespaces of a container, mounted or started.
#[derive(Debug)]
pub(crate) struct NamespaceSet {
    outer: Child,
    init: u32,
    handle: OwnedFd,
    scratch: PathBuf,
    is_started: bool,
}

impl NamespaceSet {
    /// Creates the namespaces and the mounts; PID 1 is not started yet.
    pub(crate) fn mount(layers: &OverlayLayers) -> Result<Self, String> {
        let mounted = layers.scratch.join("mounted");
        let _ = std::fs::remove_file(&mounted); // of the previous start, if there was one
        let console = layers.console();
        let log = File::options().append(true).create(true).open(&console);
        let log = log.map_err(|error| io_error("open", &console, &error))?;
        let second = log.try_clone().map_err(|error| io_error("open", &console, &error))?;
        let mut outer = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--mount", "--net"])
            .args(["--ipc", "--mount-proc", "--kill-child", "sh", "-c", INIT, "init"])
            .args([&layers.lower, &layers.scratch, &layers.volume, &layers.program])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(second)
            .spawn()
            .map_err(|error| format!("failed to start setpriv and unshare: {error}"))?;
        let found = wait::poll_within(wait::PATIENCE, || first_child(outer.id()));
        let handle = found.and_then(|init| {
            let pid =
                signalable_pid(init).ok_or(format!("process {init} is not ours to signal"))?;
            let handle = pidfd_open(pid, PidfdFlags::empty());
            Ok((init, handle.map_err(|error| format!("no handle on our own child: {error}"))?))
        });
        let (init, handle) = match handle {
            Ok(found) => found,
            Err(error) => {
                let _ = outer.kill(); // our own child; it may be gone already
                let _ = outer.wait();
                return Err(error);
            }
        };
        let scratch = layers.scratch.clone();
        let mut namespaces = Self { outer, init, handle, scratch, is_started: false };
        wait::poll_within(wait::PATIENCE, || match (mounted.exists(), namespaces.ended()) {
            (true, _) => Ok(Ok(())),
            (false, None) => Err("its root is not mounted".to_owned()),
            (false, Some(status)) => Ok(Err(format!("{status} before its root was mounted"))),
        })
        .and_then(|ended| ended)
        .map_err(|error| format!("{error}: {}", read_console(&console)))?;
        Ok(namespaces)
    }

    /// Starts PID 1: the first process, with the container's root mounted, runs this line of shell.
    pub(crate) fn start(&mut self, line: &str) -> Result<(), String> {
        let start = self.scratch.join("start");
        std::fs::write(&start, line).map_err(|error| io_error("write", &start, &error))?;
        let written = self.outer.stdin.take().map(|mut stdin| stdin.write_all(b"go\n"));
        self.is_started = true;
        match written {
            Some(Ok(())) => Ok(()),
            other => Err(format!("the container's first process does not read: {other:?}")),
        }
    }

    /// Was PID 1 started?
    pub(crate) fn is_started(&self) -> bool {
        self.is_started
    }

    /// The exit status, if the first process has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.outer.try_wait().ok().flatten()
    }

    /// The pid of the first process on the host.
    pub(crate) fn init(&self) -> u32 {
        self.init
    }

    /// The path of a file of the container on the host. Only for observing: a link in the container may lead anywhere.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        match self.is_started {
            true => PathBuf::from(format!("/proc/{}/root{inside}", self.init)),
            false => {
                let merged = self.scratch.join("merged");
                PathBuf::from(format!("/proc/{}/root{}{inside}", self.init, merged.display()))
            }
        }
    }

    /// The live processes of a started container.
    pub(crate) fn processes(&self) -> Vec<HostProcess> {
        if self.is_started { processes::list_namespace(self.init) } else { Vec::new() }
    }

    /// Sends a signal to the first process.
    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended already; then it needs no signal.
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// Sends SIGTERM to the first process, and SIGKILL after the grace.
    pub(crate) fn stop(&mut self, grace: Duration) {
        self.signal(Signal::TERM);
        let ended = wait::poll_within(grace, || self.ended().ok_or_else(String::new));
        if ended.is_err() {
            self.kill();
        }
    }

    /// Sends SIGKILL to the first process; no process of the container is alive afterwards.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.outer.wait(); // our own child; its exit status does not matter
    }
}

impl Drop for NamespaceSet {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The output of a container.
pub(crate) fn read_console(console: &Path) -> String {
    let bytes = std::fs::read(console).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
