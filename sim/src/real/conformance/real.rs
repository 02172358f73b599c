//! The real side: the s6-svscan of a Debian release as PID 1 of its own PID namespace, on a scan directory in memory.
//!
//! Files are changed from outside, below the scan directory only; no link of a sequence leads there.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::sequence::{self, PROGRAMS, SCAN_DIR, SequenceAct, SignalTarget, service_files};
use super::view::{ActOutcome, ComparedNode, ComparedWorld, role};
use crate::real::MachinePaths;
use crate::real::exec;
use crate::real::namespace_set::{NamespaceSet, OverlayLayers};
use crate::real::namespaces::NamespaceContainer;
use crate::real::processes::HostProcess;
use crate::real::setup;
use crate::real::wait;
use crate::scenario::values::User;
use crate::scenario::world::{FileContent, FileSpec, S6Spec};

/// A real s6-svscan, or one that will be started.
#[derive(Debug)]
pub(super) struct RealS6 {
    namespaces: NamespaceSet,
    scratch: PathBuf,
    env: BTreeMap<String, String>,
}

impl RealS6 {
    /// Mounted, not booted.
    pub(super) fn new(parts: &MachinePaths, version: S6Spec) -> Result<Self, String> {
        let volume = parts.scratch.join("volume");
        let layers = OverlayLayers {
            lower: parts.root(version),
            scratch: parts.scratch.join("c1"),
            volume: volume.clone(),
            program: parts.program.clone(),
        };
        std::fs::create_dir_all(&volume).map_err(|error| error.to_string())?;
        let container = NamespaceContainer::new(layers.clone())?;
        for (name, lines) in PROGRAMS {
            let lines = serde_json::from_str(lines).map_err(|error| error.to_string())?;
            let content = FileContent::Program(lines);
            let node = FileSpec { content, owner: User::Root, mode: None };
            setup::write_node(&container, &format!("/usr/bin/{name}"), &node)?;
        }
        let namespaces = container.into_namespaces();
        let scan_dir = layers.scratch.join(format!("merged{SCAN_DIR}"));
        // In memory: a name keeps its inode as long as it exists.
        let mounted = Command::new("nsenter")
            .args(["--target", &namespaces.init().to_string(), "--mount"])
            .args(["mount", "-t", "tmpfs", "-o", "mode=755", "none"])
            .arg(&scan_dir)
            .status();
        match mounted {
            Ok(status) if status.success() => {}
            other => return Err(format!("the scan directory cannot be mounted: {other:?}")),
        }
        let path = "/usr/bin:/bin".to_owned();
        let env = BTreeMap::from([("PATH".to_owned(), path)]);
        Ok(Self { namespaces, scratch: layers.scratch, env })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.namespaces.path(&format!("{SCAN_DIR}/{name}"))
    }

    /// Performs one operation. `Err`: this machine could not do it.
    pub(super) fn act(&mut self, act: &SequenceAct) -> Result<ActOutcome, String> {
        let done = match act {
            SequenceAct::Service { name, .. } => self.service(name, act),
            SequenceAct::Mkdir(name) => {
                std::fs::DirBuilder::new().mode(0o755).create(self.path(name))
            }
            SequenceAct::Write(name, text) => self.write(name, text, sequence::mode_of(text)),
            SequenceAct::Link(name, target) => symlink(target, self.path(name)),
            SequenceAct::Fifo(name) => {
                let mode = rustix::fs::Mode::from_raw_mode(0o600);
                let kind = rustix::fs::FileType::Fifo;
                rustix::fs::mknodat(rustix::fs::CWD, self.path(name), kind, mode, 0)
                    .map_err(std::io::Error::from)
            }
            SequenceAct::Remove(name) => remove(&self.path(name)),
            SequenceAct::Rename(from, to) => std::fs::rename(self.path(from), self.path(to)),
            SequenceAct::Chmod(name, mode) => {
                let mode = std::fs::Permissions::from_mode(*mode);
                std::fs::set_permissions(self.path(name), mode)
            }
            SequenceAct::Boot => return self.boot().map(|()| ActOutcome::Done(Ok(()))),
            SequenceAct::Tool(words) => return self.tool(User::Root, words),
            SequenceAct::ToolAsHermes(words) => return self.tool(User::Hermes, words),
            SequenceAct::Signal(name, target) => {
                let Some(process) = self.find(target) else { return Ok(ActOutcome::NoProcess) };
                let number = sequence::signal_number(name)?;
                let signal = rustix::process::Signal::from_named_raw(number);
                process.signal(signal.ok_or_else(|| format!("no signal {number}"))?);
                return Ok(ActOutcome::Done(Ok(())));
            }
        };
        let errno = |error: std::io::Error| error.raw_os_error().unwrap_or_default();
        Ok(ActOutcome::Done(done.map_err(errno)))
    }

