//! From a path to a node, like `link_path_walk`: search permission, links, `..`, mounts, trailing slashes.
//!
//! Changes nothing, and does not check permissions on the node that it finds.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use hermes::error::Errno;
use hermes::host::effect::LinkPolicy;

use super::permissions::SEARCH;
use super::{Disk, NodeBody, NodeId, RelativePath, View, errno};

const LINKS_MAX: u32 = 40;
const NAME_BYTES_MAX: usize = 255;
const PATH_BYTES_MAX: usize = 4095;

/// One walk, with a limit for the links that it follows.
pub(super) struct Walk<'a> {
    disk: &'a Disk,
    view: &'a View<'a>,
    links_followed: u32,
}

/// The last part of a path and the directory it is looked up in.
#[derive(Debug)]
pub(super) struct LastComponent {
    pub dir: NodeId,
    pub part: PathPart,
    /// Does a slash follow, so that only a directory is allowed?
    pub slash: bool,
}

#[derive(Debug)]
pub(super) enum PathPart {
    Root,
    Dot,
    DotDot,
    Name(OsString),
}

impl<'a> Walk<'a> {
    pub fn new(disk: &'a Disk, view: &'a View<'a>) -> Self {
        Self { disk, view, links_followed: 0 }
    }

    /// The node of the whole path.
    pub fn resolve(
        &mut self,
        (dir, path): RelativePath<'_>,
        links: LinkPolicy,
    ) -> Result<NodeId, Errno> {
        let last = self.resolve_parent((dir, path))?;
        self.resolve_last(last, links)
    }

    /// The node of the last part.
    pub fn resolve_last(
        &mut self,
        last: LastComponent,
        links: LinkPolicy,
    ) -> Result<NodeId, Errno> {
        let links = if last.slash { LinkPolicy::Follow } else { links };
        let slash = last.slash;
        let node = match last.part {
            PathPart::Root | PathPart::Dot => last.dir,
            PathPart::DotDot => self.parent_of(last.dir),
            PathPart::Name(name) => self.step(last.dir, &name, links)?,
        };
        if slash && !self.disk.is_directory(node) { Err(errno::NOTDIR) } else { Ok(node) }
    }

    /// Walks all of a path except its last part.
    pub fn resolve_parent(
        &mut self,
        (dir, path): RelativePath<'_>,
    ) -> Result<LastComponent, Errno> {
        let bytes = path.as_os_str().as_bytes();
        check_path(bytes)?;
        let mut at = match bytes.first() {
            Some(b'/') => self.view.root,
            _ => dir.unwrap_or(self.view.cwd),
        };
        if !self.disk.is_directory(at) {
            return Err(errno::NOTDIR);
        }
        let mut parts =
            bytes.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            self.view.credentials.may(self.disk.existing_node(at)?.status, SEARCH)?;
            if parts.peek().is_none() {
                let slash = bytes.last() == Some(&b'/');
                return Ok(LastComponent { dir: at, part: PathPart::parse(part), slash });
            }
            let last = LastComponent { dir: at, part: PathPart::parse(part), slash: true };
            at = self.resolve_last(last, LinkPolicy::Follow)?;
        }
        Ok(LastComponent { dir: at, part: PathPart::Root, slash: false })
    }

    /// The target of a link in a directory, as a path to walk on from there.
    pub fn follow(&mut self, link: NodeId) -> Result<Option<&'a Path>, Errno> {
        let NodeBody::Link(target) = &self.disk.existing_node(link)?.body else { return Ok(None) };
        if self.links_followed >= LINKS_MAX {
            return Err(errno::LOOP);
        }
        self.links_followed += 1;
        Ok(Some(target))
    }

    /// The node of a name, without following it.
    pub fn look_up(&self, dir: NodeId, name: &OsStr) -> Result<Option<NodeId>, Errno> {
        // A removed directory has no names; this comes before the check of the length.
        if name.len() > NAME_BYTES_MAX && self.disk.existing_node(dir)?.links > 0 {
            return Err(errno::NAMETOOLONG);
        }
        Ok(self.disk.entry(dir, name))
    }

    fn step(&mut self, dir: NodeId, name: &OsStr, links: LinkPolicy) -> Result<NodeId, Errno> {
        let node = self.look_up(dir, name)?.ok_or(errno::NOENT)?;
        if links == LinkPolicy::Follow {
            if let Some(target) = self.follow(node)? {
                return self.resolve((Some(dir), target), LinkPolicy::Follow);
            }
        }
        Ok(self.view.cross(node))
    }

    fn parent_of(&self, dir: NodeId) -> NodeId {
        let mut at = dir;
        while at != self.view.root {
            if let Some(covered) = self.view.covered_by(at) {
                at = covered;
                continue;
            }
            let parent = self.disk.directory(at).map_or(at, |directory| directory.parent);
            return self.view.cross(parent);
        }
        at
    }
}

impl View<'_> {
    /// The node that is visible at a node: the root mounted over it, if any.
    pub(super) fn cross(&self, node: NodeId) -> NodeId {
        let mut at = node;
        while let Some(&root) = self.mounts.get(&at).filter(|root| **root != at) {
            at = root;
        }
        at
    }

    fn covered_by(&self, root: NodeId) -> Option<NodeId> {
        let mut covered = self.mounts.iter().filter(|(key, value)| **value == root && key != value);
        covered.next().map(|(key, _)| *key)
    }

    pub(super) fn is_mount_point(&self, node: NodeId) -> bool {
        self.mounts.contains_key(&node)
    }
}

impl PathPart {
    fn parse(part: &[u8]) -> Self {
        match part {
            b"." => Self::Dot,
            b".." => Self::DotDot,
            name => Self::Name(OsStr::from_bytes(name).to_owned()),
        }
    }
}

/// Errors that are found before the walk begins.
fn check_path(bytes: &[u8]) -> Result<(), Errno> {
    if bytes.contains(&0) {
        Err(errno::INVAL)
    } else if bytes.is_empty() {
        Err(errno::NOENT)
    } else if bytes.len() > PATH_BYTES_MAX {
        Err(errno::NAMETOOLONG)
    } else {
        Ok(())
    }
}
