//! S14: the effect of commands does not depend on their order, nor on how often each is given.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::random::RandomSource;
use super::super::{Explorer, Schedule, settle_check};
use crate::execution::{Execution, Failure};
use crate::invariants::command::{ParsedCommand, Scope};
use crate::invariants::{Fingerprint, check_commute, check_serializable, fingerprint};
use crate::scenario::step::GroupStep;
use crate::scenario::{Invariant, RunStep, Scenario, Step};

/// The longest group that is checked: longer ones have too many orders.
const GROUP_MAX: usize = 3;

/// One in this number of transitions of a group is not the baseline one.
const DEVIATION_ODDS: u64 = 3;

impl Explorer {
    pub(super) fn check_orders(&mut self, scenario: &Arc<Scenario>) {
        let count_max = (self.budget.runs / 16).max(2);
        let groups: Vec<(usize, Vec<RunStep>)> = groups(scenario).collect();
        for (at, runs) in &groups {
            self.check_group_serializes(scenario, *at, runs);
        }
        let writers: Vec<usize> =
            (0..scenario.steps.len()).filter(|&at| writes(scenario, at)).collect();
        let pairs: Vec<usize> =
            writers.iter().copied().filter(|&at| are_on_different_profiles(scenario, at)).collect();
        for &at in self.evenly_spread(&pairs, count_max, 0) {
            let mut swapped = up_to(scenario, at + 1);
            swapped.steps.swap(at, at + 1);
            self.check_same_end(up_to(scenario, at + 1), swapped);
        }
        for &at in self.evenly_spread(&writers, count_max, 0) {
            let mut twice = up_to(scenario, at);
            twice.steps.push(unnamed(&scenario.steps[at]));
            self.check_same_end(up_to(scenario, at), twice);
        }
    }

    /// These two scenarios must end the same.
    fn check_same_end(&mut self, one: Scenario, other: Scenario) {
        if let (Some(one), Some(other)) = (self.run_to_rest(one), self.run_to_rest(other)) {
            let result = check_commute(&one.machine.world, &other.machine.world);
            self.record_comparison(Invariant::S14, result, &Schedule::default());
        }
    }

    /// Every interleaving of a group must end like one of its serial orders.
    fn check_group_serializes(&mut self, scenario: &Arc<Scenario>, at: usize, runs: &[RunStep]) {
        let mut ends = BTreeMap::new();
        for order in orders(runs.len()) {
            let mut prefix = up_to(scenario, at);
            prefix.steps.pop();
            prefix.steps.extend(order.iter().map(|&command| Step::Run(runs[command].clone())));
            if let Some(execution) = self.run_to_rest(prefix) {
                ends.insert(order, fingerprint(&execution.machine.world));
            }
        }
        let prefix = Arc::new(up_to(scenario, at));
        for number in 0..(self.budget.runs / 2).max(1) {
            let random = RandomSource::new(self.budget.seed, number);
            let Some((execution, schedule)) = self.random_interleaving(&prefix, random) else {
                continue;
            };
            let failed = failed(&execution, runs);
            let serial_ends: Vec<&Fingerprint> = ends
                .iter()
                .filter(|(order, _)| {
                    // A command that failed may have changed nothing.
                    order.len() == runs.len()
                        || (0..runs.len())
                            .all(|command| order.contains(&command) || failed[command])
                })
                .map(|(_, end)| end)
                .collect();
            let result = check_serializable(&fingerprint(&execution.machine.world), &serial_ends);
            self.record_comparison(Invariant::S14, result, &schedule);
        }
    }