    /// Under a hidden name first: the scanner never sees an incomplete directory.
    fn service(&self, name: &str, act: &SequenceAct) -> std::io::Result<()> {
        let stage = self.path(".stage");
        for (file, text, mode) in service_files(act) {
            let file = stage.join(file);
            std::fs::create_dir_all(file.parent().unwrap_or(&stage))?;
            std::fs::write(&file, text)?;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode))?;
        }
        let renamed = std::fs::rename(&stage, self.path(name));
        if renamed.is_err() {
            std::fs::remove_dir_all(&stage)?;
        }
        renamed
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> std::io::Result<()> {
        let path = self.path(name);
        let mut new = path.clone().into_os_string();
        new.push(".new");
        std::fs::write(&new, text)?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(mode))?;
        std::fs::rename(&new, &path)
    }

    fn boot(&mut self) -> Result<(), String> {
        let merged = self.scratch.join("merged");
        let line = format!(
            "exec chroot '{}' env -i PATH=/usr/bin:/bin /usr/bin/s6-svscan -- {SCAN_DIR}",
            merged.display()
        );
        self.namespaces.start(&line)?;
        // From here on the process has its own root.
        let is_svscan =
            |process: &HostProcess| process.pid == 1 && process.program() == "s6-svscan";
        wait::poll_within(wait::PATIENCE, || {
            match self.namespaces.processes().iter().any(is_svscan) {
                true => Ok(()),
                false => Err("PID 1 is not s6-svscan".to_owned()),
            }
        })
    }

    fn tool(&self, user: User, words: &[String]) -> Result<ActOutcome, String> {
        let argv: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = exec::beside(&self.namespaces, user, &self.env, &argv)?;
        let code = output.code.ok_or_else(|| format!("{words:?} does not end"))?;
        Ok(ActOutcome::Tool { code, out: output.out, err: output.err })
    }

    fn find(&self, target: &SignalTarget) -> Option<HostProcess> {
        let all = self.namespaces.processes();
        let supervisor = |name: &String| {
            let supervises = |process: &&HostProcess| {
                process.program() == "s6-supervise" && process.argv.last() == Some(name)
            };
            all.iter().find(supervises).cloned()
        };
        match target {
            SignalTarget::Svscan => all.iter().find(|process| process.pid == 1).cloned(),
            SignalTarget::Supervisor(name) => supervisor(name),
            SignalTarget::Child(name) => {
                let parent = supervisor(name)?;
                all.iter().find(|process| process.parent == parent.host_pid).cloned()
            }
        }
    }

    /// The world now, as it is compared.
    pub(super) fn view(&mut self) -> ComparedWorld {
        let ended = self.namespaces.ended().map(|status| status.code().unwrap_or(-1));
        let all = self.namespaces.processes();
        let mut processes = BTreeMap::new();
        if self.namespaces.is_started() {
            for process in &all {
                *processes.entry(role(&process.argv, process.is_stopped)).or_insert(0) += 1;
            }
        }
        let mut tree = BTreeMap::new();
        if ended.is_none() {
            walk(&self.path(""), "", &all, &mut tree);
        }
        ComparedWorld { ended, tree, processes }
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path)?.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    }
}

/// Describes a tree. A name that vanishes meanwhile counts as absent.
fn walk(dir: &Path, above: &str, all: &[HostProcess], tree: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = format!("{above}{}", entry.file_name().to_string_lossy());
        let Ok(meta) = std::fs::symlink_metadata(entry.path()) else { continue };
        let kind = match meta.file_type() {
            kind if kind.is_dir() => "dir",
            kind if kind.is_symlink() => "link",
            kind if kind.is_file() => "file",
            _ => "fifo",
        };
        let bytes = match kind {
            "file" => std::fs::read(entry.path()).unwrap_or_default(),
            "link" => std::fs::read_link(entry.path())
                .map(|target| target.to_string_lossy().into_owned().into_bytes())
                .unwrap_or_default(),
            _ => Vec::new(),
        };
        let mode = meta.mode() & 0o7777;
        let node = ComparedNode { kind, mode, uid: meta.uid(), gid: meta.gid(), bytes };
        let is_alive = |pid: u64| all.iter().any(|process| u64::from(process.pid) == pid);
        tree.insert(path.clone(), node.describe(&path, is_alive));
        if kind == "dir" {
            walk(&entry.path(), &format!("{path}/"), all, tree);
        }
    }
}
