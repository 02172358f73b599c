//! Where `cells` and `surprises` play: on roots of real s6, or in containers of the image, with the program of a test build.

use std::sync::Arc;

use hermes_sim::real::crash_points::{ImageId, Testbed, TestbedKind};
use hermes_sim::real::engine::Engine;
use hermes_sim::real::wait;

use super::base::{self, DebianBase};
use super::real_s6::{self, ProgramBuild, RealMachineLease};
use super::{UsageError, Verdict};

/// Which.
#[derive(Clone, Debug, clap::Args)]
pub struct TestbedArgs {
    #[command(flatten)]
    real: real_s6::RealS6Args,
    /// In containers of the image on this Debian instead; may be given several times
    #[arg(long = "base", value_name = "BASE", conflicts_with = "versions")]
    bases: Vec<DebianBase>,
    /// How many are played at a time
    #[arg(long, default_value_t = 4)]
    pub jobs: usize,
}

/// Everything is there, and nobody else is at it.
pub struct Testbeds {
    pub all: Vec<Testbed>,
    engine: Option<Arc<Engine>>,
    _seat: RealMachineLease,
}

impl Testbeds {
    /// Takes the place below `target` of this name.
    pub fn prepare(args: &TestbedArgs, name: &str) -> Result<Self, UsageError> {
        if args.bases.is_empty() {
            let seat = real_s6::prepare(ProgramBuild::Gated, &args.real, name)?;
            let of =
                seat.versions.iter().map(|version| TestbedKind::Namespaces(*version)).collect();
            return Ok(Self::new(seat, None, of));
        }
        let seat = real_s6::prepare_without_roots(ProgramBuild::Gated, &args.real, name)?;
        let engine = Engine::connect(&std::process::id().to_string())?;
        let images = base::images(&engine, &args.bases)?;
        engine.interrupt_on_signals()?;
        let image = |base: &DebianBase| {
            let id = images[base.name()].clone();
            TestbedKind::Containers(
                engine.clone(),
                ImageId { id, base: base.name(), s6: base.s6() },
            )
        };
        let of = args.bases.iter().map(image).collect();
        Ok(Self::new(seat, Some(engine), of))
    }

    fn new(seat: RealMachineLease, engine: Option<Arc<Engine>>, of: Vec<TestbedKind>) -> Self {
        let all =
            of.into_iter().map(|of| Testbed { parts: seat.parts.clone(), kind: of }).collect();
        Self { all, engine, _seat: seat }
    }

    /// Are they an engine's?
    pub fn are_containers(&self) -> bool {
        self.engine.is_some()
    }

    /// Takes away what is left; a run that was interrupted has shown nothing.
    pub fn finish(&self, verdict: Verdict) -> Result<Verdict, UsageError> {
        if let Some(engine) = &self.engine {
            engine.remove_run()?;
        }
        match wait::is_interrupted() {
            true => Err(UsageError("interrupted".to_owned())),
            false => Ok(verdict),
        }
    }
}

/// Takes away what a machine left.
pub fn remove_leftovers(ground: &Testbed) {
    if let Err(what) = ground.remove_leftovers() {
        eprintln!("hermes-sim: {what}");
    }
}
