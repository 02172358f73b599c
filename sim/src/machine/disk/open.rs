//! `openat(2)`: finds or creates a file; errors are checked in the order of Linux.
//!
//! Returns a node, not a handle. The caller knows whether a FIFO has a reader.

use std::ffi::OsStr;
use std::path::Path;

use hermes::error::Errno;
use hermes::host::effect::{LinkPolicy, OpenMode};

use super::permissions::{READ, STICKY, WRITE};
use super::walk::{LastComponent, PathPart, Walk};
use super::{Disk, Node, NodeBody, NodeId, View, errno};
use crate::machine::footprint::{self, Resource};

/// The result of a path walk.
enum OpenLookup {
    Node { id: NodeId, slash: bool },
    Nothing { dir: NodeId, name: std::ffi::OsString },
}

impl Disk {
    /// `openat(2)`. A new file gets its own number, and its name is one step of its directory.
    pub fn open(
        &mut self,
        view: &View<'_>,
        dir: Option<NodeId>,
        path: &Path,
        how: OpenMode,
        links: LinkPolicy,
    ) -> Result<NodeId, Errno> {
        let found = match mode_to_make(how) {
            None => self.find(view, dir, path, links)?,
            Some(_) => self.find_or_absent(view, dir, path, how, links)?,
        };
        match (found, mode_to_make(how)) {
            (OpenLookup::Nothing { dir, name }, Some(mode)) => {
                self.make_file(view, dir, &name, mode)
            }
            (OpenLookup::Nothing { .. }, None) => Err(errno::NOENT),
            (OpenLookup::Node { id, slash }, _) => {
                self.may_open(view, id, how, slash)?;
                Ok(id)
            }
        }
    }

    fn find(
        &self,
        view: &View<'_>,
        dir: Option<NodeId>,
        path: &Path,
        links: LinkPolicy,
    ) -> Result<OpenLookup, Errno> {
        let mut walk = Walk::new(self, view);
        let last = walk.resolve_parent((dir, path))?;
        let slash = last.slash;
        Ok(OpenLookup::Node { id: walk.resolve_last(last, links)?, slash })
    }

    /// As [`Disk::find`], but the last name may be missing, even behind links.
    fn find_or_absent(
        &self,
        view: &View<'_>,
        dir: Option<NodeId>,
        path: &Path,
        how: OpenMode,
        links: LinkPolicy,
    ) -> Result<OpenLookup, Errno> {
        let exclusive = matches!(how, OpenMode::Create { .. });
        let mut walk = Walk::new(self, view);
        let mut last = walk.resolve_parent((dir, path))?;
        loop {
            let PathPart::Name(name) = &last.part else {
                if exclusive {
                    return Err(errno::EXIST);
                }
                return Ok(OpenLookup::Node { id: walk.resolve_last(last, links)?, slash: false });
            };
            if last.slash {
                return Err(errno::ISDIR);
            }
            let Some(id) = walk.look_up(last.dir, name)? else {
                return Ok(OpenLookup::Nothing { dir: last.dir, name: name.clone() });
            };
            if exclusive {
                return Err(errno::EXIST);
            }
            let target = if links == LinkPolicy::Follow { walk.follow(id)? } else { None };
            match target {
                Some(target) => last = walk.resolve_parent((Some(last.dir), target))?,
                None => {
                    let id = view.cross(id);
                    self.check_sticky_dir(view, last.dir, id)?;
                    return Ok(OpenLookup::Node { id, slash: false });
                }
            }
        }
    }

    /// `may_create_in_sticky` with all `fs.protected_*` off: an open with `O_CREAT` in a directory such as `/tmp` does not
    /// get the node of another user, unless it is a file or FIFO.
    fn check_sticky_dir(&self, view: &View<'_>, dir: NodeId, id: NodeId) -> Result<(), Errno> {
        let (dir, node) = (self.existing_node(dir)?.status, self.existing_node(id)?);
        let is_trusted = [dir.uid, view.credentials.uid].contains(&node.status.uid);
        let is_shared = dir.mode & STICKY != 0 && dir.mode & WRITE != 0;
        let is_harmless = !matches!(node.body, NodeBody::Link(_) | NodeBody::Other);
        if is_harmless || is_trusted || !is_shared { Ok(()) } else { Err(errno::ACCES) }
    }

