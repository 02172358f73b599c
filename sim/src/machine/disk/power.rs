//! The states that a power cut may leave of a device: each file and directory as synced, with some of the later changes.
//!
//! ```text
//!   a file        as last synced | as it was | torn: the first half of what changed
//!   a directory   as last synced and the first 0, 1, … all of its steps
//! ```
//!
//! Directories are independent of each other and of files, which is more than any one file system does: a file moved
//! between two directories can be in both or in neither, until both are synced. A file that was never synced is empty.
//! Synced data is never lost. Status is kept or lost with a file's data, and is a step of a directory.

use std::collections::{BTreeMap, BTreeSet};

use super::nodes::NodeMap;
use super::{Disk, Node, NodeBody, NodeId, ROOT, Unsynced};

/// At most this many cuts are offered; the rest of the order that [`Disk::power_cut`] documents is left out.
pub const CUTS_MAX: usize = 1024;

/// The fate of one node's unsynced changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// The first steps of a directory, in this number, are kept.
    FirstChanges(usize),
    Lost,
    Torn,
    Kept,
}

/// The fate of every node with unsynced changes.
type PowerCut = BTreeMap<u64, Fate>;

impl Disk {
    /// The number of cuts that [`Disk::power_cut`] offers: 1 if all is synced, or else at least 4.
    pub fn cut_count(&self, device: u16) -> u64 {
        self.first_cuts(device, CUTS_MAX).len() as u64
    }

    /// The same, counted up to this limit.
    pub fn cut_count_up_to(&self, device: u16, most: usize) -> u64 {
        self.first_cuts(device, most.min(CUTS_MAX)).len() as u64
    }

    /// Cuts the power and restores it. Afterwards everything that is left is synced, and nodes without a name are gone.
    ///
    /// Choices: 0 all unsynced is lost · 1 all is kept · 2 names are kept, data is as last synced · 3 names are kept, data is
    /// torn · then against each of 1, 2, 0 and (names lost, data kept), by node number, one exception: a directory with
    /// its first 0, 1, … all steps, a file lost, torn or kept. None from 4 on repeats an earlier one; a choice beyond
    /// [`Disk::cut_count`] is 0.
    pub fn power_cut(&mut self, device: u16, choice: u64) {
        let wanted = usize::try_from(choice).unwrap_or(CUTS_MAX);
        let mut cuts = self.first_cuts(device, wanted.saturating_add(1).min(CUTS_MAX));
        let index = Some(wanted).filter(|index| *index < cuts.len());
        let cut = cuts.swap_remove(index.unwrap_or_default());
        let Some(device) = self.devices.get_mut(&device) else { return };
        for (number, fate) in cut {
            let node = device.nodes.get(&number).map(|node| Node::clone(node));
            if let Some(mut left) = node {
                left.apply_fate(fate);
                device.nodes.insert(number, left);
            }
        }
        let left = reachable(NodeMap::clone(&device.nodes));
        device.nodes.retain(|number| left.contains_key(&number));
        for (number, node) in left {
            device.nodes.insert(number, node);
        }
    }

    /// The first cuts, up to a limit, and never fewer than four if anything is unsynced.
    fn first_cuts(&self, device: u16, most: usize) -> Vec<PowerCut> {
        let unsynced: BTreeMap<u64, &Node> = self
            .devices
            .get(&device)
            .into_iter()
            .flat_map(|device| device.nodes.iter())
            .filter(|(_, node)| node.unsynced.is_some())
            .map(|(number, node)| (*number, &***node))
            .collect();
        let [lost, kept, named, torn] = [
            uniform(&unsynced, Fate::Lost, Fate::Lost),
            uniform(&unsynced, Fate::Kept, Fate::Kept),
            uniform(&unsynced, Fate::Kept, Fate::Lost),
            uniform(&unsynced, Fate::Kept, Fate::Torn),
        ];
        if unsynced.is_empty() {
            return vec![lost];
        }
        let unnamed = uniform(&unsynced, Fate::Lost, Fate::Kept);
        let mut cuts = vec![lost.clone(), kept.clone(), named.clone(), torn];
        if cuts.len() >= most {
            return cuts;
        }
        let mut seen: BTreeSet<PowerCut> = cuts.iter().cloned().collect();
        for background in [kept, named, lost, unnamed] {
            for (number, node) in &unsynced {
                for fate in node.fates() {
                    let mut cut = background.clone();
                    cut.insert(*number, fate);
                    if seen.insert(cut.clone()) {
                        cuts.push(cut);
                    }
                    if cuts.len() >= most {
                        return cuts;
                    }
                }
            }
        }
        cuts
    }
}

