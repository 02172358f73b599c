//! s6-log: lives until its pipe ends, or SIGTERM. What it would write is kept by whoever runs the machine.

/// s6-log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Logger;

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
