//! Stories on real machines: real s6 in containers made of namespaces, without an engine, each on the root directory of a
//! Debian; and an engine's containers of the real image.
//!
//! ```text
//!   skip      what a real machine cannot play, and why
//!   story     step by step ──► machine   containers, one volume
//!   expect    is it so? ◄────── look     slots, records, intents, read off the real world
//!   machine ──► vessel ─┬─ namespaces ──► life (from mounts to the end of all) ──► inside (a program in it) · processes
//!                       └─ engine       through its socket alone
//! ```
//!
//! The roots are `tests/roots.sh`'s; the program is a static build of the one that is shipped. PID 1 is
//! `hermes boot init`, as in the image. Nothing here signals a process but through a handle on one whose PID namespace is
//! the story's own, or from inside it. What a story adds to its container is gone afterwards.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the real machine: files, processes and clocks are what it is about"
)]

pub mod conformance;
mod container;
pub mod crash_points;
pub mod engine;
mod evidence;
pub(crate) mod exec;
mod expect;
pub mod gate;
mod machine;
pub(crate) mod namespace_set;
pub(crate) mod namespaces;
mod observe;
mod perl_program;
pub mod processes;
mod procfs;
pub(crate) mod setup;
mod skip;
mod steps;
pub mod wait;

use std::path::PathBuf;

use crate::scenario::Scenario;
use crate::scenario::world::S6Spec;

use machine::RealMachine;

pub use skip::skip_reason;

/// Where the parts of a machine lie outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachinePaths {
    /// The directories that `tests/roots.sh` makes, one a version.
    pub roots: PathBuf,
    /// `hermes`, linked statically.
    pub program: PathBuf,
    /// Where machines keep what they add; emptied by whoever owns it.
    pub scratch: PathBuf,
}

impl MachinePaths {
    /// The root directory of a version.
    pub fn root(&self, version: S6Spec) -> PathBuf {
        self.roots.join(version_name(version))
    }
}

/// A version as its root directory is called.
pub fn version_name(version: S6Spec) -> &'static str {
    match version {
        S6Spec::V2_11 => "2.11",
        S6Spec::V2_13 => "2.13",
        S6Spec::V2_15 => "2.15",
    }
}

/// Plays a story on real s6. `Err` says what did not hold, and what there was.
pub fn run_scenario(
    parts: &MachinePaths,
    version: S6Spec,
    scenario: &Scenario,
) -> Result<(), String> {
    let mut machine = RealMachine::new(parts, version, &scenario.world)?;
    steps::run_steps(&mut machine, scenario).map_err(|what| format!("{what}\n{}", machine.dump()))
}
