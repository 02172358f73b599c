//! The nodes of one device by number: shared until changed, with a hash that is updated incrementally.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use imbl::OrdMap;

use super::node::Node;
use crate::hash::{self, Hashed};

/// Nodes by number; a copy shares everything that does not change.
pub(super) type NodeMap = OrdMap<u64, Arc<Hashed<Node>>>;

/// All nodes of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Nodes {
    map: NodeMap,
    /// Nodes without a name that may be open.
    nameless: BTreeSet<u64>,
    /// The sum of the hashes of each number with its node: it does not depend on the order of changes.
    sum: u128,
}

impl Nodes {
    /// Puts a node under its number; returns the previous one.
    pub(super) fn insert(&mut self, number: u64, node: Node) -> Option<Arc<Hashed<Node>>> {
        match node.links == 0 && !node.is_released {
            true => self.nameless.insert(number),
            false => self.nameless.remove(&number),
        };
        let node = Arc::new(Hashed::new(node));
        self.sum = self.sum.wrapping_add(hash::digest(&(number, &*node)));
        let before = self.map.insert(number, node);
        self.subtract(number, before.as_deref());
        before
    }

    /// Removes a node.
    pub(super) fn remove(&mut self, number: u64) {
        let before = self.map.remove(&number);
        self.nameless.remove(&number);
        self.subtract(number, before.as_deref());
    }

    /// Keeps only these nodes.
    pub(super) fn retain(&mut self, keeps: impl Fn(u64) -> bool) {
        let gone: Vec<u64> = self.map.keys().copied().filter(|&number| !keeps(number)).collect();
        for number in gone {
            self.remove(number);
        }
    }

    /// The nodes without a name that were not released.
    pub(super) fn nameless(&self) -> impl Iterator<Item = u64> {
        self.nameless.iter().copied()
    }

    fn subtract(&mut self, number: u64, node: Option<&Hashed<Node>>) {
        if let Some(node) = node {
            self.sum = self.sum.wrapping_sub(hash::digest(&(number, node)));
        }
    }
}

impl Deref for Nodes {
    type Target = NodeMap;

    fn deref(&self) -> &NodeMap {
        &self.map
    }
}

impl Hash for Nodes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sum.hash(state);
    }
}
