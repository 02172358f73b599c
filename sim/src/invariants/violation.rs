//! The promises by name, and what it means that one is broken.

use std::str::FromStr;

pub use crate::scenario::Invariant as Name;

use Name as N;

impl Name {
    /// What is promised.
    pub fn statement(self) -> &'static str {
        match self {
            N::S1 => "what a command that exited 0 asked for is in force after any crash",
            N::S2 => "an operator's word is read whole or not at all",
            N::S3 => "only the operator's commands change an operator's word",
            N::S4 => "a command that failed left the old word or the new one, and said why",
            N::S5 => "a profile has at most one live gateway",
            N::S6 => "a slot that s6-svscan can see is complete at every instant",
            N::S7 => "a slot's `down` file says the same as the intent",
            N::S8 => "a signal goes only to the process it was meant for",
            N::S9 => "what one profile contains changes nothing for another",
            N::S10 => "root never runs, follows or writes what hermes could have planted",
            N::S11 => "commands that only look change nothing",
            N::S12 => "every failure ends in a named error, never in a panic",
            N::S13 => "each boot leaves one whole and true line a profile",
            N::S14 => "commands on different profiles commute, and twice is the same as once",
            N::S18 => "what a process holds open does not grow with what lies on the disk",
            N::L1 => "what is wanted is what was asked, or the exception is visible",
            N::L2 => "each real profile has one slot, and nobody else has one",
            N::L3 => "nothing is left that has no owner",
            N::L4 => "a gateway that was told to stop is gone",
            N::L5 => "a gateway that keeps failing is started ever more slowly",
            N::L6 => "create, delete and rename reach their end, and the deleted stays so",
            N::L7 => "`status` says what is so",
        }
    }

    /// Its place among a set of promises.
    pub(super) fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

/// No promise has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no promise is named {0:?}")]
pub struct UnknownInvariant(pub String);

impl FromStr for Name {
    type Err = UnknownInvariant;

    fn from_str(text: &str) -> Result<Self, UnknownInvariant> {
        let mut all = Self::ALL.into_iter();
        all.find(|name| name.to_string() == text).ok_or_else(|| UnknownInvariant(text.to_owned()))
    }
}

/// A promise that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} is violated ({}): {detail}", invariant.statement())]
pub struct Violation {
    /// Which.
    pub invariant: Name,
    /// What was seen.
    pub detail: String,
}

/// Ends a look with a broken promise.
pub(super) fn violation<T>(promise: Name, what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { invariant: promise, detail: what.into() })
}

/// Of a home that is not the volume itself the observer sees no files: what it cannot see is not looked at.
pub(super) fn observable<'a>(
    world: &crate::machine::world::World,
    wanted: &'a [Name],
) -> impl Iterator<Item = &'a Name> {
    const WITHOUT_FILES: [Name; 5] = [Name::S8, Name::S10, Name::S11, Name::S12, Name::S18];
    let at_home = world.containers.values().all(|container| {
        let home = container.settings.env.get(std::ffi::OsStr::new("HERMES_HOME"));
        home.is_none_or(|home| home.is_empty() || home == crate::machine::image::HOME)
    });
    wanted.iter().filter(move |name| at_home || WITHOUT_FILES.contains(name))
}