    /// `do_open` and `may_open`.
    fn may_open(
        &self,
        view: &View<'_>,
        id: NodeId,
        how: OpenMode,
        slash: bool,
    ) -> Result<(), Errno> {
        let node = self.existing_node(id)?;
        let is_directory = node.body.as_directory().is_some();
        let wanted = access(how);
        if is_directory && mode_to_make(how).is_some() {
            return Err(errno::ISDIR);
        }
        if !is_directory && (slash || how == OpenMode::Directory) {
            return Err(errno::NOTDIR);
        }
        if matches!(node.body, NodeBody::Link(_)) {
            return Err(errno::LOOP);
        }
        if is_directory && wanted & WRITE != 0 {
            return Err(errno::ISDIR);
        }
        if wanted & WRITE != 0 && matches!(node.body, NodeBody::File(_)) {
            self.may_write_device(id)?;
        }
        view.credentials.may(node.status, wanted)
    }

    fn make_file(
        &mut self,
        view: &View<'_>,
        dir: NodeId,
        name: &OsStr,
        mode: u32,
    ) -> Result<NodeId, Errno> {
        // A removed directory gives this error before any other.
        if self.existing_node(dir)?.links == 0 {
            return Err(errno::NOENT);
        }
        self.may_write_device(dir)?;
        self.may_create(view, dir)?;
        self.has_room(dir)?;
        let status = view.credentials.status_in(self.existing_node(dir)?.status, mode);
        Ok(self.add_node(dir, name, Node::new(NodeBody::File(Vec::new()), status)))
    }

    /// A new node under a new name. Its number depends on where it was created, not by which process or when: the same files
    /// created in another order have the same numbers.
    pub(super) fn add_node(&mut self, dir: NodeId, name: &OsStr, node: Node) -> NodeId {
        let mut numbers = (0_u64..).map(|others| {
            let mixed = crate::hash::digest(&(dir.number, name, others));
            let number = super::EFFECT_NUMBER_MIN | u64::try_from(mixed >> 80).expect("48 bits");
            NodeId { device: dir.device, number }
        });
        let is_free = |id: &NodeId| {
            footprint::record_read(Resource::Existence(*id));
            self.node(*id).is_none()
        };
        let id = numbers.find(is_free).expect("there is always another");
        self.insert(id, node);
        self.rename_entries(dir, vec![(name.to_owned(), Some(id))]);
        id
    }

    /// For effects that create a name: the directory and the name, which must be free.
    pub(super) fn free_name(
        &self,
        view: &View<'_>,
        last: LastComponent,
        slash: TrailingSlash,
    ) -> Result<(NodeId, std::ffi::OsString), Errno> {
        let PathPart::Name(name) = last.part else { return Err(errno::EXIST) };
        if Walk::new(self, view).look_up(last.dir, &name)?.is_some() {
            return Err(errno::EXIST);
        }
        if last.slash && slash == TrailingSlash::Refused {
            return Err(errno::NOENT);
        }
        self.may_write_device(last.dir)?;
        self.may_create(view, last.dir)?;
        self.has_room(last.dir)?;
        Ok((last.dir, name))
    }
}

/// Whether a new name may be written with a slash after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TrailingSlash {
    Allowed,
    Refused,
}

fn mode_to_make(how: OpenMode) -> Option<u32> {
    match how {
        OpenMode::Create { mode } | OpenMode::Append { mode } | OpenMode::Lock { mode } => {
            Some(mode)
        }
        OpenMode::Read | OpenMode::Directory | OpenMode::Write => None,
    }
}

fn access(how: OpenMode) -> u32 {
    match how {
        OpenMode::Read | OpenMode::Directory => READ,
        OpenMode::Create { .. } | OpenMode::Append { .. } | OpenMode::Write => WRITE,
        OpenMode::Lock { .. } => READ | WRITE,
    }
}
