//! The scripts of slots and of the image, read line by line. A line that is not understood is an error, never skipped.

use hermes::error::Errno;
use hermes::host::effect::Program;

use crate::disk::Credentials;
use crate::world::{Who, World};

/// What a script comes to.
#[derive(Clone, Debug)]
pub enum Next {
    /// It becomes this program, as this user.
    Exec {
        /// What to become.
        program: Program,
        /// As whom, if that changes.
        credentials: Option<Credentials>,
    },
    /// It waits first.
    Wait(Shell),
    /// It exits.
    Exit(u8),
}

/// A script that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shell;

/// Reads a script to its end, or to where it waits. `script` is how it was called.
pub fn read(_world: &mut World, _who: Who, _text: &str, _script: &Program) -> Result<Next, Errno> {
    Ok(Next::Exit(127))
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
