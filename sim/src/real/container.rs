//! The seam between stories and what a container is made of: namespaces, or an engine's container.
//!
//! Above it nobody knows which. What it shows is a picture: looking changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::exec::ExecOutput;
use super::processes::HostProcess;
use crate::scenario::expect::FileKindSpec;
use crate::scenario::values::{Mode, SignalName, User};
use crate::scenario::world::SupervisionTree;

/// What a container is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StartOptions {
    /// Whose tree PID 1 becomes.
    pub(crate) tree: SupervisionTree,
    /// Its whole environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Its command, if it has one.
    pub(crate) command: Vec<String>,
    /// The umask of PID 1, if it is not the usual one.
    pub(crate) umask: Option<Mode>,
    /// `/run` is a tmpfs that executes nothing.
    pub(crate) noexec_run: bool,
}

/// Somebody else's image: root's s6-svscan is PID 1, and its boot hook runs `hermes boot reconcile`.
const FOREIGN: &str = "rm -rf /run/s6 /run/service
mkdir -p /run/s6/basedir /run/s6/container_environment /run/service
cd /run/s6/container_environment
for name in $(env | sed -n 's/^\\([A-Z_0-9]*\\)=.*/\\1/p'); do printenv \"$name\" >\"$name\"; done
exec s6-svscan /run/service";

impl StartOptions {
    /// The words of PID 1; none if the image's own will do.
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

/// A file as it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObservedFile {
    /// What it is; a FIFO is taken for a file without contents.
    pub(crate) kind: FileKindSpec,
    /// Whose it is.
    pub(crate) uid: u32,
    /// Its inode's number.
    pub(crate) inode: u64,
    /// A file's contents.
    pub(crate) bytes: Vec<u8>,
    /// A directory's names, sorted.
    pub(crate) names: Vec<String>,
}

impl ObservedFile {
    /// The contents, for people.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// A program that was begun: waits for its end.
pub(crate) type AwaitExit = Box<dyn FnOnce() -> Result<ExecOutput, String>>;

/// One container, over all its lives.
pub(crate) trait ContainerHandle: std::fmt::Debug {
    /// Starts it.
    fn start(&mut self, start: &StartOptions) -> Result<(), String>;

    /// SIGTERM, and SIGKILL after the grace.
    fn stop(&mut self, grace: Duration) -> Result<(), String>;

    /// Stops it, and starts it again.
    fn restart(&mut self, grace: Duration, start: &StartOptions) -> Result<(), String> {
        self.stop(grace)?;
        self.start(start)
    }

    /// SIGKILL.
    fn kill(&mut self) -> Result<(), String>;

    /// Freezes it.
    fn pause(&mut self) -> Result<(), String>;

    /// Lets it go on.
    fn unpause(&mut self) -> Result<(), String>;

    /// Another one on the same volume in its place, as the image is, not started.
    fn recreate(&mut self) -> Result<(), String>;

    /// It may have ended by itself: what can be looked at then is so again.
    fn refresh(&mut self) -> Result<(), String>;

    /// Does it run?
    fn is_running(&mut self) -> bool;

    /// Begins a program in it as somebody, who reads `stdin` and no more.
    fn begin_exec(
        &self,
        user: User,
        env: &BTreeMap<String, String>,
        argv: &[&str],
        stdin: &[u8],
    ) -> Result<AwaitExit, String>;

    /// A shell's words on files as root, whether it runs or not. The first word is the path that is changed.
    fn run_script(&self, script: &str, words: &[&str], stdin: &[u8]) -> Result<ExecOutput, String>;

    /// What a name in it is, links not followed at its end.
    fn observe_file(&self, path: &str) -> Option<ObservedFile>;

    /// Where a name in it lies outside, for looking only.
    fn procfs_path(&self, path: &str) -> Result<PathBuf, String> {
        Err(format!("`{path}` can be seen from inside alone"))
    }

    /// Does somebody read from this FIFO?
    fn check_fifo_reader(&self, fifo: &str) -> Result<(), String>;

    /// What lives in it.
    fn processes(&self) -> Vec<HostProcess>;

    /// A signal for one of those.
    fn signal(&self, to: &HostProcess, signal: SignalName) -> Result<(), String>;

    /// Who holds a record lock on a file, as [`Process::outer`] counts.
    fn lock_holders(&self, inode: u64) -> Vec<u32>;

    /// What it printed, in all its lives.
    fn console(&self) -> String;
}

/// The holders of record locks on a file, in the text of `/proc/locks`.
pub(crate) fn lock_holders_in(locks: &str, inode: u64) -> Vec<u32> {
    let end = format!(":{inode}");
    let of = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // `1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`; one that waits has an arrow before its kind.
        let is_held = words.get(5).is_some_and(|file| file.ends_with(&end));
        is_held.then(|| words.get(4)?.parse().ok()).flatten()
    };
    locks.lines().filter_map(of).collect()
}
