//! A scenario: a story about a machine, told as JSON, and what must come of it. Plain data, and its strict reader.
//!
//! ```text
//!   load ──► check ──► Scenario ─┬─ world      what is there before
//!                                ├─ step       what is done, what befalls, what is expected
//!                                ├─ surprise   where exactly, and which searches are made
//!                                └─ words      durations, users, containers, names
//! ```
//!
//! Nothing in the format names a function of ours, and nothing here carries anything out. `SCENARIOS.md` is the format
//! for people, `scenario.schema.json` for editors; tests hold all three together. Serialising a scenario leaves out what
//! is as by default, and reads back as the same value.

mod check;
pub mod expect;
pub mod fault;
mod load;
mod positions;
pub mod step;
pub mod values;
pub mod world;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use expect::Expect;
pub use fault::{
    CrashKind, EffectAddress, EffectKind, FaultKind, FaultSpec, SearchSpec, TaskAddress,
};
pub use load::{LoadError, load};
pub use step::{RunStep, Step};
pub use values::{ContainerName, ProfileName, Span};
pub use world::WorldSpec;

/// A story and its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without `.json`.
    pub name: String,
    /// Which hazard it tells of; none for what a search found, and for verbs as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hazard: Option<String>,
    /// In one or two sentences: what was seen, what must hold.
    pub summary: String,
    /// Which search found it; only in regressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_by: Option<Provenance>,
    /// The machines that can play it.
    pub runs_on: BTreeSet<MachineKind>,
    /// What is there before.
    #[serde(default, skip_serializing_if = "values::is_default")]
    pub world: WorldSpec,
    /// What happens.
    pub steps: Vec<Step>,
    /// Where exactly something befalls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSpec>,
    /// Which searches are made of it.
    #[serde(default, skip_serializing_if = "values::is_default")]
    pub search: SearchSpec,
    /// What must hold; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invariants: Option<BTreeSet<Invariant>>,
}

/// A machine that can play stories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineKind {
    /// The simulated one.
    Simulated,
    /// Real s6 processes, no container.
    S6,
    /// A real container.
    Container,
}

/// Which search found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The search.
    pub search: FoundBy,
    /// Its seed, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The day: year, month, day.
    pub date: String,
}

/// A search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// The crash matrix.
    CrashMatrix,
    /// The search for few surprises.
    Bounded,
    /// The exhaustive search.
    Exhaustive,
    /// Whole runs laid beside each other.
    Relations,
    /// The seeded swarm.
    Random,
    /// The comparison of the fake s6 with the real one.
    Conformance,
}

/// A promise by its number: S1 to S18 at every instant, L1 to L7 at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the design names them")]
pub enum Invariant {
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S8,
    S9,
    S10,
    S11,
    S12,
    S13,
    S14,
    S18,
    L1,
    L2,
    L3,
    L4,
    L5,
    L6,
    L7,
}

impl std::fmt::Display for Invariant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{self:?}")
    }
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::S1,
        Self::S2,
        Self::S3,
        Self::S4,
        Self::S5,
        Self::S6,
        Self::S7,
        Self::S8,
        Self::S9,
        Self::S10,
        Self::S11,
        Self::S12,
        Self::S13,
        Self::S14,
        Self::S18,
        Self::L1,
        Self::L2,
        Self::L3,
        Self::L4,
        Self::L5,
        Self::L6,
        Self::L7,
    ];
}

impl Scenario {
    /// All steps in the order of the text; those that are together stand after their group.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().flat_map(|step| {
            let group: &[Step] = match step {
                Step::Together(group) => &group.steps,
                _ => &[],
            };
            std::iter::once(step).chain(group)
        })
    }

    /// All commands, in the order of the text.
    pub fn run_steps(&self) -> impl Iterator<Item = &RunStep> {
        self.all_steps().filter_map(|step| match step {
            Step::Run(run) => Some(run),
            _ => None,
        })
    }

    /// The tasks that the story itself names: the boots of its containers, and every `run` with a name.
    pub fn named_tasks(&self) -> Vec<TaskAddress> {
        let containers = (1..=self.world.containers).map(ContainerName);
        let boots = containers
            .flat_map(|container| [TaskAddress::Init(container), TaskAddress::Tree(container)]);
        let runs = self.run_steps().filter_map(|run| run.name.clone()).map(TaskAddress::Run);
        boots.chain(runs).collect()
    }

    /// Does the story boot by itself? If not, `c1` is booted and settles before its first step.
    pub fn has_boot_step(&self) -> bool {
        self.all_steps().any(|step| matches!(step, Step::Boot(_)))
    }

    /// The promises that must hold. Whoever may write slots of root's tree decides what root runs: there S10 is not one.
    pub fn required_invariants(&self) -> BTreeSet<Invariant> {
        let is_possible = |promise: &Invariant| {
            *promise != Invariant::S10 || self.world.tree != world::SupervisionTree::Root
        };
        let all = || Invariant::ALL.into_iter().filter(is_possible).collect();
        self.invariants.clone().unwrap_or_else(all)
    }

    /// As JSON text that [`load`] reads back as the same value.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("string keys only");
        text.push('\n');
        text
    }
}