fn uniform(unsynced: &BTreeMap<u64, &Node>, names: Fate, data: Fate) -> PowerCut {
    let fate = |node: &Node| match (node.unsynced.as_deref(), names) {
        (Some(Unsynced::Directory { changes: steps, .. }), Fate::Kept) => {
            Fate::FirstChanges(steps.len())
        }
        (Some(Unsynced::Directory { .. }), _) => Fate::FirstChanges(0),
        _ if data == Fate::Torn && node.torn().is_none() => Fate::Lost,
        _ => data,
    };
    unsynced.iter().map(|(number, node)| (*number, fate(node))).collect()
}

impl Node {
    fn fates(&self) -> Vec<Fate> {
        match self.unsynced.as_deref() {
            Some(Unsynced::Directory { changes: steps, .. }) => {
                (0..=steps.len()).map(Fate::FirstChanges).collect()
            }
            Some(Unsynced::File { .. }) if self.torn().is_none() => vec![Fate::Lost, Fate::Kept],
            Some(Unsynced::File { .. }) => vec![Fate::Lost, Fate::Torn, Fate::Kept],
            None => Vec::new(),
        }
    }

    /// Half of the changes over the synced state; `None` if that equals the synced state.
    fn torn(&self) -> Option<Vec<u8>> {
        let (NodeBody::File(now), Some(Unsynced::File { data, .. })) =
            (&self.body, self.unsynced.as_deref())
        else {
            return None;
        };
        let same = now.iter().zip(data).take_while(|(new, old)| new == old).count();
        let written = same + (now.len() - same) / 2;
        let mut torn = now[..written].to_vec();
        torn.extend(data.iter().skip(written));
        (torn != *data).then_some(torn)
    }

    fn apply_fate(&mut self, fate: Fate) {
        let torn = self.torn();
        match (self.unsynced.take().map(|past| *past), fate) {
            (Some(Unsynced::Directory { names, status, changes: steps }), fate) => {
                let count = if let Fate::FirstChanges(count) = fate { count } else { 0 };
                self.status = status;
                let NodeBody::Directory(directory) = &mut self.body else { return };
                directory.names = names;
                for step in steps.iter().take(count) {
                    step.apply(&mut directory.names, &mut self.status);
                }
            }
            (Some(Unsynced::File { data, status }), Fate::Lost | Fate::FirstChanges(_)) => {
                (self.body, self.status) = (NodeBody::File(data), status);
            }
            (Some(Unsynced::File { data, .. }), Fate::Torn) => {
                self.body = NodeBody::File(torn.unwrap_or(data));
            }
            (None, _) | (_, Fate::Kept) => {}
        }
    }
}

/// The nodes that can be reached from the root, with link counts and parents to match the names. A directory with two names
/// keeps the name that is nearer to the root.
fn reachable(mut nodes: NodeMap) -> BTreeMap<u64, Node> {
    let mut left: BTreeMap<u64, Node> = BTreeMap::new();
    let mut queue = Vec::new();
    if let Some(root) = nodes.remove(&ROOT) {
        left.insert(ROOT, Node::clone(&root));
        queue.push(ROOT);
    }
    let mut next = 0;
    while let Some(&number) = queue.get(next) {
        next += 1;
        let Some(NodeBody::Directory(directory)) = left.get(&number).map(|node| node.body.clone())
        else {
            continue;
        };
        let mut names = BTreeMap::new();
        for (name, child) in directory.names {
            if let Some(node) = nodes.remove(&child.number) {
                let device = child.device;
                left.insert(
                    child.number,
                    Node::clone(&node).with_parent(NodeId { device, number }),
                );
                queue.push(child.number);
            } else {
                match left.get_mut(&child.number) {
                    Some(twice) if twice.body.as_directory().is_none() => twice.links += 1,
                    _ => continue,
                }
            }
            names.insert(name, child);
        }
        if let Some(Node { body: NodeBody::Directory(directory), .. }) = left.get_mut(&number) {
            directory.names = names;
        }
    }
    left
}

impl Node {
    fn with_parent(mut self, parent: NodeId) -> Self {
        self.links = 1;
        self.is_released = false;
        if let NodeBody::Directory(directory) = &mut self.body {
            directory.parent = parent;
        }
        self
    }
}
