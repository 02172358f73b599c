//! `mkdirat`, `mkfifoat`, `symlinkat`, `unlinkat`: creating and removing names; errors are checked in the order of Linux.
//!
//! A node whose last name is removed stays until [`Disk::release_node`]; removed nodes are returned, so that the caller can.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hermes::error::Errno;

use super::open::TrailingSlash;
use super::walk::{PathPart, Walk};
use super::{Disk, Node, NodeBody, NodeId, View, errno};
use crate::machine::footprint::{self, Resource};

impl Disk {
    /// `mkdirat(2)`.
    pub fn make_dir(
        &mut self,
        view: &View<'_>,
        dir: Option<NodeId>,
        path: &Path,
        mode: u32,
    ) -> Result<NodeId, Errno> {
        let last = Walk::new(self, view).resolve_parent((dir, path))?;
        let (dir, name) = self.free_name(view, last, TrailingSlash::Allowed)?;
        let status = view.credentials.directory_status_in(self.existing_node(dir)?.status, mode);
        Ok(self.add_node(dir, &name, Node::new(NodeBody::directory(dir), status)))
    }

    /// `mkfifoat(3)`.
    pub fn make_fifo(
        &mut self,
        view: &View<'_>,
        dir: Option<NodeId>,
        path: &Path,
        mode: u32,
    ) -> Result<NodeId, Errno> {
        let last = Walk::new(self, view).resolve_parent((dir, path))?;
        let (dir, name) = self.free_name(view, last, TrailingSlash::Refused)?;
        let status = view.credentials.status_in(self.existing_node(dir)?.status, mode);
        Ok(self.add_node(dir, &name, Node::new(NodeBody::Fifo, status)))
    }

    /// `symlinkat(2)`.
    pub fn make_link(
        &mut self,
        view: &View<'_>,
        dir: Option<NodeId>,
        path: &Path,
        target: PathBuf,
    ) -> Result<NodeId, Errno> {
        let last = Walk::new(self, view).resolve_parent((dir, path))?;
        let (dir, name) = self.free_name(view, last, TrailingSlash::Refused)?;
        let status = view.credentials.status_in(self.existing_node(dir)?.status, 0o777);
        Ok(self.add_node(dir, &name, Node::new(NodeBody::Link(target), status)))
    }

    /// `unlinkat(2)` of a file; returns the node that lost its name.
    pub fn unlink(
        &mut self,
        view: &View<'_>,
        dir: Option<NodeId>,
        path: &Path,
    ) -> Result<NodeId, Errno> {
        let last = Walk::new(self, view).resolve_parent((dir, path))?;
        let PathPart::Name(name) = last.part else { return Err(errno::ISDIR) };
        self.may_write_device(last.dir)?;
        let victim = Walk::new(self, view).look_up(last.dir, &name)?.ok_or(errno::NOENT)?;
        let is_directory = self.is_directory(victim);
        if last.slash {
            return Err(if is_directory { errno::ISDIR } else { errno::NOTDIR });
        }
        self.may_delete(view, last.dir, victim)?;
        if is_directory {
            return Err(errno::ISDIR);
        }
        if view.is_mount_point(victim) {
            return Err(errno::BUSY);
        }
        self.remove_name(last.dir, name, victim);
        Ok(victim)
    }

    /// `unlinkat(2)` of an empty directory; returns the node that lost its name.
    pub fn remove_dir(
        &mut self,
        view: &View<'_>,
        dir: Option<NodeId>,
        path: &Path,
    ) -> Result<NodeId, Errno> {
        let last = Walk::new(self, view).resolve_parent((dir, path))?;
        let name = match last.part {
            PathPart::Name(name) => name,
            PathPart::Dot => return Err(errno::INVAL),
            PathPart::DotDot => return Err(errno::NOTEMPTY),
            PathPart::Root => return Err(errno::BUSY),
        };
        self.may_write_device(last.dir)?;
        let victim = Walk::new(self, view).look_up(last.dir, &name)?.ok_or(errno::NOENT)?;
        self.may_delete(view, last.dir, victim)?;
        footprint::record_read(Resource::Names(victim));
        let is_empty = self.directory(victim)?.names.is_empty();
        if view.is_mount_point(victim) {
            return Err(errno::BUSY);
        }
        if !is_empty {
            return Err(errno::NOTEMPTY);
        }
        self.remove_name(last.dir, name, victim);
        Ok(victim)
    }

    fn remove_name(&mut self, dir: NodeId, name: OsString, victim: NodeId) {
        self.rename_entries(dir, vec![(name, None)]);
        self.lose_link(victim);
    }

    pub(super) fn lose_link(&mut self, victim: NodeId) {
        footprint::record_write(Resource::Status(victim));
        self.change(victim, |node| node.links = node.links.saturating_sub(1));
    }
}
