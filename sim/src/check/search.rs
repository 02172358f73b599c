//! Which choices are tried: from the calm run to every interleaving. Each search is a list of schedules, and a run is
//! one schedule played to its end.
//!
//! ```text
//!   calm        no surprise: counts, and gives the golden digest
//!   matrix      each crash and errno before each effect of the named tasks
//!   recovery    the same, and once more while the machine boots or the command is repeated
//!   laws        whole runs beside each other: without one profile, in another order, from start to start
//!   surprises   at most so many surprises, anywhere
//!   closed      every interleaving, with a visited set
//!   swarm       seeded walks
//!   outages     no search: what power cuts leave, as stories for real machines
//! ```
//!
//! After whatever happened a run is concluded: it settles, boots, settles again, and what must hold at rest is looked at.
//! States that were concluded before are not concluded again.

pub mod baseline;
pub mod bounded;
pub mod crash_matrix;
pub mod effect_faults;
pub mod exhaustive;
mod kind;
pub mod power_cut_scenarios;
pub mod random;
pub mod recovery;
mod relations;
mod settle_check;
mod status_check;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::execution::{Execution, Failure, Transition};
use crate::scenario::Scenario;

pub use kind::SearchKind;

/// Where a run leaves the calm path: at these numbers of moves, these moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schedule(pub Vec<(u64, Transition)>);

/// How much a search may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Runs from a fork to their end.
    pub runs: u64,
    /// States kept by a closed search.
    pub states: u64,
    /// Surprises in one run.
    pub faults_max: u8,
    /// Which of the many equal choices are taken where not all can be.
    pub seed: u64,
}

/// What a search did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchResult {
    /// Runs, or cells of a matrix.
    pub runs: u64,
    /// Of these, the ones whose state had been concluded before.
    pub deduplicated: u64,
    /// Effects of tasks performed.
    pub effects: u64,
    /// Different states seen.
    pub states: u64,
    /// Moves between them.
    pub transitions: u64,
    /// How often each promise about several runs was looked at.
    pub relations_checked: BTreeMap<&'static str, u64>,
    /// Nothing was left out for want of budget.
    pub is_complete: bool,
    /// Of everything that happened, in order.
    pub digest: u128,
    /// What was broken, the first of each promise.
    pub findings: Vec<Finding>,
}

/// A run that broke a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How to get there.
    pub schedule: Schedule,
    /// What was broken.
    pub failure: Failure,
    /// It broke while the run was concluded: after the story was cut off.
    pub is_during_settle: bool,
    /// The story that was played, where the search changed it: up to the first crash, and the command once more.
    pub changed_scenario: Option<Arc<Scenario>>,
}

impl SearchResult {
    /// Nothing yet, everything still possible.
    fn new() -> Self {
        Self { is_complete: true, ..Self::default() }
    }

    fn record(&mut self, found: Finding) {
        if !self.findings.iter().any(|other| other.failure.invariant == found.failure.invariant) {
            self.findings.push(found);
        }
    }

    fn mix(&mut self, digest: u128) {
        self.digest = crate::hash::digest(&(self.digest, digest));
    }
}

/// One search of one scenario: what is shared by its runs.
#[derive(Debug)]
pub struct Explorer {
    /// At the beginning of the story.
    initial: Execution,
    /// States that were concluded, and held.
    settled_states: BTreeSet<u128>,
    budget: Budget,
    tally: SearchResult,
}

impl Explorer {
    /// Boots the scenario's machine.
    pub fn new(scenario: &Arc<Scenario>, budget: Budget) -> Result<Self, Failure> {
        // Another bug may be planted now.
        crate::replay::clear_replay_cache();
        let start = Execution::new(scenario)?;
        Ok(Self {
            initial: start,
            settled_states: BTreeSet::new(),
            budget,
            tally: SearchResult::new(),
        })
    }

    /// Concludes a run whose story is cut off here, unless that was done from this very state before.
    fn settle_and_check(&mut self, mut play: Execution, schedule: &Schedule) {
        self.tally.runs += 1;
        play.skip_remaining_steps();
        if !self.settled_states.insert(play.state_hash()) {
            self.tally.deduplicated += 1;
            return;
        }
        let before = play.effect_count;
        let concluded = settle_check::settle_and_check(&mut play);
        self.tally.effects += play.effect_count - before;
        self.tally.mix(play.digest);
        if let Err(failure) = concluded {
            self.record_failure(schedule, failure, true);
        }
        self.record_missed_expectation(schedule, &play);
    }

    fn record_failure(&mut self, schedule: &Schedule, failure: Failure, is_concluding: bool) {
        let (schedule, repeated) = (schedule.clone(), None);
        self.tally.record(Finding {
            schedule,
            failure,
            is_during_settle: is_concluding,
            changed_scenario: repeated,
        });
    }

    /// What the story expected and did not get, if anything.
    fn record_missed_expectation(&mut self, schedule: &Schedule, play: &Execution) {
        if let Some(failure) = play.missed_expectation() {
            self.record_failure(schedule, failure.clone(), false);
        }
    }

    fn is_budget_spent(&mut self) -> bool {
        let spent = self.tally.runs >= self.budget.runs;
        if spent {
            self.tally.is_complete = false;
        }
        spent
    }
}

impl Schedule {
    /// This one, and one more surprise.
    fn with_fault(&self, at: u64, next: Transition) -> Self {
        let mut longer = self.clone();
        longer.0.push((at, next));
        longer
    }

    /// Plays a story with these surprises to its end, and concludes it. `see` is told of each move before it is taken.
    pub fn run(
        &self,
        play: &mut Execution,
        concludes: bool,
        see: &mut dyn FnMut(&Execution, &Transition),
    ) -> Result<(), Failure> {
        let mut surprises = self.0.iter().peekable();
        loop {
            let due = surprises
                .next_if(|(at, _)| *at == play.transition_count)
                .map(|(_, next)| next.clone());
            // What a story expects, it expects of people and machines with time enough for each other.
            play.is_fault_free &= due.is_none() || play.is_in_group();
            let Some(next) = due.or_else(|| play.baseline_transition()) else { break };
            if play.is_finished() && surprises.peek().is_none() {
                break;
            }
            see(play, &next);
            play.step(&next)?;
        }
        if concludes {
            settle_check::settle_and_check_with(play, &[], see)?;
        }
        Ok(())
    }
}
