//! s6's tools: `s6-svc`, `s6-svscanctl`, `s6-svstat`, each one step.

use std::ffi::OsString;

use hermes::host::effect::Finished;

use crate::world::{Who, World};

/// Runs a tool for a process; `None` for one that this world does not have.
pub fn run(_world: &mut World, _who: Who, _name: &str, _args: &[OsString]) -> Option<Finished> {
    None
}
