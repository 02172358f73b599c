//! One life of a machine: its PID, mount and network namespaces, from its first process to the end of all.
//!
//! It ends with the thread that started it, in every case: the kernel guarantees that (parent-death signal).

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::poll;
use super::processes::{self, MachineProcess};

/// Which user's s6-svscan the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    /// uid 10000's, as in our image.
    Hermes,
    /// root's, as in images of others.
    Root,
}

/// How a machine is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As `docker stop` does: SIGTERM to the first process, and SIGKILL after the grace.
    Term,
    /// As `docker kill` does.
    Kill,
}

/// The grace time of `docker stop`.
const GRACE: Duration = Duration::from_secs(10);

const INIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/machine/init.sh");

/// A living machine.
#[derive(Debug)]
pub(crate) struct Namespace {
    outer: Child,
    init: u32,
    handle: OwnedFd,
}

impl Namespace {
    pub(crate) fn start(tree: Tree, program: &Path, home: &Path, console: &Path) -> Self {
        let log = File::options().append(true).create(true).open(console).expect("a console");
        let tree = if tree == Tree::Root { "root" } else { "hermes" };
        let outer = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--mount", "--net"])
            .args(["--mount-proc", "--kill-child", "sh", INIT, tree])
            .arg(program)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HERMES_HOME", home)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second descriptor"))
            .stderr(log)
            .spawn()
            .expect("setpriv and unshare of util-linux");
        let init = poll::wait_until("the machine's first process", || first_child(outer.id()));
        assert!(init > 1, "process {init} is not ours to signal");
        let handle = pidfd_open(raw(init), PidfdFlags::empty()).expect("a handle on our own child");
        let mut namespace = Self { outer, init, handle };
        namespace.wait_for_svscan(console);
        namespace
    }

    fn wait_for_svscan(&mut self, console: &Path) {
        let control = self.path("/run/service/.s6-svscan/control");
        poll::wait_until("s6-svscan listens", || {
            let ended = self.outer.try_wait().expect("our own child");
            assert!(ended.is_none(), "the machine did not come up, {ended:?}: see init.sh\n{}", {
                std::fs::read_to_string(console).unwrap_or_default()
            });
            let opened =
                rustix::fs::open(&control, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty());
            opened.map(drop).map_err(|errno| {
                let said = std::fs::read_to_string(console).unwrap_or_default();
                format!("{}: {errno}; the console says:\n{said}", control.display())
            })
        });
    }

    /// The first process, as the outside counts.
    pub(crate) fn init(&self) -> u32 {
        self.init
    }

    /// A file as the machine sees it.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.init))
    }

    /// All live processes in it except the first.
    pub(crate) fn processes(&self) -> Vec<MachineProcess> {
        processes::of_namespace(self.init)
    }

    /// Ends it; nothing in it is alive afterwards. Returns how long that took.
    pub(crate) fn end(mut self, how: End) -> Duration {
        let began = std::time::Instant::now();
        if how == End::Term {
            pidfd_send_signal(&self.handle, Signal::TERM).expect("the first process lives");
            let ended = poll::poll_within(GRACE, || match self.outer.try_wait() {
                Ok(Some(_)) => Ok(()),
                other => Err(format!("{other:?}")),
            });
            if ended.is_ok() {
                return began.elapsed();
            }
        }
        self.kill();
        began.elapsed()
    }

    fn kill(&mut self) {
        // It may have ended already; then the signal is not needed.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
        self.outer.wait().expect("our own child");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn raw(pid: u32) -> Pid {
    let raw = i32::try_from(pid).expect("a process number");
    assert!(raw > 1, "process {raw} is not ours to signal");
    Pid::from_raw(raw).expect("above 1")
}

/// The only child of a process, once it has one.
pub(crate) fn first_child(of: u32) -> Result<u32, String> {
    let path = format!("/proc/{of}/task/{of}/children");
    let children = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let first = children.split_whitespace().next().ok_or(format!("process {of} has no child"))?;
    first.parse().map_err(|error| format!("{first}: {error}"))
}
