//! The testbeds of `cells` and `surprises`: namespaces with real s6, or containers of the image, with a gated build of the
//! program.

use std::sync::Arc;

use hermes_sim::real::crash_points::{ImageId, Testbed, TestbedKind};
use hermes_sim::real::engine::Engine;
use hermes_sim::real::wait;

use super::base::{self, DebianBase};
use super::real_s6::{self, ProgramBuild, RealMachineLease};
use super::{UsageError, Verdict};

/// Which testbeds.
#[derive(Clone, Debug, clap::Args)]
pub struct TestbedArgs {
    #[command(flatten)]
    real: real_s6::RealS6Args,
    /// Run in containers of the image on this Debian release instead; may be given several times
    #[arg(long = "base", value_name = "BASE", conflicts_with = "versions")]
    bases: Vec<DebianBase>,
    /// Number of runs in parallel
    #[arg(long, default_value_t = 4)]
    pub jobs: usize,
}

/// The requested testbeds, checked and locked for this run.
pub struct Testbeds {
    pub all: Vec<Testbed>,
    engine: Option<Arc<Engine>>,
    _lease: RealMachineLease,
}

impl Testbeds {
    /// Locks and empties the directory of this name below `target`.
    pub fn prepare(args: &TestbedArgs, name: &str) -> Result<Self, UsageError> {
        if args.bases.is_empty() {
            let lease = real_s6::prepare(ProgramBuild::Gated, &args.real, name)?;
            let kinds =
                lease.versions.iter().map(|version| TestbedKind::Namespaces(*version)).collect();
            return Ok(Self::new(lease, None, kinds));
        }
        let lease = real_s6::prepare_without_roots(ProgramBuild::Gated, &args.real, name)?;
        let engine = Engine::connect(&std::process::id().to_string())?;
        let images = base::images(&engine, &args.bases)?;
        engine.interrupt_on_signals()?;
        let kind = |base: &DebianBase| {
            let id = images[base.name()].clone();
            TestbedKind::Containers(
                engine.clone(),
                ImageId { id, base: base.name(), s6: base.s6() },
            )
        };
        let kinds = args.bases.iter().map(kind).collect();
        Ok(Self::new(lease, Some(engine), kinds))
    }

    fn new(lease: RealMachineLease, engine: Option<Arc<Engine>>, kinds: Vec<TestbedKind>) -> Self {
        let testbed = |kind| Testbed { parts: lease.parts.clone(), kind };
        let all = kinds.into_iter().map(testbed).collect();
        Self { all, engine, _lease: lease }
    }

    /// Are the testbeds containers?
    pub fn are_containers(&self) -> bool {
        self.engine.is_some()
    }

    /// Removes what is left; an interrupted run has no verdict.
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

/// Removes what a testbed left behind.
pub fn remove_leftovers(testbed: &Testbed) {
    if let Err(error) = testbed.remove_leftovers() {
        eprintln!("hermes-sim: {error}");
    }
}
