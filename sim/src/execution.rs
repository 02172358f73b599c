//! One run of a story in progress: the machine, how far the story is, and what is watched. A value: a copy is a fork in
//! the road.
//!
//! ```text
//!   moves()  what can come next, the calm one first ──► a search chooses ──► take(move) ──► Ok, or what was broken
//! ```
//!
//! Calm: the task that moved last goes on; then whoever can; then the story; time passes only when nobody can move.

mod disk_address;
mod expectations;
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
use crate::invariants::{Monitor, Violation};
use crate::machine::world::{ContainerId, ProcessId};
use crate::machine::{Machine, StepOutcome};
use crate::replay::Request;
use crate::scenario::{EffectKind, Scenario};

pub use immediate_steps::to_behaviour;
pub use query::run_in_copy;
pub use scripted_faults::{effect_objects, matches_effect};
pub use setup::intent_text;
pub use steps::StepProgress;

/// What can come next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// A process moves.
    Process(ProcessId),
    /// The story's next step begins, or this one of a group.
    BeginStep(usize),
    /// Time passes until somebody can move.
    AdvanceTime,
    /// Something befalls a task at what it is about to do.
    Inject(ProcessId, Fault),
    /// The story's own surprise of this number befalls it.
    InjectScripted(ProcessId, usize),
}

/// What can befall.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// SIGKILL, for this process alone.
    Kill,
    /// Its container is killed, and started again.
    ContainerKill,
    /// Its container gets TERM, and is started again once it has ended.
    ContainerRestart,
    /// The power is cut, and this is what the disk keeps; all containers are started again.
    PowerCut(u64),
    /// The machine sleeps so long.
    Suspend(Duration),
    /// The effect fails.
    FailEffect(Errno),
    /// The effect fails, and so does every later one of its kind by this process.
    FailEffectForGood(Errno),
}

/// What a run can end in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// Which promise; `expect` for the story's own expectations.
    pub invariant: String,
    /// Which of the story's expectations: its step, and the part of it. Nothing, if it is a promise.
    pub expectation: String,
    /// What is not so.
    pub detail: String,
}

impl Failure {
    /// A broken promise.
    pub fn violation(promise: impl Into<String>, what: impl Into<String>) -> Self {
        Self { invariant: promise.into(), expectation: String::new(), detail: what.into() }
    }

    /// Is it the same promise, or the same expectation? What was seen may differ.
    pub fn is_same_failure(&self, other: &Self) -> bool {
        self.invariant == other.invariant && self.expectation == other.expectation
    }
}

impl From<Violation> for Failure {
    fn from(breach: Violation) -> Self {
        Self::violation(breach.invariant.to_string(), breach.detail)
    }
}

/// A refusal that stays.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct StickyError {
    serial: u64,
    kind: EffectKind,
    /// A text in what the effect is about; any, if there is none.
    touches: Option<String>,
    errno: Errno,
}

/// A run in progress.
#[derive(Clone, Debug)]
pub struct Execution {
    scenario: Arc<Scenario>,
    /// The machine.
    pub machine: Machine,
    /// How far the story is.
    step_index: usize,
    step_progress: Vec<StepProgress>,
    last_process: Option<ProcessId>,
    /// Commands by serial: their step's name, and their end.
    commands: Arc<LazilyHashed<BTreeMap<u64, CommandRun>>>,
    sticky_error: Option<StickyError>,
    /// How far the story's own surprises are.
    fault_progress: scripted_faults::ScriptedFaultProgress,
    /// Containers to be started as soon as they have ended.
    restarting: Vec<ContainerId>,
    /// What is promised.
    pub monitor: Monitor,
    /// No fault was added: the story's own expectations must hold.
    pub is_fault_free: bool,
    /// The first of the story's own expectations that did not hold. The run goes on, so that a promise may speak, too.
    missed_expectation: Option<Failure>,
    /// How many moves there were.
    pub transition_count: u64,
    /// How many effects of tasks.
    pub effect_count: u64,
    /// Of all that happened, in order.
    pub digest: u128,
    /// What the moves did, for whoever listens; empty it to hear on.
    pub recorded: Option<Vec<StepOutcome>>,
}

