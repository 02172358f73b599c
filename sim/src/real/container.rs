//! The seam between scenarios and the two kinds of containers: namespaces, or a container of an engine.
//!
//! Code above this trait does not know which kind it uses. Observing a container changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::exec::ExecOutput;
use super::processes::HostProcess;
use crate::scenario::expect::FileKindSpec;
use crate::scenario::values::{Mode, SignalName, User};
use crate::scenario::world::SupervisionTree;

/// How a container is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StartOptions {
    /// Which supervision tree PID 1 becomes.
    pub(crate) tree: SupervisionTree,
    /// Its whole environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Its command, if it has one.
    pub(crate) command: Vec<String>,
    /// The umask of PID 1, if it is not the default.
    pub(crate) umask: Option<Mode>,
    /// `/run` is a tmpfs that executes nothing.
    pub(crate) noexec_run: bool,
}

/// A foreign image: root's s6-svscan is PID 1, and its boot hook runs `hermes boot reconcile`.
const FOREIGN: &str = "rm -rf /run/s6 /run/service
mkdir -p /run/s6/basedir /run/s6/container_environment /run/service
cd /run/s6/container_environment
for name in $(env | sed -n 's/^\\([A-Z_0-9]*\\)=.*/\\1/p'); do printenv \"$name\" >\"$name\"; done
exec s6-svscan /run/service";

impl StartOptions {
    /// The command line of PID 1; `None` for the image's own entrypoint.
    pub(crate) fn entrypoint(&self) -> Option<Vec<String>> {
        let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
        match (self.tree, self.umask) {
            (SupervisionTree::Hermes, None) => None,
            (SupervisionTree::Hermes, Some(mode)) => {
                let script = format!("umask {:04o}; exec hermes boot init -- \"$@\"", mode.0);
                words(&["sh", "-c", &script, "sh"])
            }
            (SupervisionTree::Root, _) => words(&["sh", "-c", FOREIGN, "sh"]),
            (
                SupervisionTree::None
                | SupervisionTree::Systemd
                | SupervisionTree::Launchd
                | SupervisionTree::Windows,
                _,
            ) => words(&["sleep", "infinity"]),
        }
    }
}

/// A file, as it was observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObservedFile {
    /// Its kind; a FIFO counts as a file without contents.
    pub(crate) kind: FileKindSpec,
    /// The owner.
    pub(crate) uid: u32,
    /// The inode number.
    pub(crate) inode: u64,
    /// A file's contents.
    pub(crate) bytes: Vec<u8>,
    /// A directory's names, sorted.
    pub(crate) names: Vec<String>,
}

impl ObservedFile {
    /// The contents as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Waits for the end of a program that was started.
pub(crate) type AwaitExit = Box<dyn FnOnce() -> Result<ExecOutput, String>>;

/// One container, from one start to the next and so on.
pub(crate) trait ContainerHandle: std::fmt::Debug {
    /// Starts the container.
    fn start(&mut self, start: &StartOptions) -> Result<(), String>;

    /// Sends SIGTERM to PID 1, and SIGKILL after the grace.
    fn stop(&mut self, grace: Duration) -> Result<(), String>;

    /// Stops the container and starts it again.
    fn restart(&mut self, grace: Duration, start: &StartOptions) -> Result<(), String> {
        self.stop(grace)?;
        self.start(start)
    }

    /// Sends SIGKILL to PID 1.
    fn kill(&mut self) -> Result<(), String>;

    /// Freezes all processes of the container.
    fn pause(&mut self) -> Result<(), String>;

    /// Thaws the container.
    fn unpause(&mut self) -> Result<(), String>;

    /// Replaces the container by a new one of the image on the same volume, not started.
    fn recreate(&mut self) -> Result<(), String>;

    /// Makes the files of a container observable again after it has ended by itself.
    fn refresh(&mut self) -> Result<(), String>;

    /// Is PID 1 running?
    fn is_running(&mut self) -> bool;

    /// Starts a program in the container as this user; its standard input is `stdin`, then the end of file.
    fn begin_exec(
        &self,
        user: User,
        env: &BTreeMap<String, String>,
        argv: &[&str],
        stdin: &[u8],
    ) -> Result<AwaitExit, String>;

    /// Runs a shell script on files as root, whether the container runs or not. The first of `words` is the path that is
    /// changed.
    fn run_script(&self, script: &str, words: &[&str], stdin: &[u8]) -> Result<ExecOutput, String>;

    /// Observes a file of the container; a link at the end of the path is not followed.
    fn observe_file(&self, path: &str) -> Option<ObservedFile>;

    /// The path of a file of the container on the host, only for observing.
    fn procfs_path(&self, path: &str) -> Result<PathBuf, String> {
        Err(format!("`{path}` can be observed from inside only"))
    }

    /// `Ok` if a process has this FIFO open for reading.
    fn check_fifo_reader(&self, fifo: &str) -> Result<(), String>;

    /// The live processes of the container.
    fn processes(&self) -> Vec<HostProcess>;

    /// Sends a signal to one of them.
    fn signal(&self, to: &HostProcess, signal: SignalName) -> Result<(), String>;

    /// The holders of record locks on a file, as [`HostProcess::host_pid`].
    fn lock_holders(&self, inode: u64) -> Vec<u32>;

    /// Everything that the container has printed since it was created.
    fn console(&self) -> String;
}

/// The holders of record locks on a file, in the text of `/proc/locks`.
pub(crate) fn lock_holders_in(locks: &str, inode: u64) -> Vec<u32> {
    let end = format!(":{inode}");
    let holder = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // `1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`; a waiting lock has an arrow before its kind.
        let is_held = fields.get(5).is_some_and(|file| file.ends_with(&end));
        is_held.then(|| fields.get(4)?.parse().ok()).flatten()
    };
    locks.lines().filter_map(holder).collect()
}
