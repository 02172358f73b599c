//! The simulated disks: file systems with owners as plain data, cloned cheaply and compared by hash.
//!
//! ```text
//!   effects    walk ► permit ► open · names · rename · attributes · data      one call, one system call
//!   observers  setup                                                         no permissions, all durable at once
//!   crashes    power                                                         what a power cut may leave
//!              node                                                          what all of these change
//! ```
//!
//! Answers like Linux, errno for errno, with root as the only capability. It has no handles, processes, readers of FIFOs,
//! locks or clocks: the kernel above has these, and calls [`Disk::release_node`] when no process has a node open any more.
//!
//! Not modelled: creation of hard links (`setup` can), bind mounts of a part of a device, time stamps, quotas, the
//! `fs.protected_*` switches, and the loss of setuid bits by a write.

mod attributes;
mod data;
mod maintenance;
mod names;
mod node;
mod nodes;
mod open;
mod permissions;
mod power;
mod rename;
mod setup;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use hermes::error::Errno;
use hermes::host::effect::LinkPolicy;

pub use self::node::{Directory, DirectoryChange, Node, NodeBody, NodeStatus, Unsynced};
use self::nodes::Nodes;
pub use self::power::CUTS_MAX;
use crate::machine::footprint::{self, Resource};
pub use crate::machine::ids::NodeId;

/// The credentials of an effect. User 0 may do everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credentials {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Bits that are cleared in the mode of new files.
    pub umask: u32,
}

/// The view of a process: its trees, its working directory and its credentials.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The directory that `/` means.
    pub root: NodeId,
    /// The directory where relative paths start.
    pub cwd: NodeId,
    /// The mounts: a covered directory → the root that covers it. A root is mounted once.
    pub mounts: &'a BTreeMap<NodeId, NodeId>,
    /// The credentials for permissions.
    pub credentials: &'a Credentials,
}

/// A path and the open directory that it is relative to, if any.
pub type RelativePath<'a> = (Option<NodeId>, &'a Path);

/// All devices of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Disk {
    devices: BTreeMap<u16, Device>,
    /// No power cut will come: no unsynced state is kept.
    ignores_power_cuts: bool,
}

/// One file system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Device {
    read_only: bool,
    full: bool,
    nodes: Nodes,
}

/// The number of every device's root directory.
pub const ROOT: u64 = 1;

/// New nodes of effects get numbers from here on; below it, [`Disk::put_file`] and its siblings count upward.
const EFFECT_NUMBER_MIN: u64 = 1 << 32;

impl Disk {
    /// No devices.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an empty device, in place of any other of that number; returns its root, 0755 root:root.
    pub fn add_device(&mut self, device: u16) -> NodeId {
        let root = NodeId { device, number: ROOT };
        let node = Node::new(NodeBody::directory(root), NodeStatus { mode: 0o755, uid: 0, gid: 0 });
        let mut nodes = Nodes::default();
        nodes.insert(ROOT, node);
        self.devices.insert(device, Device { read_only: false, full: false, nodes });
        root
    }

    /// Removes a device with everything on it.
    pub fn remove_device(&mut self, device: u16) {
        self.devices.remove(&device);
    }

    /// From now on every change answers `EROFS`, or no longer does.
    pub fn set_read_only(&mut self, device: u16, read_only: bool) {
        if let Some(device) = self.devices.get_mut(&device) {
            device.read_only = read_only;
        }
    }

    /// From now on everything that needs room answers `ENOSPC` (data that grows, new names), or no longer does.
    pub fn set_full(&mut self, device: u16, full: bool) {
        if let Some(device) = self.devices.get_mut(&device) {
            device.full = full;
        }
    }

    /// Empties a device in memory, at the end of its container.
    pub fn wipe_device(&mut self, device: u16) {
        if self.devices.contains_key(&device) {
            self.add_device(device);
        }
    }