/// A command of the story.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommandRun {
    /// How the story calls it, else its line.
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

    /// The scenario that is played.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// From here on it is another story, the same up to the present.
    pub fn replace_scenario(&mut self, scenario: &Arc<Scenario>) {
        self.scenario = Arc::clone(scenario);
    }

    /// The commands so far.
    pub fn commands(&self) -> impl Iterator<Item = &CommandRun> {
        self.commands.values()
    }

    /// Is the story at its end?
    pub fn is_finished(&self) -> bool {
        self.step_index >= self.scenario.steps.len() && self.step_progress.is_empty()
    }

    /// The first of the story's own expectations that did not hold: what the run failed by if no promise broke.
    pub fn missed_expectation(&self) -> Option<&Failure> {
        self.missed_expectation.as_ref()
    }

    /// Notes that an expectation does not hold. What the story expects after that is no longer of this run.
    fn record_missed_expectation(&mut self, failure: Failure) {
        self.missed_expectation.get_or_insert(failure);
        self.is_fault_free = false;
    }

    /// Leaves out the rest of the story.
    pub fn skip_remaining_steps(&mut self) {
        self.step_index = self.scenario.steps.len();
        self.step_progress.clear();
    }

    /// What can come next without a fault, the calm move first. Nothing: the machine is at rest for good.
    pub fn enabled_transitions(&self) -> Vec<Transition> {
        let ready = self.machine.ready_processes();
        let mut moves = Vec::new();
        moves.extend(self.last_process.filter(|who| ready.contains(who)).map(Transition::Process));
        // Whoever comes after the one that moved last, so that nobody waits for ever.
        let (later, earlier): (Vec<ProcessId>, Vec<ProcessId>) =
            ready.into_iter().partition(|who| Some(*who) > self.last_process);
        let others = later.into_iter().chain(earlier).map(Transition::Process);
        moves.extend(others.filter(|step| moves.first() != Some(step)).collect::<Vec<_>>());
        moves.extend(self.startable_steps().map(Transition::BeginStep));
        if moves.is_empty() && self.next_moment().is_some() {
            moves.push(Transition::AdvanceTime);
        }
        if !self.scenario.faults.is_empty() {
            moves = moves.into_iter().map(|next| self.with_scripted_fault(next)).collect();
        }
        moves
    }

    /// What comes next if nobody interferes.
    pub fn baseline_transition(&self) -> Option<Transition> {
        match self.last_process.filter(|&who| self.machine.is_ready(who)) {
            Some(who) => Some(self.with_scripted_fault(Transition::Process(who))),
            None => self.enabled_transitions().into_iter().next(),
        }
    }

    /// When time lets anything happen.
    pub fn next_moment(&self) -> Option<Duration> {
        self.machine.next_wake().into_iter().chain(self.next_deadline()).min()
    }

    /// One move.
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
            Transition::Inject(who, deed) => self.inject(*who, deed)?,
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
        let moved = match self.sticky_errno(who) {
            Some(errno) => self.machine.refuse(who, errno),
            None => self.machine.step(who),
        };
        self.record_moved(&moved)
    }

    /// The refusal that stays, if this is what it is about.
    fn sticky_errno(&self, who: ProcessId) -> Option<Errno> {
        let sticky = self.sticky_error.as_ref()?;
        let Some(Request::Effect(effect)) = self.machine.request(who) else { return None };
        let serial = self.machine.world.process(who)?.serial;
        let is_meant = serial == sticky.serial
            && scripted_faults::matches_effect(effect, sticky.kind, sticky.touches.as_deref());
        is_meant.then_some(sticky.errno)
    }

    fn record_moved(&mut self, moved: &StepOutcome) -> Result<(), Failure> {
        if let Some(heard) = &mut self.recorded {
            heard.push(moved.clone());
        }
        match moved {
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
        let printed = match moved {
            StepOutcome::Exited { serial, .. } => self.machine.outputs.get(serial).map(|it| &**it),
            _ => None,
        };
        self.monitor.after_step(&self.machine.world, moved, printed)?;
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
        let cut: Vec<u64> =
            running.map(|(&serial, _)| serial).filter(|serial| !alive.contains(serial)).collect();
        if !cut.is_empty() {
            let commands = Arc::make_mut(&mut self.commands);
            for serial in &cut {
                if let Some(command) = commands.get_mut(serial) {
                    command.is_running = false;
                }
            }
            self.monitor.commands_aborted(world, cut.into_iter());
        }
    }

    /// The effect that a task is about to ask for.
    pub fn next_effect(&self, who: ProcessId) -> Option<&Effect> {
        self.machine.next_effect(who)
    }
}