    /// The scenario with a random interleaving of the steps of its last group.
    fn random_interleaving(
        &mut self,
        scenario: &Arc<Scenario>,
        mut random: RandomSource,
    ) -> Option<(Execution, Schedule)> {
        let mut execution = Execution::new(scenario).ok()?;
        let mut schedule = Schedule::default();
        let walked = random_walk(&mut execution, &mut random, &mut schedule);
        let ended = walked.and_then(|()| settle_check::settle_without_faults(&mut execution));
        self.tally.runs += 1;
        self.tally.effects += execution.effect_count;
        self.tally.transitions += execution.transition_count;
        self.tally.mix(execution.digest);
        match ended {
            Ok(()) => Some((execution, schedule)),
            Err(failure) => {
                self.record_failure(&schedule, failure, false);
                None
            }
        }
    }
}

fn random_walk(
    execution: &mut Execution,
    random: &mut RandomSource,
    schedule: &mut Schedule,
) -> Result<(), Failure> {
    while !execution.is_finished() {
        let transitions = execution.enabled_transitions();
        let Some(baseline) = transitions.first() else { break };
        let mut next = baseline;
        if execution.is_in_group() && random.below(DEVIATION_ODDS) == 0 {
            let index = usize::try_from(random.below(transitions.len() as u64)).unwrap_or_default();
            next = &transitions[index];
        }
        if next != baseline {
            schedule.0.push((execution.transition_count, next.clone()));
        }
        execution.step(next)?;
    }
    Ok(())
}

/// For each of these commands: did it not exit 0?
fn failed(execution: &Execution, runs: &[RunStep]) -> Vec<bool> {
    let failed = runs.iter().map(|run| {
        let name = run.name.as_ref().unwrap_or(&run.run);
        execution.commands().any(|run| run.name == *name && run.exit != Some(0))
    });
    failed.collect()
}

/// Groups that consist only of commands.
fn groups(scenario: &Scenario) -> impl Iterator<Item = (usize, Vec<RunStep>)> {
    let all = scenario.steps.iter().enumerate();
    all.filter_map(|(at, step)| {
        let Step::Together(GroupStep { steps: together }) = step else { return None };
        let runs = together.iter().map(|step| match step {
            Step::Run(run) => Some(run.clone()),
            _ => None,
        });
        let runs: Vec<RunStep> = runs.collect::<Option<_>>()?;
        (2..=GROUP_MAX).contains(&runs.len()).then_some((at, runs))
    })
}

/// Every order of this number of commands, and of every subset of them.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    let mut next = 0;
    while next < orders.len() {
        let order = orders[next].clone();
        let others = (0..count).filter(|command| !order.contains(command));
        let longer: Vec<Vec<usize>> =
            others.map(|command| order.iter().copied().chain([command]).collect()).collect();
        orders.extend(longer);
        next += 1;
    }
    orders
}

/// The scenario up to and including this step.
fn up_to(scenario: &Scenario, at: usize) -> Scenario {
    let mut prefix = scenario.clone();
    prefix.steps.truncate(at + 1);
    prefix
}

/// The step without its name: two commands cannot have one name.
fn unnamed(step: &Step) -> Step {
    match step {
        Step::Run(run) => Step::Run(RunStep { name: None, ..run.clone() }),
        other => other.clone(),
    }
}

fn command_at(scenario: &Scenario, at: usize) -> Option<ParsedCommand> {
    match scenario.steps.get(at)? {
        Step::Run(run) => Some(ParsedCommand::parse(&run.words())),
        _ => None,
    }
}

fn writes(scenario: &Scenario, at: usize) -> bool {
    command_at(scenario, at).is_some_and(|command| {
        !matches!(command, ParsedCommand::ReadOnly | ParsedCommand::Other | ParsedCommand::Run(_))
    })
}

/// Is it followed by a command on another profile?
fn are_on_different_profiles(scenario: &Scenario, at: usize) -> bool {
    let one = |at| match command_at(scenario, at)? {
        ParsedCommand::SetIntent(_, Scope::One(of))
        | ParsedCommand::Create(of)
        | ParsedCommand::Delete(of) => Some(of),
        _ => None,
    };
    matches!((one(at), one(at + 1)), (Some(here), Some(there)) if here != there)
}
