//! Which executions are tried: from the baseline to every interleaving. A search is a list of schedules, and a run
//! executes one schedule to its end.
//!
//! ```text
//!   baseline              no fault but the scenario's own: counts, and gives the golden digest
//!   crash_matrix          each crash and errno before each effect of the named tasks
//!   recovery              the same, and a second one while the machine boots or the command is repeated
//!   relations             whole executions compared: without one profile, in another order, from start to start
//!   bounded               at most a few faults, anywhere
//!   exhaustive            every interleaving, with a visited set and partial-order reduction
//!   random                random walks from a seed
//!   power_cut_scenarios   no search: what power cuts leave, as scenarios for real machines
//! ```
//!
//! Every run ends with `settle_check`: the machine settles, boots, settles again, and the invariants of a world at rest
//! are checked. A state from which this was done before is not settled and checked again.

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
use crate::scenario::{Invariant, Scenario};

pub use kind::SearchKind;

/// Where a run leaves the baseline: before these numbers of transitions, these transitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schedule(pub Vec<(u64, Transition)>);

/// How much a search may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Runs from a branch to their end.
    pub runs: u64,
    /// States that an exhaustive search keeps.
    pub states: u64,
    /// Faults in one run.
    pub faults_max: u8,
    /// Which choices are taken if not all can be.
    pub seed: u64,
}

/// What a search did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchResult {
    /// Runs, or crash points of a crash matrix.
    pub runs: u64,
    /// Of these, the ones whose state was settled and checked before.
    pub deduplicated: u64,
    /// Effects of tasks performed.
    pub effects: u64,
    /// Different states visited.
    pub states: u64,
    /// Transitions between them.
    pub transitions: u64,
    /// How often each invariant about several executions was checked.
    pub relations_checked: BTreeMap<Invariant, u64>,
    /// Nothing was left out for want of budget.
    pub is_complete: bool,
    /// The digest of everything that happened, in order.
    pub digest: u128,
    /// The failures, the first of each kind.
    pub findings: Vec<Finding>,
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The schedule of the run.
    pub schedule: Schedule,
    /// The failure.
    pub failure: Failure,
    /// It failed while the run settled and was checked, after the remaining steps were skipped.
    pub is_during_settle: bool,
    /// The scenario that was executed, if the search changed it: up to the first crash, and the command once more.
    pub changed_scenario: Option<Arc<Scenario>>,
}

impl SearchResult {
    /// The result before the first run.
    fn new() -> Self {
        Self { is_complete: true, ..Self::default() }
    }

    fn record(&mut self, finding: Finding) {
        if !self.findings.iter().any(|other| other.failure.kind == finding.failure.kind) {
            self.findings.push(finding);
        }
    }

    fn mix(&mut self, digest: u128) {
        self.digest = crate::hash::digest(&(self.digest, digest));
    }
}

/// One search of one scenario: the state that its runs share.
#[derive(Debug)]
pub struct Explorer {
    /// The execution before the first step.
    initial: Execution,
    /// States that were settled and checked.
    settled_states: BTreeSet<u128>,
    budget: Budget,
    tally: SearchResult,
}

impl Explorer {
    /// Boots the scenario's machine.
    pub fn new(scenario: &Arc<Scenario>, budget: Budget) -> Result<Self, Failure> {
        // The replay cache holds answers of the program with the bug that was planted before.
        crate::replay::clear_replay_cache();
        let initial = Execution::new(scenario)?;
        Ok(Self { initial, settled_states: BTreeSet::new(), budget, tally: SearchResult::new() })
    }

    /// Skips the remaining steps, settles and checks, unless that was done from this very state before.
    fn settle_and_check(&mut self, mut execution: Execution, schedule: &Schedule) {
        self.tally.runs += 1;
        execution.skip_remaining_steps();
        if !self.settled_states.insert(execution.state_hash()) {
            self.tally.deduplicated += 1;
            return;
        }
        let before = execution.effect_count;
        let checked = settle_check::settle_and_check(&mut execution);
        self.tally.effects += execution.effect_count - before;
        self.tally.mix(execution.digest);
        if let Err(failure) = checked {
            self.record_failure(schedule, failure, true);
        }
        self.record_missed_expectation(schedule, &execution);
    }

    fn record_failure(&mut self, schedule: &Schedule, failure: Failure, is_during_settle: bool) {
        self.tally.record(Finding {
            schedule: schedule.clone(),
            failure,
            is_during_settle,
            changed_scenario: None,
        });
    }

    /// Records the expectation that did not hold, if there is one.
    fn record_missed_expectation(&mut self, schedule: &Schedule, execution: &Execution) {
        if let Some(failure) = execution.missed_expectation() {
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
    /// This schedule with one more transition.
    fn with_fault(&self, at: u64, next: Transition) -> Self {
        let mut extended = self.clone();
        extended.0.push((at, next));
        extended
    }

    /// Executes this schedule to its end, and settles and checks if asked. `observe` gets each transition before it is taken.
    pub fn run(
        &self,
        execution: &mut Execution,
        settles: bool,
        observe: &mut dyn FnMut(&Execution, &Transition),
    ) -> Result<(), Failure> {
        let mut scheduled = self.0.iter().peekable();
        loop {
            let due = scheduled
                .next_if(|(at, _)| *at == execution.transition_count)
                .map(|(_, next)| next.clone());
            // The expectations of a scenario presume that one command ends before the next begins, except in a group.
            execution.is_fault_free &= due.is_none() || execution.is_in_group();
            let Some(next) = due.or_else(|| execution.baseline_transition()) else { break };
            if execution.is_finished() && scheduled.peek().is_none() {
                break;
            }
            observe(execution, &next);
            execution.step(&next)?;
        }
        if settles {
            settle_check::settle_and_check_with(execution, &[], observe)?;
        }
        Ok(())
    }
}
