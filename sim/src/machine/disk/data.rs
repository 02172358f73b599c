//! `read`, `write` and `fsync` of open nodes. The caller has the handle, its offset, and has checked the permission.

use hermes::error::Errno;

use super::{Disk, NodeBody, NodeId, errno};
use crate::machine::footprint::{self, Resource};

impl Disk {
    /// At most `max` bytes from an offset on; none at the end of the file, and none of other nodes.
    pub fn read(&self, id: NodeId, offset: u64, max: usize) -> Vec<u8> {
        footprint::record_read(Resource::Data(id));
        let data = self.contents(id).unwrap_or_default();
        let start = usize::try_from(offset).map_or(data.len(), |start| start.min(data.len()));
        data[start..].iter().take(max).copied().collect()
    }

    /// Writes all bytes at an offset, or at the end if there is none; returns the offset after them.
    pub fn write(&mut self, id: NodeId, offset: Option<u64>, bytes: &[u8]) -> Result<u64, Errno> {
        footprint::record_write(Resource::Data(id));
        let NodeBody::File(data) = &self.existing_node(id)?.body else { return Err(errno::INVAL) };
        self.may_write_device(id)?;
        let start = match offset {
            None => data.len(),
            Some(offset) => usize::try_from(offset).map_err(|_| errno::FBIG)?,
        };
        let end = start.checked_add(bytes.len()).ok_or(errno::FBIG)?;
        if bytes.is_empty() {
            return Ok(start as u64);
        }
        if end > data.len() {
            self.has_room(id)?;
        }
        let mut data = data.clone();
        data.resize(end.max(data.len()), 0);
        data[start..end].copy_from_slice(bytes);
        self.change(id, |node| node.set_data(data));
        Ok(end as u64)
    }

    /// `fsync(2)`: the data of a file, or the names of a directory, become durable. The name of a file belongs to its
    /// directory.
    pub fn sync(&mut self, id: NodeId) -> Result<(), Errno> {
        let node = self.existing_node(id)?;
        if !matches!(node.body, NodeBody::File(_) | NodeBody::Directory(_)) {
            return Err(errno::INVAL);
        }
        let remembered = self.remembered_by(id);
        if node.unsynced.is_some() {
            self.change(id, |node| node.unsynced = None);
        }
        self.drop_forgotten(&remembered);
        Ok(())
    }
}
