//! What the machines of crash points consist of: namespaces on the root file system of a Debian release, or an engine's
//! containers of the image. Their program is a gated build; in containers it is mounted over the image's own.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::engine::{self, Engine};
use super::super::machine::RealMachine;
use super::super::{MachinePaths, version_name};
use super::run::GATE_DIR;
use crate::scenario::WorldSpec;
use crate::scenario::world::S6Spec;

/// Creates one machine at a time.
#[derive(Clone, Debug)]
pub struct Testbed {
    /// The program, and a directory for everything that the machine adds.
    pub parts: MachinePaths,
    /// What the machine consists of.
    pub kind: TestbedKind,
}

/// What a machine consists of.
#[derive(Clone, Debug)]
pub enum TestbedKind {
    /// Namespaces, on the root of this version.
    Namespaces(S6Spec),
    /// Containers of an image.
    Containers(Arc<Engine>, ImageId),
}

/// An image.
#[derive(Clone, Debug)]
pub struct ImageId {
    /// The id at the engine.
    pub id: String,
    /// The Debian release that it is built on.
    pub base: &'static str,
    /// Its version of s6.
    pub s6: S6Spec,
}

impl fmt::Display for Testbed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TestbedKind::Namespaces(version) => formatter.write_str(version_name(*version)),
            TestbedKind::Containers(_, image) => formatter.write_str(image.base),
        }
    }
}

impl Testbed {
    /// The same testbed with a scratch directory of this name.
    pub fn with_scratch(&self, name: &str) -> Self {
        let scratch = self.parts.scratch.join(name);
        Self { parts: MachinePaths { scratch, ..self.parts.clone() }, kind: self.kind.clone() }
    }

    /// The version of s6.
    pub fn s6(&self) -> S6Spec {
        match &self.kind {
            TestbedKind::Namespaces(version) => *version,
            TestbedKind::Containers(_, image) => image.s6,
        }
    }

    /// The directory of the gate's sockets on the host; inside it is [`GATE_DIR`].
    pub(super) fn gate_dir(&self) -> PathBuf {
        self.parts.scratch.join("gate")
    }

    /// Creates a machine; none of its containers is started. The gate must exist already.
    pub(super) fn create_machine(&self, world: &WorldSpec) -> Result<RealMachine, String> {
        match &self.kind {
            TestbedKind::Namespaces(version) => RealMachine::new(&self.parts, *version, world),
            TestbedKind::Containers(engine, image) => {
                let program = self.parts.program.display();
                let binds = vec![
                    format!("{program}:/usr/local/bin/hermes:ro"),
                    format!("{}:{GATE_DIR}", self.gate_dir().display()),
                ];
                engine::create_machine(
                    engine,
                    &image.id,
                    &self.scenario_label(engine),
                    binds,
                    world,
                )
            }
        }
    }

    /// Removes what a machine left behind: its mounts and processes ended with it, its containers did not.
    pub fn remove_leftovers(&self) -> Result<(), String> {
        if let TestbedKind::Containers(engine, ..) = &self.kind {
            engine.remove_scenario(&self.scenario_label(engine))?;
        }
        let scratch = &self.parts.scratch;
        std::fs::remove_dir_all(scratch)
            .map_err(|error| format!("failed to remove `{}`: {error}", scratch.display()))
    }

    fn scenario_label(&self, engine: &Engine) -> String {
        let name = self.parts.scratch.file_name().unwrap_or_default();
        engine.name_of(&name.to_string_lossy())
    }
}
