//! The Debian releases that the image is built on.

use std::collections::BTreeMap;

use clap::ValueEnum;
use hermes_sim::real::engine::Engine;
use hermes_sim::scenario::world::S6Spec;

use super::UsageError;

/// A Debian release that the image is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DebianBase {
    /// s6 2.11
    Bookworm,
    /// s6 2.13
    Trixie,
    /// s6 2.15
    Sid,
}

impl DebianBase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    pub fn s6(self) -> S6Spec {
        match self {
            Self::Bookworm => S6Spec::V2_11,
            Self::Trixie => S6Spec::V2_13,
            Self::Sid => S6Spec::V2_15,
        }
    }
}

/// Image ids by the name of the base. A run uses ids, so a build of the image meanwhile does not change it.
pub type Images = BTreeMap<&'static str, String>;

/// Finds the image of each base.
pub fn images(engine: &Engine, bases: &[DebianBase]) -> Result<Images, UsageError> {
    let find = |base: &DebianBase| {
        let name = format!("hermes-test:{}", base.name());
        let missing = || UsageError(format!("no image `{name}`: `./x docker-e2e` makes it"));
        engine.image(&name).map(|id| (base.name(), id)).ok_or_else(missing)
    };
    bases.iter().map(find).collect()
}
