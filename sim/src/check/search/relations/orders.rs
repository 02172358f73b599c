//! S14: what commands come to, whatever the order in which they were given, and however often.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::random::Die;
use super::super::{Explorer, Schedule, settle_check};
use crate::execution::{Execution, Failure};
use crate::invariants::command::{ParsedCommand, Scope};
use crate::invariants::{Fingerprint, check_commute, check_serializable, fingerprint};
use crate::scenario::step::GroupStep;
use crate::scenario::{RunStep, Scenario, Step};

/// Longer groups have too many orders.
const GROUP_MAX: usize = 3;

/// One in so many moves of a group is not the calm one.
const DEVIATION_ODDS: u64 = 3;

impl Explorer {
    pub(super) fn check_orders(&mut self, story: &Arc<Scenario>) {
        let few = (self.budget.runs / 16).max(2);
        let groups: Vec<(usize, Vec<RunStep>)> = groups(story).collect();
        for (at, runs) in &groups {
            self.check_group_serializes(story, *at, runs);
        }
        let writers: Vec<usize> = (0..story.steps.len()).filter(|&at| writes(story, at)).collect();
        let pairs: Vec<usize> =
            writers.iter().copied().filter(|&at| are_on_different_profiles(story, at)).collect();
        for &at in self.evenly_spread(&pairs, few, 0) {
            let mut swapped = up_to(story, at + 1);
            swapped.steps.swap(at, at + 1);
            self.check_same_end(up_to(story, at + 1), swapped);
        }
        for &at in self.evenly_spread(&writers, few, 0) {
            let mut twice = up_to(story, at);
            twice.steps.push(unnamed(&story.steps[at]));
            self.check_same_end(up_to(story, at), twice);
        }
    }

    /// These two must end the same.
    fn check_same_end(&mut self, one: Scenario, other: Scenario) {
        if let (Some(one), Some(other)) = (self.run_to_rest(one), self.run_to_rest(other)) {
            let held = check_commute(&one.machine.world, &other.machine.world);
            self.record_comparison("S14", held, &Schedule::default());
        }
    }

    /// Whatever the commands of a group do between each other, it ends as if they had come one after the other.
    fn check_group_serializes(&mut self, story: &Arc<Scenario>, at: usize, runs: &[RunStep]) {
        let mut ends = BTreeMap::new();
        for order in orders(runs.len()) {
            let mut told = up_to(story, at);
            told.steps.pop();
            told.steps.extend(order.iter().map(|&which| Step::Run(runs[which].clone())));
            if let Some(play) = self.run_to_rest(told) {
                ends.insert(order, fingerprint(&play.machine.world));
            }
        }
        let told = Arc::new(up_to(story, at));
        for number in 0..(self.budget.runs / 2).max(1) {
            let die = Die::new(self.budget.seed, number);
            let Some((play, schedule)) = self.random_interleaving(&told, die) else { continue };
            let failed = failed(&play, runs);
            let may: Vec<&Fingerprint> = ends
                .iter()
                .filter(|(order, _)| {
                    // One that failed may have changed nothing.
                    order.len() == runs.len()
                        || (0..runs.len()).all(|which| order.contains(&which) || failed[which])
                })
                .map(|(_, end)| end)
                .collect();
            let held = check_serializable(&fingerprint(&play.machine.world), &may);
            self.record_comparison("S14", held, &schedule);
        }
    }

    /// The story with the steps of its last group mixed up by a die.
    fn random_interleaving(
        &mut self,
        story: &Arc<Scenario>,
        mut die: Die,
    ) -> Option<(Execution, Schedule)> {
        let mut play = Execution::new(story).ok()?;
        let mut schedule = Schedule::default();
        let walked = random_walk(&mut play, &mut die, &mut schedule);
        let ended = walked.and_then(|()| settle_check::settle_without_faults(&mut play));
        self.tally.runs += 1;
        self.tally.effects += play.effect_count;
        self.tally.transitions += play.transition_count;
        self.tally.mix(play.digest);
        match ended {
            Ok(()) => Some((play, schedule)),
            Err(failure) => {
                self.record_failure(&schedule, failure, false);
                None
            }
        }
    }
}

fn random_walk(
    play: &mut Execution,
    die: &mut Die,
    schedule: &mut Schedule,
) -> Result<(), Failure> {
    while !play.is_finished() {
        let moves = play.enabled_transitions();
        let Some(calm) = moves.first() else { break };
        let mut next = calm;
        if play.is_in_group() && die.below(DEVIATION_ODDS) == 0 {
            let index = usize::try_from(die.below(moves.len() as u64)).unwrap_or_default();
            next = &moves[index];
        }
        if next != calm {
            schedule.0.push((play.transition_count, next.clone()));
        }
        play.step(next)?;
    }
    Ok(())
}

/// Which of these commands did not exit 0.
fn failed(play: &Execution, runs: &[RunStep]) -> Vec<bool> {
    let failed = runs.iter().map(|run| {
        let name = run.name.as_ref().unwrap_or(&run.run);
        play.commands().any(|it| it.name == *name && it.exit != Some(0))
    });
    failed.collect()
}

/// Groups of nothing but commands.
fn groups(story: &Scenario) -> impl Iterator<Item = (usize, Vec<RunStep>)> {
    let all = story.steps.iter().enumerate();
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

/// Every order of so many, and of some of them.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    let mut from = 0;
    while from < orders.len() {
        let order = orders[from].clone();
        let more = (0..count).filter(|which| !order.contains(which));
        let longer: Vec<Vec<usize>> =
            more.map(|which| order.iter().copied().chain([which]).collect()).collect();
        orders.extend(longer);
        from += 1;
    }
    orders
}

/// The story up to this step, and with it.
fn up_to(story: &Scenario, at: usize) -> Scenario {
    let mut told = story.clone();
    told.steps.truncate(at + 1);
    told
}

/// The step again: two commands cannot have one name.
fn unnamed(step: &Step) -> Step {
    match step {
        Step::Run(run) => Step::Run(RunStep { name: None, ..run.clone() }),
        other => other.clone(),
    }
}

fn command_at(story: &Scenario, at: usize) -> Option<ParsedCommand> {
    match story.steps.get(at)? {
        Step::Run(run) => Some(ParsedCommand::parse(&run.words())),
        _ => None,
    }
}

fn writes(story: &Scenario, at: usize) -> bool {
    command_at(story, at).is_some_and(|asked| {
        !matches!(asked, ParsedCommand::ReadOnly | ParsedCommand::Other | ParsedCommand::Run(_))
    })
}

/// Is it followed by a command on another profile?
fn are_on_different_profiles(story: &Scenario, at: usize) -> bool {
    let one = |at| match command_at(story, at)? {
        ParsedCommand::SetIntent(_, Scope::One(of))
        | ParsedCommand::Create(of)
        | ParsedCommand::Delete(of) => Some(of),
        _ => None,
    };
    matches!((one(at), one(at + 1)), (Some(here), Some(there)) if here != there)
}
