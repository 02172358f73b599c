//! One node: its current state, and the states that a power cut could leave. Knows no paths, permissions or other nodes.
//!
//! A node without unsynced changes has no past: two histories that end in the same synced contents are equal.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::NodeId;

/// Owner, group and permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeStatus {
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// An inode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// Its kind and contents.
    pub body: NodeBody,
    /// Its owner, group and mode.
    pub status: NodeStatus,
    /// The number of its names; 1 for a root directory.
    pub links: u64,
    /// The state that the disk may still hold instead; `None` if all is synced. Files and directories only: links, FIFOs and
    /// the rest are durable as far as their names are.
    pub unsynced: Option<Box<Unsynced>>,
    /// It has no name and is not open, but a power cut may bring a name back.
    pub(super) is_released: bool,
}

/// The kind of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NodeBody {
    /// A regular file's data.
    File(Vec<u8>),
    /// A directory.
    Directory(Directory),
    /// A symbolic link's target.
    Link(PathBuf),
    /// A named pipe.
    Fifo,
    /// A socket or device.
    Other,
}

/// A directory's names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Directory {
    /// The node of each name; all on the same device.
    pub names: BTreeMap<OsString, NodeId>,
    /// The parent directory; a root is its own parent.
    pub parent: NodeId,
}

/// The state at the last sync, and the changes since.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Unsynced {
    /// A file at the last sync.
    File {
        /// Its data.
        data: Vec<u8>,
        /// Its status.
        status: NodeStatus,
    },
    /// A directory at the last sync, and the steps since; a power cut keeps a prefix of them.
    Directory {
        /// Its names.
        names: BTreeMap<OsString, NodeId>,
        /// Its status.
        status: NodeStatus,
        /// In order.
        changes: Vec<DirectoryChange>,
    },
}

/// One change of a directory: whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DirectoryChange {
    /// These names mean these nodes, or nothing.
    Names(Vec<(OsString, Option<NodeId>)>),
    /// Its own status.
    Status(NodeStatus),
}

impl NodeBody {
    pub(super) fn directory(parent: NodeId) -> Self {
        Self::Directory(Directory { names: BTreeMap::new(), parent })
    }

    /// The directory, if it is one.
    pub fn as_directory(&self) -> Option<&Directory> {
        match self {
            Self::Directory(directory) => Some(directory),
            _ => None,
        }
    }
}

impl Node {
    /// A node with one name; it is on the disk as soon as that name is.
    pub(super) fn new(body: NodeBody, status: NodeStatus) -> Self {
        Self { body, status, links: 1, unsynced: None, is_released: false }
    }

    pub(super) fn set_data(&mut self, data: Vec<u8>) {
        self.keep_file_past();
        self.body = NodeBody::File(data);
        self.forget_equal_past();
    }

    pub(super) fn set_status(&mut self, status: NodeStatus) {
        match self.body {
            NodeBody::Directory(_) if status == self.status => {}
            NodeBody::Directory(_) => self.apply_change(DirectoryChange::Status(status)),
            NodeBody::File(_) => {
                self.keep_file_past();
                self.status = status;
                self.forget_equal_past();
            }
            _ => self.status = status,
        }
    }

    fn keep_file_past(&mut self) {
        if let (NodeBody::File(data), None) = (&self.body, &self.unsynced) {
            let past = Unsynced::File { data: data.clone(), status: self.status };
            self.unsynced = Some(Box::new(past));
        }
    }

    fn forget_equal_past(&mut self) {
        let Some(Unsynced::File { data, status }) = self.unsynced.as_deref() else { return };
        if matches!(&self.body, NodeBody::File(now) if now == data) && *status == self.status {
            self.unsynced = None;
        }
    }

    /// Changes a directory, and keeps its previous state.
    pub(super) fn apply_change(&mut self, step: DirectoryChange) {
        let NodeBody::Directory(directory) = &mut self.body else { return };
        let past = self.unsynced.get_or_insert_with(|| {
            let names = directory.names.clone();
            Box::new(Unsynced::Directory { names, status: self.status, changes: Vec::new() })
        });
        step.apply(&mut directory.names, &mut self.status);
        if let Unsynced::Directory { changes: steps, .. } = past.as_mut() {
            steps.push(step);
        }
    }

    /// Removes a name from a directory's present and past, as if it had never existed.
    pub(super) fn erase_name(&mut self, name: &OsStr) {
        if let NodeBody::Directory(directory) = &mut self.body {
            directory.names.remove(name);
        }
        if let Some(Unsynced::Directory { names, changes: steps, .. }) =
            self.unsynced.as_deref_mut()
        {
            names.remove(name);
            for step in steps {
                if let DirectoryChange::Names(changes) = step {
                    changes.retain(|(changed, _)| changed != name);
                }
            }
        }
    }

    /// Does its unsynced past, other than its present, name the node?
    pub(super) fn past_names_node(&self, id: NodeId) -> bool {
        self.nodes_named_in_past().any(|other| other == id)
    }

    /// All nodes that its unsynced past names.
    pub(super) fn nodes_named_in_past(&self) -> impl Iterator<Item = NodeId> {
        let past = match self.unsynced.as_deref() {
            Some(Unsynced::Directory { names, changes: steps, .. }) => Some((names, steps)),
            _ => None,
        };
        let named = past.into_iter().flat_map(|(names, _)| names.values().copied());
        let steps = past.into_iter().flat_map(|(_, steps)| steps);
        let stepped = steps.flat_map(|step| match step {
            DirectoryChange::Names(changes) => changes.as_slice(),
            DirectoryChange::Status(_) => &[],
        });
        named.chain(stepped.filter_map(|(_, id)| *id))
    }
}

impl DirectoryChange {
    pub(super) fn apply(&self, names: &mut BTreeMap<OsString, NodeId>, status: &mut NodeStatus) {
        match self {
            Self::Status(new) => *status = *new,
            Self::Names(changes) => {
                for (name, id) in changes {
                    match id {
                        Some(id) => names.insert(name.clone(), *id),
                        None => names.remove(name),
                    };
                }
            }
        }
    }
}
