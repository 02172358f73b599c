//! s6-supervise.

/// s6-supervise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Supervise;

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
