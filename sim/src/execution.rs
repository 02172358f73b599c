//! An execution of a scenario in progress: the machine, the progress of the steps, and the monitor. A value: a copy is a
//! branch of the search.
//!
//! ```text
//!   enabled_transitions()  the baseline one first ──► a search chooses ──► step(transition) ──► Ok, or a Failure
//! ```
//!
//! The baseline transition: the process that moved last goes on; then any other that can; then the next step of the
//! scenario begins; time passes only when nothing else is enabled.

mod disk_address;
mod expectations;
mod failure;
mod immediate_steps;
mod inject;
mod query;
mod scripted_faults;
mod setup;
mod steps;
mod task_address;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::Effect;

use crate::hash;
use crate::hash::LazilyHashed;
use crate::invariants::Monitor;
use crate::machine::world::{ContainerId, ProcessId};
use crate::machine::{Machine, StepOutcome};
use crate::replay::Request;
use crate::scenario::{EffectKind, Scenario};

pub use failure::{Failure, FailureKind};
pub use immediate_steps::to_behaviour;
pub use query::run_in_copy;
pub use scripted_faults::{effect_objects, matches_effect};
pub use setup::intent_text;
pub use steps::StepProgress;

/// What can come next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// A process makes its next step.
    Process(ProcessId),
    /// The scenario's next step begins, or the step of a group with this number.
    BeginStep(usize),
    /// Time passes until a process can move.
    AdvanceTime,
    /// A fault is injected at the next effect of a process.
    Inject(ProcessId, Fault),
    /// The scenario's own fault with this number is injected there.
    InjectScripted(ProcessId, usize),
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// SIGKILL, for this process alone.
    Kill,
    /// Its container is killed, and started again.
    ContainerKill,
    /// Its container gets TERM, and is started again once it has ended.
    ContainerRestart,
    /// The power is cut, with this outcome of the disk; all containers are started again.
    PowerCut(u64),
    /// The machine sleeps for this time.
    Suspend(Duration),
    /// The effect fails.
    FailEffect(Errno),
    /// The effect fails, and so does every later one of its kind by this process.
    FailEffectForGood(Errno),
}

/// An error that every later matching effect of a process has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct StickyError {
    serial: u64,
    kind: EffectKind,
    /// A text in the object of the effect; none means any object.
    object: Option<String>,
    errno: Errno,
}

/// An execution in progress.
#[derive(Clone, Debug)]
pub struct Execution {
    scenario: Arc<Scenario>,
    /// The machine.
    pub machine: Machine,
    /// The progress of the steps.
    step_index: usize,
    step_progress: Vec<StepProgress>,
    last_process: Option<ProcessId>,
    /// Commands by the serial of their process: their step's name, and their end.
    commands: Arc<LazilyHashed<BTreeMap<u64, CommandRun>>>,
    sticky_error: Option<StickyError>,
    /// The progress of the scenario's own faults.
    fault_progress: scripted_faults::ScriptedFaultProgress,
    /// Containers that are started again as soon as they have ended.
    restarting: Vec<ContainerId>,
    /// Checks the invariants.
    pub monitor: Monitor,
    /// No fault was added: the scenario's own expectations must hold.
    pub is_fault_free: bool,
    /// The first expectation of the scenario that did not hold. The execution goes on, so that an invariant may fail, too.
    missed_expectation: Option<Failure>,
    /// The number of transitions so far.
    pub transition_count: u64,
    /// The number of effects of tasks so far.
    pub effect_count: u64,
    /// The digest of everything that happened, in order.
    pub digest: u128,
    /// The outcomes of the transitions, if they are recorded.
    pub recorded: Option<Vec<StepOutcome>>,
}

/// A command of the scenario.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommandRun {
    /// Its name in the scenario, else its line.
    pub name: String,
    /// Its words.
    pub words: Vec<String>,
    /// Its exit code; `None` while it runs, or if it was cut short.
    pub exit: Option<u8>,
    /// It runs.
    pub is_running: bool,
}

impl Execution {
    /// Everything that decides what can happen next.
    pub fn state_hash(&self) -> u128 {
        hash::digest(&(
            self.machine.state_digest(),
            (
                self.step_index,
                &self.step_progress,
                &self.sticky_error,
                &self.fault_progress,
                &self.restarting,
            ),
            (&self.monitor, &self.commands, self.is_fault_free, &self.missed_expectation),
        ))
    }

    /// The scenario that is executed.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Goes on with another scenario, which must be the same up to the present step.
    pub fn replace_scenario(&mut self, scenario: &Arc<Scenario>) {
        self.scenario = Arc::clone(scenario);
    }

    /// The commands so far.
    pub fn commands(&self) -> impl Iterator<Item = &CommandRun> {
        self.commands.values()
    }

    /// Are all steps over?
    pub fn is_finished(&self) -> bool {
        self.step_index >= self.scenario.steps.len() && self.step_progress.is_empty()
    }

    /// The first expectation of the scenario that did not hold: the failure of the execution if no invariant is violated.
    pub fn missed_expectation(&self) -> Option<&Failure> {
        self.missed_expectation.as_ref()
    }

    /// Records that an expectation does not hold. Later expectations do not count in this execution.
    fn record_missed_expectation(&mut self, failure: Failure) {
        self.missed_expectation.get_or_insert(failure);
        self.is_fault_free = false;
    }

