//! `stat`, `getdents`, `readlink`, `fchmod` and `fchownat`.

use std::path::{Path, PathBuf};

use hermes::error::Errno;
use hermes::host::effect::{DirEntry, FileKind, LinkPolicy, Meta};

use super::permissions::{SETGID, mode_given_away};
use super::{Credentials, Disk, Node, NodeBody, NodeId, NodeStatus, View, errno};
use crate::machine::footprint::{self, Resource};

/// The size of every directory.
const DIRECTORY_BYTES: u64 = 4096;

impl Disk {
    /// `fstat(2)`.
    ///
    /// # Panics
    ///
    /// If there is no such node: a handle keeps its node.
    pub fn meta(&self, id: NodeId) -> Meta {
        footprint::record_read(Resource::Status(id));
        footprint::record_read(Resource::Data(id));
        let node = self.node(id).expect("an open or named node is there");
        Meta {
            kind: node.kind(),
            mode: node.status.mode,
            uid: node.status.uid,
            gid: node.status.gid,
            size: node.size(),
            identity: (u64::from(id.device), id.number),
            links: if node.kind() == FileKind::Directory { 1 } else { node.links },
        }
    }

    /// `lseek(2)` to the start, then `getdents(2)`, by name. The caller sets the handle's offset to 0, whatever the answer.
    pub fn list(&self, id: NodeId) -> Result<Vec<DirEntry>, Errno> {
        if self.existing_node(id)?.kind() == FileKind::Fifo {
            return Err(errno::SPIPE);
        }
        let directory = self.directory(id)?;
        if self.existing_node(id)?.links == 0 {
            return Err(errno::NOENT);
        }
        footprint::record_read(Resource::Names(id));
        Ok(directory.names.keys().map(|name| DirEntry { name: name.clone() }).collect())
    }

    /// `readlinkat(2)`.
    pub fn read_link(
        &self,
        view: &View<'_>,
        dir: Option<NodeId>,
        path: &Path,
    ) -> Result<PathBuf, Errno> {
        let id = self.resolve(view, dir, path, LinkPolicy::Refuse)?;
        match &self.existing_node(id)?.body {
            NodeBody::Link(target) => Ok(target.clone()),
            _ => Err(errno::INVAL),
        }
    }

    /// `fchmod(2)`.
    pub fn set_mode(&mut self, who: &Credentials, id: NodeId, mode: u32) -> Result<(), Errno> {
        self.may_write_device(id)?;
        let status = self.existing_node(id)?.status;
        if !who.is_root() && who.uid != status.uid {
            return Err(errno::PERM);
        }
        let kept = if who.may_set_group_bit(status.gid) { 0o7777 } else { 0o7777 & !SETGID };
        footprint::record_write(Resource::Status(id));
        self.change(id, |node| node.set_status(NodeStatus { mode: mode & kept, ..status }));
        Ok(())
    }

    /// `fchownat(2)`, never through a link.
    pub fn set_owner(
        &mut self,
        view: &View<'_>,
        dir: Option<NodeId>,
        path: &Path,
        uid: u32,
        gid: u32,
    ) -> Result<(), Errno> {
        if uid == u32::MAX || gid == u32::MAX {
            return Err(errno::INVAL);
        }
        let id = self.resolve(view, dir, path, LinkPolicy::Refuse)?;
        self.may_write_device(id)?;
        let (who, node) = (view.credentials, self.existing_node(id)?);
        let status = node.status;
        let owns = who.uid == status.uid;
        let may_user = owns && uid == status.uid;
        let may_group = owns && (gid == status.gid || who.is_in(gid));
        if !(who.is_root() || may_user && may_group) {
            return Err(errno::PERM);
        }
        let mode = match node.body {
            NodeBody::Directory(_) => status.mode,
            _ => mode_given_away(status, who),
        };
        footprint::record_write(Resource::Status(id));
        self.change(id, |node| node.set_status(NodeStatus { mode, uid, gid }));
        Ok(())
    }
}

impl Node {
    /// What lies here.
    pub fn kind(&self) -> FileKind {
        match self.body {
            NodeBody::File(_) => FileKind::File,
            NodeBody::Directory(_) => FileKind::Directory,
            NodeBody::Link(_) => FileKind::Link,
            NodeBody::Fifo => FileKind::Fifo,
            NodeBody::Other => FileKind::Other,
        }
    }

    fn size(&self) -> u64 {
        match &self.body {
            NodeBody::File(data) => data.len() as u64,
            NodeBody::Directory(_) => DIRECTORY_BYTES,
            NodeBody::Link(target) => target.as_os_str().len() as u64,
            NodeBody::Fifo | NodeBody::Other => 0,
        }
    }
}
