//! s6-svscan.

use std::ffi::OsString;

use crate::world::{Who, World};

/// s6-svscan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Svscan;

impl Svscan {
    /// As it starts.
    pub fn new(_world: &mut World, _who: Who, _args: &[OsString]) -> Self {
        Self
    }

    /// Is this child one of its own supervisors, whose end it must hear of?
    pub fn started(&self, _pid: i32) -> bool {
        false
    }
}

/// Has it something to do now?
pub fn is_ready(_world: &crate::world::World, _who: crate::world::Who) -> bool {
    false
}

/// When time alone gives it something to do.
pub fn wakes_at(
    _world: &crate::world::World,
    _who: crate::world::Who,
) -> Option<std::time::Duration> {
    None
}

/// One step.
pub fn step(_world: &mut crate::world::World, _who: crate::world::Who) {}
