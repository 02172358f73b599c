//! For scenarios and observers: trees are written and read without permissions, all of it durable at once.
//!
//! Paths start at a given directory and are plain: every part a name, no links or mounts on the way ([`Disk::peek`]
//! excepted). New nodes get the lowest number above all numbers below [`FRESH_MIN`].

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use hermes::host::effect::LinkPolicy;

use super::walk::Walk;
use super::{
    Credentials, Disk, EFFECT_NUMBER_MIN, Node, NodeBody, NodeId, NodeStatus, Unsynced, View,
};

impl Disk {
    /// A directory; an existing one gets this status and keeps its names.
    ///
    /// # Panics
    ///
    /// As all functions here, if the path is not plain, leads through something other than directories, or is a root's.
    pub fn put_dir(&mut self, root: NodeId, path: &Path, mode: u32, uid: u32, gid: u32) -> NodeId {
        self.put(root, path, NodeBody::directory(root), NodeStatus { mode, uid, gid })
    }

    /// A file with contents.
    pub fn put_file(
        &mut self,
        root: NodeId,
        path: &Path,
        contents: &[u8],
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> NodeId {
        self.put(root, path, NodeBody::File(contents.to_owned()), NodeStatus { mode, uid, gid })
    }

    /// A symbolic link, 0777.
    pub fn put_link(
        &mut self,
        root: NodeId,
        path: &Path,
        target: impl Into<PathBuf>,
        uid: u32,
        gid: u32,
    ) -> NodeId {
        self.put(root, path, NodeBody::Link(target.into()), NodeStatus { mode: 0o777, uid, gid })
    }

    /// Another name of a file of the same device.
    ///
    /// # Panics
    ///
    /// If there is no such file. The name must be free.
    pub fn put_hard_link(&mut self, root: NodeId, other: &Path, path: &Path) -> NodeId {
        let found = plain_names(other).iter().try_fold(root, |dir, name| self.entry(dir, name));
        let id = found.expect("a file that is there");
        let names = plain_names(path);
        let (last, parents) = names.split_last().expect("a path that has a name");
        let dir = self.put_parents(root, parents, NodeStatus { mode: 0o755, uid: 0, gid: 0 });
        self.name_durably(dir, last, id);
        self.change(id, |node| node.links += 1);
        id
    }

    /// A FIFO.
    pub fn put_fifo(&mut self, root: NodeId, path: &Path, mode: u32, uid: u32, gid: u32) -> NodeId {
        self.put(root, path, NodeBody::Fifo, NodeStatus { mode, uid, gid })
    }

    /// A socket or device.
    pub fn put_other(
        &mut self,
        root: NodeId,
        path: &Path,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> NodeId {
        self.put(root, path, NodeBody::Other, NodeStatus { mode, uid, gid })
    }

    /// Removes a whole tree; returns the nodes that lost their names, for [`Disk::release_node`].
    pub fn remove(&mut self, root: NodeId, path: &Path) -> Vec<NodeId> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return vec![] };
        let dir = plain_names(parent).iter().try_fold(root, |dir, name| self.entry(dir, name));
        let Some((dir, id)) = dir.and_then(|dir| Some((dir, self.entry(dir, name)?))) else {
            return Vec::new();
        };
        let mut gone = Vec::new();
        self.remove_entry(dir, name, id, &mut gone);
        gone
    }

    /// The node at an absolute path as root resolves it; a link at the end is not followed.
    pub fn peek(
        &self,
        root: NodeId,
        mounts: &BTreeMap<NodeId, NodeId>,
        path: &Path,
    ) -> Option<NodeId> {
        let credentials = Credentials { uid: 0, gid: 0, groups: Vec::new(), umask: 0 };
        let view = View { root, cwd: root, mounts, credentials: &credentials };
        Walk::new(self, &view).resolve((None, path), LinkPolicy::Refuse).ok()
    }

    /// The node that a directory names so.
    pub fn named(&self, dir: NodeId, name: &str) -> Option<NodeId> {
        self.node(dir)?.body.as_directory()?.names.get(OsStr::new(name)).copied()
    }

