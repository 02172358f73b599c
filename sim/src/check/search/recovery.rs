//! Crashes inside the recovery: after a crash point of the crash matrix the machine boots, or the command is repeated, and
//! a second crash or errno comes there. Then the run is settled and checked. A command that is repeated without a fault must
//! reach its end.
//!
//! First crashes that leave equal states are tried once. A failure without a second crash is left to the crash matrix.
//! Three crashes in one run are not tried.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::crash_matrix::{CrashPoint, faults_at, inject_and_finish};
use super::{Explorer, Finding, Schedule, SearchResult, baseline, settle_check};
use crate::execution::{Execution, Failure, Fault, Transition};
use crate::invariants::{self, Fingerprint};
use crate::machine::world::{ContainerId, ProcessId};
use crate::scenario::{RunStep, Scenario, Step, TaskAddress};

/// The name of the repeated command.
const REPEATED_NAME: &str = "Again";

/// The number of second crashes after each first one, if not all can be tried: half of them while the machine boots, half
/// while the command is repeated.
const SECOND_CRASHES_MAX: u64 = 8;

/// The execution before a second crash, and the crash.
type SecondCrashPoint = (Rc<Execution>, Transition);

/// The first crashes so far.
#[derive(Debug, Default)]
struct FirstCrashes {
    /// The states that they left.
    states: BTreeSet<u128>,
    /// The end of the scenario without a crash, up to this step.
    fault_free_ends: BTreeMap<usize, Fingerprint>,
    /// The number of second crashes for each first one, at a boot and at a repetition.
    second_crashes_max: u64,
}

impl Explorer {
    /// Tries as many pairs as the budget has runs for.
    pub fn recovery(mut self) -> SearchResult {
        let crash_points = self.crash_points();
        let count_max = (self.budget.runs / SECOND_CRASHES_MAX).max(1);
        let tried = count_max.min(crash_points.len() as u64).max(1);
        let second_crashes_max = (self.budget.runs / tried / 2).max(1);
        let mut firsts = FirstCrashes { second_crashes_max, ..FirstCrashes::default() };
        self.visit_crash_points(&crash_points, count_max, |search, execution, crash_point| {
            search.after_first_crash(execution, crash_point, &mut firsts)
        });
        self.tally
    }

    fn after_first_crash(
        &mut self,
        execution: &Execution,
        (at, fault): &CrashPoint,
        firsts: &mut FirstCrashes,
    ) {
        let schedule = Schedule::default().with_fault(*at, fault.clone());
        let mut crashed = execution.clone();
        if inject_and_finish(&mut crashed, fault, &mut |_, _| {}).is_err() {
            return;
        }
        let mut skipped = crashed.clone();
        skipped.skip_remaining_steps();
        if firsts.states.insert(skipped.state_hash()) {
            self.crash_during_boot(BootInProgress::after(execution), skipped, &schedule, firsts);
            if let Some(scenario) = command(execution, fault).map(|run| repeated(execution, run)) {
                self.crash_during_repetition(crashed, &schedule, &Arc::new(scenario), firsts);
            }
        }
    }

    fn crash_during_boot(
        &mut self,
        mut boot: BootInProgress,
        mut execution: Execution,
        schedule: &Schedule,
        firsts: &FirstCrashes,
    ) {
        let kinds = execution.scenario().search.crash_kinds.clone();
        let mut second_crashes = Vec::new();
        let checked =
            settle_check::settle_and_check_with(&mut execution, &[], &mut |execution, next| {
                if let Some(who) = stepping(next).filter(|&who| boot.includes(execution, who)) {
                    let here = Rc::new(execution.clone());
                    let faults = faults_at(execution, who, &kinds).into_iter();
                    second_crashes.extend(
                        faults.map(|fault| (Rc::clone(&here), Transition::Inject(who, fault))),
                    );
                }
            });
        if checked.is_ok() {
            self.try_second_crashes(&second_crashes, schedule, firsts);
        }
    }

