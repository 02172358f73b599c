//! What the scenario calls a file or a user, on the simulated disk.

use std::path::{Path, PathBuf};

use crate::machine::disk::NodeId;
use crate::machine::image::{HOME, VOLUME};
use crate::machine::world::World;
use crate::scenario::values::User;

/// The number of a user.
pub(super) fn uid(user: User) -> u32 {
    match user {
        User::Hermes => crate::machine::image::HERMES_UID,
        User::Root => 0,
        User::Nobody => 65_534,
    }
}

/// The device root and path of an address: absolute ones are the first container's own.
pub(super) fn disk_path(address: &str) -> (NodeId, PathBuf) {
    let home = format!("{HOME}/");
    let below = address.strip_prefix(&home).unwrap_or(address);
    match below.strip_prefix('/') {
        Some(absolute) => {
            let root = NodeId { device: 1, number: crate::machine::disk::ROOT };
            (root, PathBuf::from(absolute))
        }
        None => {
            (NodeId { device: VOLUME, number: crate::machine::disk::ROOT }, PathBuf::from(below))
        }
    }
}

/// What lies at an address.
pub(super) fn find_node(world: &World, address: &str) -> Option<NodeId> {
    let (root, path) = disk_path(address);
    let none = std::collections::BTreeMap::new();
    world.disk.peek(root, &none, &Path::new("/").join(path))
}
