//! For the kernel and the runtime: nodes without a name, and the owner of a device's root.

use super::{Disk, NodeId, NodeStatus};

impl Disk {
    /// Nodes that lost their last name and still exist because they were open.
    pub fn unnamed_nodes(&self) -> Vec<NodeId> {
        let mut unnamed = Vec::new();
        for (&device, inside) in &self.devices {
            unnamed.extend(inside.nodes.nameless().map(|number| NodeId { device, number }));
        }
        unnamed
    }

    /// The number of nodes, on all devices.
    pub fn node_count(&self) -> usize {
        self.devices.values().map(|inside| inside.nodes.len()).sum()
    }

    /// Gives a node its owner and mode, durable at once.
    pub fn set_status_durably(&mut self, id: NodeId, mode: u32, uid: u32, gid: u32) {
        self.change(id, |node| node.status = NodeStatus { mode, uid, gid });
    }

    /// From now on no unsynced state is kept: two orders of the same changes
    /// give equal states.
    pub fn ignore_power_cuts(&mut self) {
        self.ignores_power_cuts = true;
        let all: Vec<NodeId> = self
            .devices
            .iter()
            .flat_map(|(&device, inside)| inside.nodes.keys().map(move |&number| (device, number)))
            .map(|(device, number)| NodeId { device, number })
            .collect();
        for &id in &all {
            if self.node(id).is_some_and(|node| node.unsynced.is_some()) {
                self.change(id, |_| {});
            }
        }
        for id in all {
            if self.node(id).is_some_and(|node| node.is_released) {
                self.release_node(id);
            }
        }
    }
}
