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

/// The clocks. Both stand still until the machine advances them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    /// Time since the machine started, including suspension.
    pub boot: Duration,
    /// Since 1970.
    pub wall: Duration,
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerPhase {
    /// Created, or ended with this code: it has no live process.
    Exited(u8),
    /// PID 1 is alive.
    Running,
    /// Frozen: its processes take no step.
    Paused,
}

/// The program of PID 1 of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pid1 {
    /// Our image: `hermes boot init`.
    Hermes,
    /// A foreign image: root's s6-svscan on the gateways' scan directory, and a boot hook.
    Foreign,
    /// A program that only waits.
    Sleeper,
    /// The supervisor of a host, which is no container at all.
    Host(HostKind),
}

/// The settings with which a container starts, each time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerSettings {
    /// Its environment.
    pub env: Arc<BTreeMap<OsString, OsString>>,
    /// The umask with which PID 1 starts.
    pub umask: u32,
    /// Its command, after `hermes boot init --`.
    pub command: Vec<OsString>,
    /// The user of PID 1.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The program of PID 1.
    pub init: Pid1,
}

/// One container: a PID namespace and a view of the disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Container {
    /// The settings for each start.
    pub settings: LazilyHashed<ContainerSettings>,
    /// The current phase.
    pub phase: ContainerPhase,
    /// Its root directory: the image's files and other files outside the mounts. Survives a restart.
    pub root: NodeId,
    /// The mounts over directories: the volume, tmpfs.
    pub mounts: Arc<LazilyHashed<BTreeMap<NodeId, NodeId>>>,
    /// Its PID namespace: another one at each start.
    pub namespace: u64,
    /// All its processes, including zombies.
    pub processes: BTreeMap<i32, Arc<LazilyHashed<Process>>>,
    /// The highest pid that was assigned.
    pub last_pid: i32,
    /// The time at which SIGKILL ends a stop.
    pub kill_at: Option<Duration>,
    /// The state of a host's supervisor that is not in files.
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
    /// The version of s6 that is installed.
    pub s6_version: S6Version,
    /// The clocks.
    pub clock: Clock,
    /// The number of boots of the machine itself: it determines `boot_id`.
    pub boot_count: u64,
    /// The number of PID namespaces so far.
    pub namespace_count: u64,
    /// All files.
    pub disk: Disk,
    /// The contents of pipes and FIFOs that are open.
    pub pipes: BTreeMap<NodeId, Vec<u8>>,
    /// All containers.
    pub containers: BTreeMap<ContainerId, Container>,
    /// The behaviour of users' programs.
    pub programs: Arc<LazilyHashed<Programs>>,
}

impl World {
    /// A process that exists, alive or zombie.
    pub fn process(&self, who: ProcessId) -> Option<&Process> {
        Some(self.containers.get(&who.container)?.processes.get(&who.pid)?)
    }

    /// The same, mutable.
    pub fn process_mut(&mut self, who: ProcessId) -> Option<&mut Process> {
        let process = self.containers.get_mut(&who.container)?.processes.get_mut(&who.pid)?;
        Some(&mut *Arc::make_mut(process))
    }

    /// Its container.
    ///
    /// # Panics
    ///
    /// If it does not exist: a [`ProcessId`] is only created for containers that exist.
    pub fn container(&self, id: ContainerId) -> &Container {
        self.containers.get(&id).expect("a container of this world")
    }

    /// The same, mutable.
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