    /// What a file holds.
    pub fn contents(&self, id: NodeId) -> Option<&[u8]> {
        match &self.node(id)?.body {
            NodeBody::File(data) => Some(data),
            _ => None,
        }
    }

    /// The names of a directory, in order; empty for other nodes.
    pub fn names(&self, id: NodeId) -> Vec<&OsStr> {
        let directory = self.directory(id).ok();
        directory
            .map(|it| it.names.keys().map(|name| name.as_os_str()).collect())
            .unwrap_or_default()
    }

    fn put(&mut self, root: NodeId, path: &Path, body: NodeBody, status: NodeStatus) -> NodeId {
        let names = plain_names(path);
        let (last, parents) = names.split_last().expect("a path that has a name");
        let dir = self.put_parents(root, parents, NodeStatus { mode: 0o755, ..status });
        self.put_entry(dir, last, body, status)
    }

    fn put_parents(&mut self, root: NodeId, parents: &[&OsStr], status: NodeStatus) -> NodeId {
        let mut dir = root;
        for name in parents {
            dir = match self.entry(dir, name) {
                Some(id) => id,
                None => self.put_entry(dir, name, NodeBody::directory(dir), status),
            };
        }
        dir
    }

    fn put_entry(
        &mut self,
        dir: NodeId,
        name: &OsStr,
        body: NodeBody,
        status: NodeStatus,
    ) -> NodeId {
        let body =
            if matches!(body, NodeBody::Directory(_)) { NodeBody::directory(dir) } else { body };
        let taken = self.entry(dir, name);
        if let Some(id) = taken.filter(|id| self.is_of_kind(*id, &body)) {
            self.change(id, |node| node.settle_as(body, status));
            self.name_durably(dir, name, id);
            return id;
        }
        if let Some(id) = taken {
            self.remove_entry(dir, name, id, &mut Vec::new());
        }
        assert!(self.is_directory(dir), "the parent of {name:?} is no directory");
        let id = NodeId { device: dir.device, number: self.next_number(dir.device) };
        self.insert(id, Node::new(body, status));
        self.name_durably(dir, name, id);
        id
    }

    fn name_durably(&mut self, dir: NodeId, name: &OsStr, id: NodeId) {
        self.change(dir, |node| {
            if let NodeBody::Directory(directory) = &mut node.body {
                directory.names.insert(name.to_owned(), id);
            }
            if let Some(Unsynced::Directory { names, .. }) = node.unsynced.as_deref_mut() {
                names.insert(name.to_owned(), id);
            }
        });
    }

    fn is_of_kind(&self, id: NodeId, body: &NodeBody) -> bool {
        self.node(id)
            .is_some_and(|node| std::mem::discriminant(&node.body) == std::mem::discriminant(body))
    }

    fn remove_entry(&mut self, dir: NodeId, name: &OsStr, id: NodeId, gone: &mut Vec<NodeId>) {
        let inner = self.directory(id).map(|it| it.names.clone()).unwrap_or_default();
        for (name, child) in inner {
            self.remove_entry(id, &name, child, gone);
        }
        self.change(dir, |node| node.erase_name(name));
        self.lose_link(id);
        gone.push(id);
    }

    fn next_number(&self, device: u16) -> u64 {
        let nodes = self.devices.get(&device).map(|it| &it.nodes);
        nodes.and_then(|it| it.range(..EFFECT_NUMBER_MIN).next_back()).map_or(0, |(last, _)| *last)
            + 1
    }
}

impl Node {
    /// Sets this state, durably; a directory keeps its names.
    fn settle_as(&mut self, body: NodeBody, new: NodeStatus) {
        self.status = new;
        match self.unsynced.as_deref_mut() {
            Some(Unsynced::Directory { status, .. }) => *status = new,
            _ => self.unsynced = None,
        }
        if !matches!(body, NodeBody::Directory(_)) {
            self.body = body;
        }
    }
}

/// The names of a plain path.
fn plain_names(path: &Path) -> Vec<&OsStr> {
    path.components()
        .filter(|part| *part != Component::RootDir)
        .map(|part| match part {
            Component::Normal(name) => name,
            _ => panic!("{} is not a plain path", path.display()),
        })
        .collect()
}
