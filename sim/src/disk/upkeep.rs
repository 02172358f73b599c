//! For the kernel and the runtime: nodes without a name, and whose a device's root is.

use super::{Disk, NodeId, Status};

impl Disk {
    /// Nodes that lost their last name and are still there: somebody had them open.
    pub fn unnamed(&self) -> Vec<NodeId> {
        let mut unnamed = Vec::new();
        for (&device, inside) in &self.devices {
            let without =
                inside.nodes.iter().filter(|(_, node)| node.links == 0 && !node.forgotten);
            unnamed.extend(without.map(|(&number, _)| NodeId { device, number }));
        }
        unnamed
    }

    /// How many nodes there are, on all devices.
    pub fn nodes(&self) -> usize {
        self.devices.values().map(|inside| inside.nodes.len()).sum()
    }

    /// Gives a node its owner and mode, durable at once.
    pub fn put_status(&mut self, id: NodeId, mode: u32, uid: u32, gid: u32) {
        self.change(id, |node| node.status = Status { mode, uid, gid });
    }
}
