//! One life of a container: its namespaces, from the first mount to the end of all that lives in it.
//!
//! It is mounted first, and its files can be changed; then it is started. It ends with the thread that made it, however
//! that ends: the kernel sees to it.

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

/// What a container consists of, outside.
#[derive(Clone, Debug)]
pub(crate) struct OverlayLayers {
    /// The root directory of a Debian; never written to.
    pub(crate) lower: PathBuf,
    /// What the container adds, and what it prints.
    pub(crate) scratch: PathBuf,
    /// The volume.
    pub(crate) volume: PathBuf,
    /// `hermes`.
    pub(crate) program: PathBuf,
}

impl OverlayLayers {
    /// What the container printed, in all its lives.
    pub(crate) fn console(&self) -> PathBuf {
        self.scratch.join("console")
    }

    /// Empty layers.
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

/// A life, mounted or started.
#[derive(Debug)]
pub(crate) struct NamespaceSet {
    outer: Child,
    init: u32,
    handle: OwnedFd,
    scratch: PathBuf,
    is_started: bool,
}

impl NamespaceSet {
    /// The mounts are there, nothing runs yet.
    pub(crate) fn mount(layers: &OverlayLayers) -> Result<Self, String> {
        let mounted = layers.scratch.join("mounted");
        let _ = std::fs::remove_file(&mounted); // of the life before, if there was one
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
            Err(what) => {
                let _ = outer.kill(); // our own child; it may be gone already
                let _ = outer.wait();
                return Err(what);
            }
        };
        let scratch = layers.scratch.clone();
        let mut life = Self { outer, init, handle, scratch, is_started: false };
        wait::poll_within(wait::PATIENCE, || match (mounted.exists(), life.ended()) {
            (true, _) => Ok(Ok(())),
            (false, None) => Err("its root is not mounted".to_owned()),
            (false, Some(status)) => Ok(Err(format!("{status} before its root was mounted"))),
        })
        .and_then(|ended| ended)
        .map_err(|what| format!("{what}: {}", read_console(&console)))?;
        Ok(life)
    }

    /// Lets the first process become what the shell's line says; it is PID 1 with the container's root mounted.
    pub(crate) fn start(&mut self, line: &str) -> Result<(), String> {
        let start = self.scratch.join("start");
        std::fs::write(&start, line).map_err(|error| io_error("write", &start, &error))?;
        let told = self.outer.stdin.take().map(|mut stdin| stdin.write_all(b"go\n"));
        self.is_started = true;
        match told {
            Some(Ok(())) => Ok(()),
            other => Err(format!("the container's first process does not listen: {other:?}")),
        }
    }

    /// Has it been started?
    pub(crate) fn is_started(&self) -> bool {
        self.is_started
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.outer.try_wait().ok().flatten()
    }

    /// The first process, as the outside counts.
    pub(crate) fn init(&self) -> u32 {
        self.init
    }

    /// A file of the container, seen from outside. For looking only: a link in it leads anywhere.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        match self.is_started {
            true => PathBuf::from(format!("/proc/{}/root{inside}", self.init)),
            false => {
                let merged = self.scratch.join("merged");
                PathBuf::from(format!("/proc/{}/root{}{inside}", self.init, merged.display()))
            }
        }
    }

    /// All that lives in it.
    pub(crate) fn processes(&self) -> Vec<HostProcess> {
        if self.is_started { processes::list_namespace(self.init) } else { Vec::new() }
    }

    /// A signal for the first process.
    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended already; then there is nobody left to tell.
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// SIGTERM to the first process, and SIGKILL after the grace.
    pub(crate) fn stop(&mut self, grace: Duration) {
        self.signal(Signal::TERM);
        let ended = wait::poll_within(grace, || self.ended().ok_or_else(String::new));
        if ended.is_err() {
            self.kill();
        }
    }

    /// SIGKILL; nothing in it is alive afterwards.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.outer.wait(); // our own child; how it ended is of no interest
    }
}

impl Drop for NamespaceSet {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a container printed.
pub(crate) fn read_console(console: &Path) -> String {
    let bytes = std::fs::read(console).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