    /// Skips the remaining steps.
    pub fn skip_remaining_steps(&mut self) {
        self.step_index = self.scenario.steps.len();
        self.step_progress.clear();
    }

    /// The enabled transitions without an added fault, the baseline one first. None: the machine is at rest for good.
    pub fn enabled_transitions(&self) -> Vec<Transition> {
        let ready = self.machine.ready_processes();
        let mut enabled = Vec::new();
        enabled
            .extend(self.last_process.filter(|who| ready.contains(who)).map(Transition::Process));
        // Those after the process that moved last come first, so that no process waits for ever.
        let (later, earlier): (Vec<ProcessId>, Vec<ProcessId>) =
            ready.into_iter().partition(|who| Some(*who) > self.last_process);
        let others = later.into_iter().chain(earlier).map(Transition::Process);
        enabled.extend(others.filter(|step| enabled.first() != Some(step)).collect::<Vec<_>>());
        enabled.extend(self.startable_steps().map(Transition::BeginStep));
        if enabled.is_empty() && self.next_moment().is_some() {
            enabled.push(Transition::AdvanceTime);
        }
        if !self.scenario.faults.is_empty() {
            enabled = enabled.into_iter().map(|next| self.with_scripted_fault(next)).collect();
        }
        enabled
    }

    /// The next transition if a search does not interfere.
    pub fn baseline_transition(&self) -> Option<Transition> {
        match self.last_process.filter(|&who| self.machine.is_ready(who)) {
            Some(who) => Some(self.with_scripted_fault(Transition::Process(who))),
            None => self.enabled_transitions().into_iter().next(),
        }
    }

    /// The next moment at which time enables something.
    pub fn next_moment(&self) -> Option<Duration> {
        self.machine.next_wake().into_iter().chain(self.next_deadline()).min()
    }

    /// Takes one transition.
    pub fn step(&mut self, next: &Transition) -> Result<(), Failure> {
        self.transition_count += 1;
        self.digest = hash::digest(&(self.digest, next));
        match next {
            Transition::Process(who) => self.step_process(*who)?,
            Transition::BeginStep(index) => self.begin_step(*index)?,
            Transition::AdvanceTime => {
                if let Some(moment) = self.next_moment() {
                    self.machine.advance_to(moment);
                }
            }
            Transition::Inject(who, fault) => self.inject(*who, fault)?,
            Transition::InjectScripted(who, index) => self.inject_scripted(*who, *index)?,
        }
        self.record_cut_short_commands();
        self.advance_steps();
        Ok(())
    }

    fn step_process(&mut self, who: ProcessId) -> Result<(), Failure> {
        self.last_process = Some(who);
        if !self.scenario.faults.is_empty() {
            self.count_occurrence(who);
        }
        let outcome = match self.sticky_errno(who) {
            Some(errno) => self.machine.refuse(who, errno),
            None => self.machine.step(who),
        };
        self.record_outcome(&outcome)
    }

    /// The sticky error, if the next effect of this process matches it.
    fn sticky_errno(&self, who: ProcessId) -> Option<Errno> {
        let sticky = self.sticky_error.as_ref()?;
        let Some(Request::Effect(effect)) = self.machine.request(who) else { return None };
        let serial = self.machine.world.process(who)?.serial;
        let matches = serial == sticky.serial
            && scripted_faults::matches_effect(effect, sticky.kind, sticky.object.as_deref());
        matches.then_some(sticky.errno)
    }

    fn record_outcome(&mut self, step: &StepOutcome) -> Result<(), Failure> {
        if let Some(recorded) = &mut self.recorded {
            recorded.push(step.clone());
        }
        match step {
            StepOutcome::Performed { effect, outcome, .. } => {
                self.effect_count += 1;
                self.digest = hash::digest(&(self.digest, effect, outcome));
            }
            StepOutcome::Exited { serial, code, .. } => {
                if let Some(command) = Arc::make_mut(&mut self.commands).get_mut(serial) {
                    command.exit = Some(*code);
                    command.is_running = false;
                }
            }
            StepOutcome::Panicked { .. } | StepOutcome::Automaton { .. } => {}
        }
        let printed = match step {
            StepOutcome::Exited { serial, .. } => {
                self.machine.outputs.get(serial).map(|output| &**output)
            }
            _ => None,
        };
        self.monitor.after_step(&self.machine.world, step, printed)?;
        Ok(())
    }

    /// Commands whose process is gone without an exit code were cut short.
    fn record_cut_short_commands(&mut self) {
        let world = &self.machine.world;
        if !self.commands.values().any(|command| command.is_running) {
            return;
        }
        let alive: Vec<u64> = world
            .processes()
            .filter(|(_, process)| process.is_alive())
            .map(|(_, process)| process.serial)
            .collect();
        let running = self.commands.iter().filter(|(_, command)| command.is_running);
        let aborted: Vec<u64> =
            running.map(|(&serial, _)| serial).filter(|serial| !alive.contains(serial)).collect();
        if !aborted.is_empty() {
            let commands = Arc::make_mut(&mut self.commands);
            for serial in &aborted {
                if let Some(command) = commands.get_mut(serial) {
                    command.is_running = false;
                }
            }
            self.monitor.commands_aborted(world, aborted.into_iter());
        }
    }

    /// The effect that a task is about to ask for.
    pub fn next_effect(&self, who: ProcessId) -> Option<&Effect> {
        self.machine.next_effect(who)
    }
}
