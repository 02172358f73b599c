//! Scenarios on real machines: real s6 in containers made of namespaces, without an engine, each on the root file system of
//! a Debian release; and an engine's containers of the real image.
//!
//! ```text
//!   skip      which scenarios a real machine cannot run, and why
//!   steps     the scenario, step by step ──► machine   containers, one volume
//!   expect    checks of expectations ◄────── observe   slots, records, intents, read from the real world
//!   machine ──► container ─┬─ namespaces ──► namespace_set (from the first mount to the last process) ──► exec · processes
//!                          └─ engine         through its socket alone
//! ```
//!
//! `tests/roots.sh` builds the root file systems; the program is a static build of the one that is shipped. PID 1 is
//! `hermes boot init`, as in the image. A process is signalled only through a handle, after a check that its PID namespace
//! belongs to the scenario, or from inside that namespace. Everything that a scenario adds to its container is removed
//! afterwards.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this room drives real machines: files, processes and clocks are its subject"
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

/// The files of a machine, on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachinePaths {
    /// The root file systems that `tests/roots.sh` builds, one a version.
    pub roots: PathBuf,
    /// `hermes`, linked statically.
    pub program: PathBuf,
    /// The directory for everything that machines add; its owner empties it.
    pub scratch: PathBuf,
}

impl MachinePaths {
    /// The root file system of a version.
    pub fn root(&self, version: S6Spec) -> PathBuf {
        self.roots.join(version_name(version))
    }
}

/// The name of a version, which is also the name of its root directory.
pub fn version_name(version: S6Spec) -> &'static str {
    match version {
        S6Spec::V2_11 => "2.11",
        S6Spec::V2_13 => "2.13",
        S6Spec::V2_15 => "2.15",
    }
}

/// Runs a scenario on real s6. `Err` says what did not hold, and shows the state of the machine.
pub fn run_scenario(
    parts: &MachinePaths,
    version: S6Spec,
    scenario: &Scenario,
) -> Result<(), String> {
    let mut machine = RealMachine::new(parts, version, &scenario.world)?;
    steps::run_steps(&mut machine, scenario)
        .map_err(|failure| format!("{failure}\n{}", machine.dump()))
}
