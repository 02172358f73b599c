//! The whole simulated machine as plain data: cloned cheaply, compared by hash. Nothing here acts.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::hash::LazilyHashed;
use crate::machine::disk::{Disk, NodeId};
pub use crate::machine::ids::{ContainerId, ProcessId, S6Version};
use crate::machine::process::{Process, ProcessBody, Programs};
use crate::machine::registry::{HostKind, HostRegistry};
use crate::machine::state::manager::Manager;

/// Time. Both clocks stand still until the machine moves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    /// Since the machine started, suspension included.
    pub boot: Duration,
    /// Since 1970.
    pub wall: Duration,
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerPhase {
    /// Made, or ended with this code: no process lives.
    Exited(u8),
    /// PID 1 lives.
    Running,
    /// Nobody in it moves.
    Paused,
}

/// What PID 1 of a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pid1 {
    /// Our image: `hermes boot init`.
    Hermes,
    /// Somebody else's image: root's s6-svscan on the gateways' scan directory, and a boot hook.
    Foreign,
    /// A program that only waits.
    Sleeper,
    /// The supervisor of a host, which is no container at all.
    Host(HostKind),
}

/// What a container is started with, each time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerSettings {
    /// Its environment.
    pub env: Arc<BTreeMap<OsString, OsString>>,
    /// The umask that PID 1 is started with.
    pub umask: u32,
    /// Its command, after `hermes boot init --`.
    pub command: Vec<OsString>,
    /// Whom PID 1 runs as.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// What PID 1 is.
    pub init: Pid1,
}

/// One container: a PID namespace and a view of the disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Container {
    /// What it is started with.
    pub settings: LazilyHashed<ContainerSettings>,
    /// What it is doing.
    pub phase: ContainerPhase,
    /// Its root directory: the image's files and what was written beside mounts. Survives a restart.
    pub root: NodeId,
    /// What lies over a directory: the volume, tmpfs.
    pub mounts: Arc<LazilyHashed<BTreeMap<NodeId, NodeId>>>,
    /// Its PID namespace: another at each start.
    pub namespace: u64,
    /// Everybody, zombies included.
    pub processes: BTreeMap<i32, Arc<LazilyHashed<Process>>>,
    /// The highest number given out.
    pub last_pid: i32,
    /// When SIGKILL ends a stop.
    pub kill_at: Option<Duration>,
    /// What the supervisor of a host keeps beside files.
    pub registry: HostRegistry,
}

impl Container {
    /// Where its slots are.
    pub fn scan_path(&self) -> PathBuf {
        let configured = self.settings.env.get(OsStr::new("S6_PROFILE_GATEWAY_SCANDIR"));
        configured.map_or_else(|| PathBuf::from("/run/service"), PathBuf::from)
    }
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// Which s6 is installed.
    pub s6_version: S6Version,
    /// Time.
    pub clock: Clock,
    /// How often the machine itself has booted: what `boot_id` tells.
    pub boot_count: u64,
    /// How many PID namespaces there were.
    pub namespace_count: u64,
    /// All files.
    pub disk: Disk,
    /// What is in pipes and FIFOs that somebody has open.
    pub pipes: BTreeMap<NodeId, Vec<u8>>,
    /// All containers.
    pub containers: BTreeMap<ContainerId, Container>,
    /// What programs other than ours and s6's do.
    pub programs: Arc<LazilyHashed<Programs>>,
}

impl World {
    /// A process that exists, alive or not.
    pub fn process(&self, who: ProcessId) -> Option<&Process> {
        Some(self.containers.get(&who.container)?.processes.get(&who.pid)?)
    }

    /// The same, to be changed.
    pub fn process_mut(&mut self, who: ProcessId) -> Option<&mut Process> {
        let process = self.containers.get_mut(&who.container)?.processes.get_mut(&who.pid)?;
        Some(&mut *Arc::make_mut(process))
    }

    /// Its container.
    ///
    /// # Panics
    ///
    /// If there is none: a [`Who`] is only made of containers that exist.
    pub fn container(&self, id: ContainerId) -> &Container {
        self.containers.get(&id).expect("a container of this world")
    }

    /// The same, to be changed.
    ///
    /// # Panics
    ///
    /// As [`World::container`].
    pub fn container_mut(&mut self, id: ContainerId) -> &mut Container {
        self.containers.get_mut(&id).expect("a container of this world")
    }

    /// The node of a container's scan directory.
    pub fn scan_dir(&self, id: ContainerId) -> Option<NodeId> {
        let container = self.container(id);
        self.disk.peek(container.root, &container.mounts, &container.scan_path())
    }

    /// Everybody, by container and number.
    pub fn processes(&self) -> impl Iterator<Item = (ProcessId, &Process)> {
        self.containers.iter().flat_map(|(&container, inside)| {
            inside
                .processes
                .iter()
                .map(move |(&pid, process)| (ProcessId { container, pid }, &***process))
        })
    }

    /// The manager of a container that is a host.
    pub fn manager(&self, id: ContainerId) -> Option<&Manager> {
        match &self.process(ProcessId { container: id, pid: 1 })?.body {
            ProcessBody::Manager(manager) => Some(manager),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn manager_mut(&mut self, id: ContainerId) -> Option<&mut Manager> {
        match &mut self.process_mut(ProcessId { container: id, pid: 1 })?.body {
            ProcessBody::Manager(manager) => Some(manager),
            _ => None,
        }
    }
}