    /// The node, if it still exists.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        let node = self.devices.get(&id.device)?.nodes.get(&id.number)?;
        Some(node)
    }

    /// Resolves a path to its node.
    pub fn resolve(
        &self,
        view: &View<'_>,
        dir: Option<NodeId>,
        path: &Path,
        links: LinkPolicy,
    ) -> Result<NodeId, Errno> {
        walk::Walk::new(self, view).resolve((dir, path), links)
    }

    /// No process has the node open any more: a node without a name is removed, unless a power cut can bring its name back.
    pub fn release_node(&mut self, id: NodeId) {
        if self.node(id).is_none_or(|node| node.links > 0) {
            return;
        }
        if self.is_remembered(id) {
            self.change(id, |node| node.is_released = true);
        } else {
            self.drop_node(id);
        }
    }

    /// Does the unsynced past of a directory still name it?
    fn is_remembered(&self, id: NodeId) -> bool {
        let Some(device) = self.devices.get(&id.device).filter(|_| !self.ignores_power_cuts) else {
            return false;
        };
        device.nodes.values().any(|node| node.past_names_node(id))
    }

    fn drop_node(&mut self, id: NodeId) {
        footprint::record_write(Resource::Existence(id));
        let remembered = self.remembered_by(id);
        if let Some(device) = self.devices.get_mut(&id.device) {
            device.nodes.remove(id.number);
        }
        self.drop_forgotten(&remembered);
    }

    /// The nodes that only the past of this node names.
    fn remembered_by(&self, id: NodeId) -> Vec<NodeId> {
        let named = self.node(id).into_iter().flat_map(Node::nodes_named_in_past);
        named.filter(|&id| self.node(id).is_some_and(|node| node.is_released)).collect()
    }

    /// Removes the nodes that only the past just dropped could have brought back.
    fn drop_forgotten(&mut self, candidates: &[NodeId]) {
        candidates.iter().for_each(|&id| self.release_node(id));
    }

    fn existing_node(&self, id: NodeId) -> Result<&Node, Errno> {
        footprint::record_read(Resource::Status(id));
        self.node(id).ok_or(errno::NOENT)
    }

    fn directory(&self, id: NodeId) -> Result<&Directory, Errno> {
        self.existing_node(id)?.body.as_directory().ok_or(errno::NOTDIR)
    }

    /// The node of a name, without following links or mounts.
    fn entry(&self, dir: NodeId, name: &OsStr) -> Option<NodeId> {
        footprint::record_read(Resource::Name(dir, name));
        self.directory(dir).ok()?.names.get(name).copied()
    }

    fn is_directory(&self, id: NodeId) -> bool {
        self.directory(id).is_ok()
    }

    fn change(&mut self, id: NodeId, change: impl FnOnce(&mut Node)) {
        let Some(device) = self.devices.get_mut(&id.device) else { return };
        let Some(before) = device.nodes.get(&id.number) else { return };
        let mut node = Node::clone(before);
        change(&mut node);
        if self.ignores_power_cuts {
            node.unsynced = None;
        }
        device.nodes.insert(id.number, node);
    }

    /// Puts a new node under a number that must be free.
    fn insert(&mut self, id: NodeId, node: Node) {
        footprint::record_write(Resource::Existence(id));
        let device = self.devices.get_mut(&id.device).expect("a new node's directory has a device");
        let before = device.nodes.insert(id.number, node);
        assert!(before.is_none(), "node number {} was given out twice", id.number);
    }

    /// Takes one step of a directory: these names now mean these nodes, or nothing.
    fn rename_entries(&mut self, dir: NodeId, changes: Vec<(OsString, Option<NodeId>)>) {
        footprint::record_write(Resource::Names(dir));
        for (name, _) in &changes {
            footprint::record_write(Resource::Name(dir, name));
        }
        self.change(dir, |node| node.apply_change(DirectoryChange::Names(changes)));
    }

    fn is_read_only(&self, id: NodeId) -> bool {
        self.devices.get(&id.device).is_some_and(|device| device.read_only)
    }

    fn is_full(&self, id: NodeId) -> bool {
        self.devices.get(&id.device).is_some_and(|device| device.full)
    }
}

/// The errnos of Linux, by their names.
mod errno {
    use hermes::error::Errno;

    pub const PERM: Errno = Errno(1);
    pub const NOENT: Errno = Errno(2);
    pub const ACCES: Errno = Errno(13);
    pub const BUSY: Errno = Errno(16);
    pub const EXIST: Errno = Errno(17);
    pub const XDEV: Errno = Errno(18);
    pub const NOTDIR: Errno = Errno(20);
    pub const ISDIR: Errno = Errno(21);
    pub const INVAL: Errno = Errno(22);
    pub const FBIG: Errno = Errno(27);
    pub const NOSPC: Errno = Errno(28);
    pub const SPIPE: Errno = Errno(29);
    pub const ROFS: Errno = Errno(30);
    pub const NAMETOOLONG: Errno = Errno(36);
    pub const NOTEMPTY: Errno = Errno(39);
    pub const LOOP: Errno = Errno(40);
}
