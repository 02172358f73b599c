//! A container made of namespaces. A container that does not run is mounted all the same, so that its files can be observed
//! and changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal as RawSignal;

use super::container::{AwaitExit, ContainerHandle, ObservedFile, StartOptions};
use super::exec::{self, ExecOutput};
use super::namespace_set::{self, NamespaceSet, OverlayLayers};
use super::processes::HostProcess;
use super::procfs;
use crate::machine::image::HOME;
use crate::scenario::values::{SignalName, User};

/// One container.
#[derive(Debug)]
pub(crate) struct NamespaceContainer {
    layers: OverlayLayers,
    namespaces: NamespaceSet,
}

impl NamespaceContainer {
    /// Mounted, not started.
    pub(crate) fn new(layers: OverlayLayers) -> Result<Self, String> {
        layers.make()?;
        let namespaces = NamespaceSet::mount(&layers)?;
        Ok(Self { layers, namespaces })
    }

    /// The mounted namespaces, for callers that start PID 1 themselves.
    pub(crate) fn into_namespaces(self) -> NamespaceSet {
        self.namespaces
    }

    /// Mounts a container again after its PID 1 has ended.
    fn mount_again(&mut self) -> Result<(), String> {
        if self.namespaces.is_started() && self.namespaces.ended().is_some() {
            self.namespaces = NamespaceSet::mount(&self.layers)?;
        }
        Ok(())
    }

    /// The path of a file of the container on the host, only for observing.
    fn path(&self, inside: &str) -> PathBuf {
        self.namespaces.path(inside)
    }
}

impl ContainerHandle for NamespaceContainer {
    fn start(&mut self, start: &StartOptions) -> Result<(), String> {
        self.mount_again()?;
        let root = quote(&self.layers.scratch.join("merged").display().to_string());
        let mut words = Vec::new();
        if start.noexec_run {
            words.push(format!("mount -t tmpfs -o noexec tmpfs {root}/run\n"));
        }
        words.extend(["exec".to_owned(), "chroot".to_owned(), root]);
        words.extend(["env".to_owned(), "-i".to_owned(), "-C".to_owned(), HOME.to_owned()]);
        words.extend(start.env.iter().map(|(name, value)| quote(&format!("{name}={value}"))));
        let default =
            || ["/usr/local/bin/hermes", "boot", "init", "--"].map(str::to_owned).to_vec();
        let entrypoint = start.entrypoint().unwrap_or_else(default);
        words.extend(entrypoint.iter().chain(&start.command).map(|word| quote(word)));
        self.namespaces.start(&words.join(" "))
    }

    fn stop(&mut self, grace: Duration) -> Result<(), String> {
        if self.namespaces.is_started() {
            self.namespaces.stop(grace);
        }
        self.mount_again()
    }

    fn kill(&mut self) -> Result<(), String> {
        if self.namespaces.is_started() {
            self.namespaces.kill();
        }
        self.mount_again()
    }

    fn pause(&mut self) -> Result<(), String> {
        Err("this machine cannot pause".to_owned())
    }

    fn unpause(&mut self) -> Result<(), String> {
        self.pause()
    }

    fn recreate(&mut self) -> Result<(), String> {
        self.namespaces.kill();
        self.layers.make()?;
        self.namespaces = NamespaceSet::mount(&self.layers)?;
        Ok(())
    }

    fn refresh(&mut self) -> Result<(), String> {
        self.mount_again()
    }

    fn is_running(&mut self) -> bool {
        self.namespaces.is_started() && self.namespaces.ended().is_none()
    }

    fn begin_exec(
        &self,
        user: User,
        env: &BTreeMap<String, String>,
        argv: &[&str],
        stdin: &[u8],
    ) -> Result<AwaitExit, String> {
        let stdio = if stdin.is_empty() { Stdio::null() } else { Stdio::piped() };
        let mut running = exec::begin(&self.namespaces, user, env, argv, stdio)?;
        if !stdin.is_empty() {
            running.feed(stdin)?;
        }
        Ok(Box::new(move || running.end()))
    }

    fn run_script(&self, script: &str, words: &[&str], stdin: &[u8]) -> Result<ExecOutput, String> {
        let path = "/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
        let env = BTreeMap::from([("PATH".to_owned(), path)]);
        let argv = [&["sh", "-ec", script, "sh"], words].concat();
        self.begin_exec(User::Root, &env, &argv, stdin)?()
    }

    fn observe_file(&self, path: &str) -> Option<ObservedFile> {
        procfs::observe_file(&self.path(path))
    }

    fn procfs_path(&self, path: &str) -> Result<PathBuf, String> {
        Ok(self.path(path))
    }

    fn check_fifo_reader(&self, fifo: &str) -> Result<(), String> {
        procfs::check_fifo_reader(&self.path(fifo))
    }

    fn processes(&self) -> Vec<HostProcess> {
        self.namespaces.processes()
    }

    fn signal(&self, to: &HostProcess, signal: SignalName) -> Result<(), String> {
        to.signal(raw(signal));
        Ok(())
    }

    fn lock_holders(&self, inode: u64) -> Vec<u32> {
        procfs::lock_holders(inode)
    }

    fn console(&self) -> String {
        namespace_set::read_console(&self.layers.console())
    }
}

/// Quotes a word for the shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn raw(signal: SignalName) -> RawSignal {
    match signal {
        SignalName::Hup => RawSignal::HUP,
        SignalName::Int => RawSignal::INT,
        SignalName::Quit => RawSignal::QUIT,
        SignalName::Kill => RawSignal::KILL,
        SignalName::Usr1 => RawSignal::USR1,
        SignalName::Usr2 => RawSignal::USR2,
        SignalName::Term => RawSignal::TERM,
        SignalName::Cont => RawSignal::CONT,
        SignalName::Stop => RawSignal::STOP,
    }
}
