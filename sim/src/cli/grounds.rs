//! Where `cells` and `surprises` play: on roots of real s6, or in containers of the image, with the program of a test build.

use std::sync::Arc;

use hermes_sim::real::cells::{Ground, Image, Of};
use hermes_sim::real::engine::Engine;
use hermes_sim::real::wait;

use super::base::{self, Base};
use super::real_s6::{self, Build, Seat};
use super::{Usage, Verdict};

/// Which.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    real: real_s6::Place,
    /// In containers of the image on this Debian instead; may be given several times
    #[arg(long = "base", value_name = "BASE", conflicts_with = "versions")]
    bases: Vec<Base>,
    /// How many are played at a time
    #[arg(long, default_value_t = 4)]
    pub jobs: usize,
}

/// Everything is there, and nobody else is at it.
pub struct Grounds {
    pub all: Vec<Ground>,
    engine: Option<Arc<Engine>>,
    _seat: Seat,
}

impl Grounds {
    /// Takes the place below `target` of this name.
    pub fn take(args: &Args, name: &str) -> Result<Self, Usage> {
        if args.bases.is_empty() {
            let seat = real_s6::take_for(Build::Gated, &args.real, name)?;
            let of = seat.versions.iter().map(|version| Of::Root(*version)).collect();
            return Ok(Self::new(seat, None, of));
        }
        let seat = real_s6::take_bare(Build::Gated, &args.real, name)?;
        let engine = Engine::connect(&std::process::id().to_string())?;
        let images = base::images(&engine, &args.bases)?;
        engine.heed_signals()?;
        let image = |base: &Base| {
            let id = images[base.word()].clone();
            Of::Image(engine.clone(), Image { id, base: base.word(), s6: base.s6() })
        };
        let of = args.bases.iter().map(image).collect();
        Ok(Self::new(seat, Some(engine), of))
    }

    fn new(seat: Seat, engine: Option<Arc<Engine>>, of: Vec<Of>) -> Self {
        let all = of.into_iter().map(|of| Ground { parts: seat.parts.clone(), of }).collect();
        Self { all, engine, _seat: seat }
    }

    /// Are they an engine's?
    pub fn are_containers(&self) -> bool {
        self.engine.is_some()
    }

    /// Takes away what is left; a run that was interrupted has shown nothing.
    pub fn end(&self, verdict: Verdict) -> Result<Verdict, Usage> {
        if let Some(engine) = &self.engine {
            engine.clear()?;
        }
        match wait::is_interrupted() {
            true => Err(Usage("interrupted".to_owned())),
            false => Ok(verdict),
        }
    }
}

/// Takes away what a machine left.
pub fn clear(ground: &Ground) {
    if let Err(what) = ground.clear() {
        eprintln!("hermes-sim: {what}");
    }
}
