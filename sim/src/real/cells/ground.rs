//! What the machines of cells are made of: namespaces on a Debian's root, or an engine's containers of the image. Their
//! program is a test build, in containers laid over the image's own.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::engine::{self, Engine};
use super::super::machine::Machine;
use super::super::{Parts, word};
use super::cell::GATE;
use crate::scenario::World;
use crate::scenario::world::S6;

/// Where one machine at a time is made.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The program, and a place for what the machine adds.
    pub parts: Parts,
    /// What it is made of.
    pub of: Of,
}

/// What a machine is made of.
#[derive(Clone, Debug)]
pub enum Of {
    /// Namespaces, on the root of this version.
    Root(S6),
    /// Containers of an image.
    Image(Arc<Engine>, Image),
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// What the engine knows it by.
    pub id: String,
    /// The Debian that it stands on.
    pub base: &'static str,
    /// The s6 that it has.
    pub s6: S6,
}

impl fmt::Display for Ground {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Of::Root(version) => formatter.write_str(word(*version)),
            Of::Image(_, image) => formatter.write_str(image.base),
        }
    }
}

impl Ground {
    /// A place of its own on it.
    pub fn part(&self, name: &str) -> Self {
        let scratch = self.parts.scratch.join(name);
        Self { parts: Parts { scratch, ..self.parts.clone() }, of: self.of.clone() }
    }

    /// Whose s6 it is.
    pub fn s6(&self) -> S6 {
        match &self.of {
            Of::Root(version) => *version,
            Of::Image(_, image) => image.s6,
        }
    }

    /// Where the gate's sockets are; inside it is [`GATE`].
    pub(super) fn gate(&self) -> PathBuf {
        self.parts.scratch.join("gate")
    }

    /// A machine; none of its containers is started. The gate is there already.
    pub(super) fn machine(&self, world: &World) -> Result<Machine, String> {
        match &self.of {
            Of::Root(version) => Machine::new(&self.parts, *version, world),
            Of::Image(engine, image) => {
                let program = self.parts.program.display();
                let shown = vec![
                    format!("{program}:/usr/local/bin/hermes:ro"),
                    format!("{}:{GATE}", self.gate().display()),
                ];
                engine::machine(engine, &image.id, &self.story(engine), shown, world)
            }
        }
    }

    /// Takes away what a machine left: its mounts and processes went with it, its containers did not.
    pub fn clear(&self) -> Result<(), String> {
        if let Of::Image(engine, ..) = &self.of {
            engine.forget(&self.story(engine))?;
        }
        let scratch = &self.parts.scratch;
        std::fs::remove_dir_all(scratch)
            .map_err(|error| format!("failed to remove `{}`: {error}", scratch.display()))
    }

    fn story(&self, engine: &Engine) -> String {
        let name = self.parts.scratch.file_name().unwrap_or_default();
        engine.name_of(&name.to_string_lossy())
    }
}