    fn crash_during_repetition(
        &mut self,
        mut execution: Execution,
        schedule: &Schedule,
        scenario: &Arc<Scenario>,
        firsts: &mut FirstCrashes,
    ) {
        // The scenario ends with the repetition, right after the step that was cut short.
        let step_index = scenario.steps.len() - 2;
        execution.replace_scenario(scenario);
        let findings_before = self.tally.findings.len();
        let kinds = scenario.search.crash_kinds.clone();
        let again = TaskAddress::Run(REPEATED_NAME.to_owned());
        let mut second_crashes = Vec::new();
        let ran = baseline::run_baseline(&mut execution, &mut |execution, next| {
            let Some(who) = stepping(next) else { return };
            if execution.task_address(who).as_ref() == Some(&again) {
                let here = Rc::new(execution.clone());
                let faults = faults_at(execution, who, &kinds).into_iter();
                second_crashes
                    .extend(faults.map(|fault| (Rc::clone(&here), Transition::Inject(who, fault))));
            }
        });
        self.tally.runs += 1;
        let ended = ran.and_then(|()| run_repeated_to_end(&mut execution)).and_then(|()| {
            let once = firsts
                .fault_free_ends
                .entry(step_index)
                .or_insert_with(|| self.fault_free_end(step_index));
            Ok(invariants::check_repeat_converges(
                once,
                &invariants::fingerprint(&execution.machine.world),
            )?)
        });
        self.tally.mix(execution.digest);
        match ended {
            Ok(()) => self.try_second_crashes(&second_crashes, schedule, firsts),
            Err(failure) => self.record_failure(schedule, failure, false),
        }
        for Finding { changed_scenario, .. } in &mut self.tally.findings[findings_before..] {
            *changed_scenario = Some(Arc::clone(scenario));
        }
    }

    /// The end of the scenario up to this step, without a fault.
    fn fault_free_end(&self, step_index: usize) -> Fingerprint {
        let mut execution = self.initial.clone();
        // The baseline does not fail: it ran when its crash points were counted.
        while execution.step_index() <= step_index {
            let Some(next) = execution.baseline_transition() else { break };
            if execution.step(&next).is_err() {
                break;
            }
        }
        execution.skip_remaining_steps();
        // A failure here also fails in the crash matrix.
        let _ = settle_check::settle_without_faults(&mut execution);
        invariants::fingerprint(&execution.machine.world)
    }

    fn try_second_crashes(
        &mut self,
        second_crashes: &[SecondCrashPoint],
        schedule: &Schedule,
        firsts: &FirstCrashes,
    ) {
        let shift = firsts.states.len() as u64;
        for (execution, fault) in
            self.evenly_spread(second_crashes, firsts.second_crashes_max, shift)
        {
            self.try_fault(execution, schedule, fault);
        }
    }
}

/// Settles after the repeated command. If it failed, it has reported that, and leaves the rest to the next boot.
fn run_repeated_to_end(execution: &mut Execution) -> Result<(), Failure> {
    settle_check::settle_without_faults(execution)?;
    let has_failed =
        execution.commands().any(|run| run.name == REPEATED_NAME && run.exit != Some(0));
    if has_failed {
        execution.restart_containers();
        settle_check::settle_without_faults(execution)?;
    }
    Ok(())
}

/// The process that moves.
fn stepping(next: &Transition) -> Option<ProcessId> {
    match next {
        Transition::Process(who) => Some(*who),
        _ => None,
    }
}

/// The command that is repeated: its own process was killed, or an effect of it failed.
fn command<'a>(execution: &'a Execution, fault: &Transition) -> Option<&'a RunStep> {
    let Transition::Inject(who, Fault::Kill | Fault::FailEffect(_) | Fault::FailEffectForGood(_)) =
        fault
    else {
        return None;
    };
    let Some(TaskAddress::Run(name)) = execution.task_address(*who) else { return None };
    execution.scenario().run_steps().find(|run| run.name.as_ref() == Some(&name))
}

/// The scenario up to the current step, and the command once more.
fn repeated(execution: &Execution, run: &RunStep) -> Scenario {
    let mut scenario = execution.scenario().clone();
    scenario.steps.truncate(execution.step_index() + 1);
    let name = Some(REPEATED_NAME.to_owned());
    scenario.steps.push(Step::Run(RunStep { name, expect: Default::default(), ..run.clone() }));
    scenario
}

/// The boot that recovers: in each container the first one that begins after the crash.
#[derive(Debug)]
struct BootInProgress {
    /// The serials of the processes before the crash.
    before: BTreeSet<u64>,
    namespaces: BTreeMap<ContainerId, u64>,
}

impl BootInProgress {
    fn after(execution: &Execution) -> Self {
        let processes = execution.machine.world.processes();
        let before = processes.map(|(_, process)| process.serial).collect();
        Self { before, namespaces: BTreeMap::new() }
    }

    /// Does this process belong to it?
    fn includes(&mut self, execution: &Execution, who: ProcessId) -> bool {
        let world = &execution.machine.world;
        let is_boot = matches!(
            execution.task_address(who),
            Some(TaskAddress::Init(_) | TaskAddress::Tree(_))
        );
        let serial = world.process(who).map_or(0, |process| process.serial);
        if !is_boot || self.before.contains(&serial) {
            return false;
        }
        let namespace = world.container(who.container).namespace;
        *self.namespaces.entry(who.container).or_insert(namespace) == namespace
    }
}
