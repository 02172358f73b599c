//! An invariant that does not hold, and how.

use std::str::FromStr;

use crate::scenario::Invariant;

impl Invariant {
    /// Its bit in a set of invariants.
    pub(super) fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

/// No invariant has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no invariant is named {0:?}")]
pub struct UnknownInvariant(pub String);

impl FromStr for Invariant {
    type Err = UnknownInvariant;

    fn from_str(text: &str) -> Result<Self, UnknownInvariant> {
        let mut all = Self::ALL.into_iter();
        all.find(|invariant| invariant.to_string() == text)
            .ok_or_else(|| UnknownInvariant(text.to_owned()))
    }
}

/// A violated invariant, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} is violated ({}): {detail}", invariant.statement())]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was observed.
    pub detail: String,
}

/// Ends a check with a violation.
pub(super) fn violation<T>(
    invariant: Invariant,
    detail: impl Into<String>,
) -> Result<T, Violation> {
    Err(Violation { invariant, detail: detail.into() })
}

/// The invariants that can be checked. If the home is not the volume itself, the observer sees no files: then only those
/// that need no files are checked.
pub(super) fn observable<'a>(
    world: &crate::machine::world::World,
    required: &'a [Invariant],
) -> impl Iterator<Item = &'a Invariant> {
    const WITHOUT_FILES: [Invariant; 5] =
        [Invariant::S8, Invariant::S10, Invariant::S11, Invariant::S12, Invariant::S18];
    let at_home = world.containers.values().all(|container| {
        let home = container.settings.env.get(std::ffi::OsStr::new("HERMES_HOME"));
        home.is_none_or(|home| home.is_empty() || home == crate::machine::image::HOME)
    });
    required.iter().filter(move |invariant| at_home || WITHOUT_FILES.contains(invariant))
}
