//! Permissions: `inode_permission`, the sticky bit, and the owner and group of new files, as in Linux.
//!
//! Changes nothing. The only capability is root.

use hermes::error::Errno;

use super::{Credentials, Disk, NodeId, NodeStatus, View, errno};

/// Permission bits of one class.
pub(super) const READ: u32 = 4;
pub(super) const WRITE: u32 = 2;
pub(super) const SEARCH: u32 = 1;

pub(super) const SETUID: u32 = 0o4000;
pub(super) const SETGID: u32 = 0o2000;
pub(super) const STICKY: u32 = 0o1000;
const GROUP_EXECUTE: u32 = 0o010;

impl Credentials {
    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }

    pub(super) fn is_in(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }

    /// Only the first matching class counts, even if a later one would allow more.
    pub(super) fn may(&self, status: NodeStatus, wanted: u32) -> Result<(), Errno> {
        let class = if self.uid == status.uid {
            status.mode >> 6
        } else if self.is_in(status.gid) {
            status.mode >> 3
        } else {
            status.mode
        };
        if self.is_root() || class & wanted == wanted { Ok(()) } else { Err(errno::ACCES) }
    }

    /// May the process keep a setgid bit for that group?
    pub(super) fn may_set_group_bit(&self, gid: u32) -> bool {
        self.is_root() || self.is_in(gid)
    }

    /// The status of a file or FIFO that is created in a directory.
    pub(super) fn status_in(&self, dir: NodeStatus, mode: u32) -> NodeStatus {
        let mut mode = mode & 0o7777 & !self.umask;
        let runs_as_group = SETGID | GROUP_EXECUTE;
        let inherits = dir.mode & SETGID != 0;
        if inherits && mode & runs_as_group == runs_as_group && !self.may_set_group_bit(dir.gid) {
            mode &= !SETGID;
        }
        NodeStatus { mode, uid: self.uid, gid: if inherits { dir.gid } else { self.gid } }
    }

    /// The status of a directory that is created in a directory: a setgid bit is inherited, never requested.
    pub(super) fn directory_status_in(&self, dir: NodeStatus, mode: u32) -> NodeStatus {
        let asked = self.status_in(dir, mode & 0o1777);
        NodeStatus { mode: asked.mode | dir.mode & SETGID, ..asked }
    }
}

/// The mode of a file after a change of its owner.
pub(super) fn mode_given_away(status: NodeStatus, credentials: &Credentials) -> u32 {
    let mut mode = status.mode & !SETUID;
    if status.mode & GROUP_EXECUTE != 0 || !credentials.may_set_group_bit(status.gid) {
        mode &= !SETGID;
    }
    mode
}

impl Disk {
    /// `may_create`: a new name in a directory.
    pub(super) fn may_create(&self, view: &View<'_>, dir: NodeId) -> Result<(), Errno> {
        let node = self.existing_node(dir)?;
        if node.links == 0 {
            return Err(errno::NOENT);
        }
        view.credentials.may(node.status, WRITE | SEARCH)
    }

    /// `may_delete`, up to the sticky bit.
    pub(super) fn may_delete(
        &self,
        view: &View<'_>,
        dir: NodeId,
        victim: NodeId,
    ) -> Result<(), Errno> {
        let (dir, victim) = (self.existing_node(dir)?.status, self.existing_node(victim)?.status);
        let who = view.credentials;
        who.may(dir, WRITE | SEARCH)?;
        let owns = who.uid == victim.uid || who.uid == dir.uid || who.is_root();
        if dir.mode & STICKY == 0 || owns { Ok(()) } else { Err(errno::PERM) }
    }

    /// A change on a read-only device is refused.
    pub(super) fn may_write_device(&self, id: NodeId) -> Result<(), Errno> {
        if self.is_read_only(id) { Err(errno::ROFS) } else { Ok(()) }
    }

    /// Is there room for one more name?
    pub(super) fn has_room(&self, id: NodeId) -> Result<(), Errno> {
        if self.is_full(id) { Err(errno::NOSPC) } else { Ok(()) }
    }
}
