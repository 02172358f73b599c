//! `renameat2(2)`; errors are checked in the order of Linux.
//!
//! Within one directory a rename is one step; between two it is one step in each, which a power cut may tear apart.

use hermes::error::Errno;
use hermes::host::effect::OnExisting;

use super::permissions::WRITE;
use super::walk::{LastComponent, PathPart, Walk};
use super::{Disk, NodeBody, NodeId, RelativePath, View, errno};
use crate::machine::footprint::{self, Resource};

/// A name in a rename, and its node.
struct RenameSide {
    dir: NodeId,
    name: std::ffi::OsString,
    slash: bool,
}

impl Disk {
    /// `renameat2(2)`; returns the node that lost its name to the other, if any.
    pub fn rename(
        &mut self,
        view: &View<'_>,
        from: RelativePath<'_>,
        to: RelativePath<'_>,
        over: OnExisting,
    ) -> Result<Option<NodeId>, Errno> {
        let from = Walk::new(self, view).resolve_parent(from)?;
        let to = Walk::new(self, view).resolve_parent(to)?;
        let (from, to) = self.sides(from, to, over)?;
        let source = Walk::new(self, view).look_up(from.dir, &from.name)?.ok_or(errno::NOENT)?;
        let target = Walk::new(self, view).look_up(to.dir, &to.name)?;
        if target.is_some() && over == OnExisting::Refuse {
            return Err(errno::EXIST);
        }
        if !self.is_directory(source) && (from.slash || to.slash) {
            return Err(errno::NOTDIR);
        }
        self.check_no_loop(&from, &to, source, target)?;
        if target == Some(source) {
            return Ok(None);
        }
        self.may_rename(view, &from, &to, source, target)?;
        self.move_name(from, to, source, target);
        Ok(target)
    }

    fn sides(
        &self,
        from: LastComponent,
        to: LastComponent,
        over: OnExisting,
    ) -> Result<(RenameSide, RenameSide), Errno> {
        if from.dir.device != to.dir.device {
            return Err(errno::XDEV);
        }
        let PathPart::Name(old) = from.part else { return Err(errno::BUSY) };
        let PathPart::Name(new) = to.part else {
            return Err(if over == OnExisting::Refuse { errno::EXIST } else { errno::BUSY });
        };
        self.may_write_device(from.dir)?;
        Ok((
            RenameSide { dir: from.dir, name: old, slash: from.slash },
            RenameSide { dir: to.dir, name: new, slash: to.slash },
        ))
    }

    /// Refuses to move a directory into itself.
    fn check_no_loop(
        &self,
        from: &RenameSide,
        to: &RenameSide,
        source: NodeId,
        target: Option<NodeId>,
    ) -> Result<(), Errno> {
        if from.dir == to.dir {
            return Ok(());
        }
        if self.is_within(to.dir, source) {
            return Err(errno::INVAL);
        }
        match target {
            Some(target) if self.is_within(from.dir, target) => Err(errno::NOTEMPTY),
            _ => Ok(()),
        }
    }

    fn is_within(&self, inner: NodeId, outer: NodeId) -> bool {
        let mut at = inner;
        loop {
            if at == outer {
                return true;
            }
            match self.directory(at) {
                Ok(directory) if directory.parent != at => at = directory.parent,
                _ => return false,
            }
        }
    }

    /// `vfs_rename`, up to the file system's own part.
    fn may_rename(
        &self,
        view: &View<'_>,
        from: &RenameSide,
        to: &RenameSide,
        source: NodeId,
        target: Option<NodeId>,
    ) -> Result<(), Errno> {
        self.may_delete(view, from.dir, source)?;
        let is_directory = self.is_directory(source);
        match target {
            None => self.may_create(view, to.dir)?,
            Some(target) => {
                self.may_delete(view, to.dir, target)?;
                match (is_directory, self.is_directory(target)) {
                    (true, false) => return Err(errno::NOTDIR),
                    (false, true) => return Err(errno::ISDIR),
                    _ => {}
                }
            }
        }
        if is_directory && from.dir != to.dir {
            // Its `..` changes.
            view.credentials.may(self.existing_node(source)?.status, WRITE)?;
        }
        if view.is_mount_point(source) || target.is_some_and(|it| view.is_mount_point(it)) {
            return Err(errno::BUSY);
        }
        match target {
            None => self.has_room(to.dir),
            Some(target) => {
                footprint::record_read(Resource::Names(target));
                match self.directory(target) {
                    Ok(directory) if !directory.names.is_empty() => Err(errno::NOTEMPTY),
                    _ => Ok(()),
                }
            }
        }
    }

    fn move_name(
        &mut self,
        from: RenameSide,
        to: RenameSide,
        source: NodeId,
        target: Option<NodeId>,
    ) {
        if from.dir == to.dir {
            self.rename_entries(from.dir, vec![(from.name, None), (to.name, Some(source))]);
        } else {
            self.rename_entries(to.dir, vec![(to.name, Some(source))]);
            self.rename_entries(from.dir, vec![(from.name, None)]);
            footprint::record_write(Resource::Status(source));
            self.change(source, |node| {
                if let NodeBody::Directory(directory) = &mut node.body {
                    directory.parent = to.dir;
                }
            });
        }
        if let Some(target) = target {
            self.lose_link(target);
        }
    }
}
