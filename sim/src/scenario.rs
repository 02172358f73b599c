//! A scenario: JSON that says what happens to a machine and what must hold then. Plain data, and its strict reader.
//!
//! ```text
//!   load ──► check ──► Scenario ─┬─ world    what is there before
//!                                ├─ step     what is done, what happens, what is expected
//!                                ├─ fault    scripted faults with their addresses, and which searches run
//!                                └─ values   durations, users, containers, names
//! ```
//!
//! Nothing in the format names a function of the product, and nothing here executes anything. `SCENARIOS.md` describes
//! the format for people, `scenario.schema.json` for editors; tests keep all three in step. A serialised scenario leaves
//! out every value that is the default, and reads back as the same value.

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

/// Steps, the faults among them, and what must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without `.json`.
    pub name: String,
    /// The hazard that it shows; none for what a search found, and for a scenario of one verb.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hazard: Option<String>,
    /// In one or two sentences: what was seen, what must hold.
    pub summary: String,
    /// Which search found it; only in regressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_by: Option<Provenance>,
    /// The machines that can execute it.
    pub runs_on: BTreeSet<MachineKind>,
    /// What is there before.
    #[serde(default, skip_serializing_if = "values::is_default")]
    pub world: WorldSpec,
    /// What happens.
    pub steps: Vec<Step>,
    /// Scripted faults, each at its exact effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSpec>,
    /// Which searches run on it.
    #[serde(default, skip_serializing_if = "values::is_default")]
    pub search: SearchSpec,
    /// The invariants that are checked; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invariants: Option<BTreeSet<Invariant>>,
}

/// A machine that can execute scenarios.
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

/// Which search found a regression, and when.
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

/// A search, as a regression names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// The crash matrix.
    CrashMatrix,
    /// The bounded search: few faults in each execution.
    Bounded,
    /// The exhaustive search.
    Exhaustive,
    /// Relations between whole executions.
    Relations,
    /// Random schedules and faults from a seed.
    Random,
    /// The comparison of the fake s6 with the real one.
    Conformance,
}

/// An invariant by its number: safety S1 to S18 at every instant, liveness L1 to L7 at rest.
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
    /// All steps in the order of the text; the steps of a group stand after their group.
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

    /// The tasks that the scenario itself names: the boots of its containers, and every `run` with a name.
    pub fn named_tasks(&self) -> Vec<TaskAddress> {
        let containers = (1..=self.world.containers).map(ContainerName);
        let boots = containers
            .flat_map(|container| [TaskAddress::Init(container), TaskAddress::Tree(container)]);
        let runs = self.run_steps().filter_map(|run| run.name.clone()).map(TaskAddress::Run);
        boots.chain(runs).collect()
    }

    /// Is one of the steps a boot? If not, `c1` is booted and settles before the first step.
    pub fn has_boot_step(&self) -> bool {
        self.all_steps().any(|step| matches!(step, Step::Boot(_)))
    }

    /// The invariants that must hold. In root's tree, a user who may write slots decides what root runs: S10 is not
    /// required there.
    pub fn required_invariants(&self) -> BTreeSet<Invariant> {
        let is_possible = |invariant: &Invariant| {
            *invariant != Invariant::S10 || self.world.tree != world::SupervisionTree::Root
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
