//! The progress of the steps: the current step, what of it has begun, and what it still waits for.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use super::{CommandRun, Execution, Failure, disk_address, expectations, immediate_steps};
use crate::machine::runtime;
use crate::machine::world::{ContainerId, ContainerPhase};
use crate::scenario::step::{ContainerAction, RunExpect};
use crate::scenario::values::SignalName;
use crate::scenario::{RunStep, Span, Step};

/// The progress of one of the current steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StepProgress {
    /// It has not begun.
    NotStarted,
    /// Its command runs; the serial of its process, and when it must have ended.
    RunningCommand(u64, Duration),
    /// It waits for the container to end; whether it is then started again, and since when it waits.
    WaitingForExit(ContainerId, bool, Duration),
    /// It waits until this time; or earlier, until nothing moves.
    WaitingForTime(Duration, bool),
    /// It waits for an expectation, at most until this time.
    WaitingForExpectation(Duration),
    /// It is over.
    Done,
}

impl StepProgress {
    /// This time does not count.
    pub(super) fn extend_deadline(&mut self, time: Duration) {
        match self {
            Self::RunningCommand(_, at)
            | Self::WaitingForExit(_, _, at)
            | Self::WaitingForTime(at, _)
            | Self::WaitingForExpectation(at) => *at += time,
            Self::NotStarted | Self::Done => {}
        }
    }
}

/// A command that has not ended after this time hangs.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(600);

impl Execution {
    /// The current steps: one, or those of a group.
    fn current_steps(&self) -> Vec<&Step> {
        match self.scenario.steps.get(self.step_index) {
            Some(Step::Together(group)) => group.steps.iter().collect(),
            Some(step) => vec![step],
            None => Vec::new(),
        }
    }

    /// The index of the current step in the scenario.
    pub fn step_index(&self) -> usize {
        self.step_index
    }

    /// The current step with this number in its group.
    pub fn current_step(&self, index: usize) -> Option<&Step> {
        self.current_steps().get(index).copied()
    }

    /// Is the current step a group, whose steps overlap?
    pub fn is_in_group(&self) -> bool {
        matches!(self.scenario.steps.get(self.step_index), Some(Step::Together(_)))
    }

    /// The steps that can begin now.
    pub(super) fn startable_steps(&self) -> impl Iterator<Item = usize> {
        let count = if self.step_progress.is_empty() { self.current_steps().len() } else { 0 };
        let begun = self.step_progress.iter().enumerate();
        let waiting = begun
            .filter(|(_, progress)| **progress == StepProgress::NotStarted)
            .map(|(index, _)| index);
        waiting.chain(0..count).collect::<Vec<_>>().into_iter()
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let moments = self.step_progress.iter().filter_map(|progress| match progress {
            StepProgress::RunningCommand(_, at)
            | StepProgress::WaitingForTime(at, _)
            | StepProgress::WaitingForExpectation(at) => Some(*at),
            _ => None,
        });
        moments.filter(|&at| at > self.machine.world.clock.boot).min()
    }

    pub(super) fn begin_step(&mut self, index: usize) -> Result<(), Failure> {
        let steps: Vec<Step> = self.current_steps().into_iter().cloned().collect();
        if self.step_progress.is_empty() {
            self.step_progress = vec![StepProgress::NotStarted; steps.len()];
        }
        let now = self.machine.world.clock.boot;
        let progress = match &steps[index] {
            Step::Run(run) => self.begin_command(run),
            Step::Container(step) => {
                let id = ContainerId(step.container.0);
                self.begin_container_action(step.action, id, step.grace.0)
            }
            Step::Pass(pass) => StepProgress::WaitingForTime(now + pass.pass.0, false),
            Step::Settle(settle) => StepProgress::WaitingForTime(now + settle.settle.0, true),
            Step::Expect(step) => StepProgress::WaitingForExpectation(now + step.expect.within.0),
            Step::Power(_) => {
                self.cut_power(0);
                self.restarting.clear();
                StepProgress::Done
            }
            Step::Boot(boot) => {
                let id = ContainerId(boot.boot.0);
                if let Some(command) = &boot.command {
                    let words = command.iter().map(OsString::from).collect();
                    self.machine.world.container_mut(id).settings.command = words;
                }
                runtime::start(&mut self.machine.world, id);
                StepProgress::Done
            }
            other => {
                // After a fault the process or file of a step may be gone.
                immediate_steps::perform_step(&mut self.machine, other)
                    .unwrap_or_else(|failure| self.record_missed_if_fault_free(failure));
                self.notify_monitor(other);
                StepProgress::Done
            }
        };
        self.step_progress[index] = progress;
        Ok(())
    }

    /// Tells the monitor what a step changed from outside of hermes.
    fn notify_monitor(&mut self, step: &Step) {
        match step {
            Step::Signal(step) if matches!(step.signal, SignalName::Term | SignalName::Kill) => {
                self.monitor.process_signalled(step.signal == SignalName::Kill);
            }
            Step::S6Svc(step) => self.monitor.supervisor_overruled(&step.profile.0),
            Step::HostStop(step) => self.monitor.supervisor_overruled(&step.profile.0),
            Step::Clock(_) | Step::Suspend(_) | Step::Disk(_) => {}
            _ => self.monitor.changed_from_outside(&self.machine.world),
        }
    }

    /// Records a missed expectation, if no fault was added to the execution.
    fn record_missed_if_fault_free(&mut self, failure: Failure) {
        if self.is_fault_free {
            self.record_missed_expectation(failure);
        }
    }

    fn begin_command(&mut self, run: &RunStep) -> StepProgress {
        let id = ContainerId(run.container.0);
        let words: Vec<OsString> = run.words().into_iter().skip(1).map(OsString::from).collect();
        let number = self.commands.len() as u64;
        let env = run.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let uid = disk_address::uid(run.user);
        let world = &mut self.machine.world;
        match runtime::exec(world, id, runtime::ExecCommand { uid, args: words, env, number }) {
            Ok(who) => {
                let serial = world.process(who).map_or(0, |process| process.serial);
                let command = CommandRun {
                    name: run.name.clone().unwrap_or_else(|| run.run.clone()),
                    words: run.words(),
                    exit: None,
                    is_running: true,
                };
                self.monitor.command_started(world, serial, &command.words, uid);
                Arc::make_mut(&mut self.commands).insert(serial, command);
                // It has the turn: "this command at that moment" is one fault, not two.
                self.last_process = Some(who);
                StepProgress::RunningCommand(serial, world.clock.boot + COMMAND_TIMEOUT)
            }
            Err(errno) => {
                if !self.is_in_group() {
                    let detail = format!("`{}` cannot be run: {errno}", run.run);
                    self.record_missed_if_fault_free(expectations::expectation_failure(
                        format!("start of {}", run.run),
                        detail,
                    ));
                }
                StepProgress::Done
            }
        }
    }

    fn begin_container_action(
        &mut self,
        action: ContainerAction,
        id: ContainerId,
        grace: Duration,
    ) -> StepProgress {
        // A process that does not end in time is killed.
        self.monitor.process_signalled(true);
        let world = &mut self.machine.world;
        match action {
            ContainerAction::Start => {
                if matches!(world.container(id).phase, ContainerPhase::Exited(_)) {
                    runtime::start(world, id);
                }
            }
            ContainerAction::Stop | ContainerAction::Restart => {
                runtime::stop(world, id, grace);
                let now = world.clock.boot;
                return StepProgress::WaitingForExit(id, action == ContainerAction::Restart, now);
            }
            ContainerAction::Kill => runtime::kill(world, id),
            ContainerAction::Recreate => {
                runtime::kill(world, id);
                crate::machine::image::recreate(world, id);
                runtime::start(world, id);
            }
            ContainerAction::Pause => runtime::pause(world, id, true),
            ContainerAction::Unpause => runtime::pause(world, id, false),
        }
        StepProgress::Done
    }

    /// Marks the current steps that have ended, and goes on to the next step when all have.
    pub(super) fn advance_steps(&mut self) {
        self.restart_ended();
        for index in 0..self.step_progress.len() {
            let progress = self.step_progress[index].clone();
            if self.has_ended(index, &progress) {
                self.step_progress[index] = StepProgress::Done;
            }
        }
        if !self.step_progress.is_empty()
            && self.step_progress.iter().all(|progress| *progress == StepProgress::Done)
        {
            self.step_progress.clear();
            self.step_index += 1;
        }
    }

    /// Starts containers again that a fault ended.
    fn restart_ended(&mut self) {
        let world = &mut self.machine.world;
        let (ended, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.restarting)
            .into_iter()
            .partition(|&id| matches!(world.container(id).phase, ContainerPhase::Exited(_)));
        self.restarting = waiting;
        for id in ended {
            runtime::start(world, id);
        }
    }

    fn has_ended(&mut self, index: usize, progress: &StepProgress) -> bool {
        let now = self.machine.world.clock.boot;
        match progress {
            StepProgress::NotStarted => false,
            StepProgress::Done => true,
            StepProgress::RunningCommand(serial, until) => {
                let Some(command) = self.commands.get(serial) else { return true };
                if command.is_running && now >= *until {
                    let detail = format!("`{}` does not end", command.words.join(" "));
                    self.record_missed_expectation(expectations::expectation_failure(
                        format!("end of {}", command.name),
                        detail,
                    ));
                    return true;
                }
                let ended = !command.is_running;
                if ended {
                    let checked = self.check_command(index, *serial);
                    checked.unwrap_or_else(|failure| self.record_missed_expectation(failure));
                }
                ended
            }
            StepProgress::WaitingForExit(id, starts, begun) => {
                let ended =
                    matches!(self.machine.world.container(*id).phase, ContainerPhase::Exited(_));
                if let (true, Some(Step::Container(step))) =
                    (ended, self.current_steps().get(index))
                {
                    let in_time = self.check_deadline(
                        &format!("container {}", step.container),
                        step.within,
                        *begun,
                    );
                    in_time.unwrap_or_else(|failure| self.record_missed_expectation(failure));
                }
                if ended && *starts {
                    runtime::start(&mut self.machine.world, *id);
                }
                ended
            }
            StepProgress::WaitingForTime(until, early) => {
                now >= *until
                    || (*early
                        && self.machine.next_wake().is_none()
                        && self.machine.ready_processes().is_empty())
            }
            StepProgress::WaitingForExpectation(until) => {
                self.check_expectation(index, now >= *until)
            }
        }
    }

    fn check_command(&self, index: usize, serial: u64) -> Result<(), Failure> {
        let steps = self.current_steps();
        let Some(Step::Run(run)) = steps.get(index).copied() else { return Ok(()) };
        let command = &self.commands[&serial];
        let asks_nothing = run.expect == RunExpect::default();
        if !self.is_fault_free || (asks_nothing && command.exit.is_none()) {
            return Ok(());
        }
        expectations::check_command_end(
            run,
            command,
            self.machine.outputs.get(&serial).map(|output| &**output),
        )?;
        match self.step_progress.get(index) {
            Some(StepProgress::RunningCommand(_, until)) => {
                self.check_deadline(&run.run, run.expect.within, *until - COMMAND_TIMEOUT)
            }
            _ => Ok(()),
        }
    }

    /// Checks that something that began then took at most this time.
    fn check_deadline(
        &self,
        subject: &str,
        within: Option<Span>,
        begun: Duration,
    ) -> Result<(), Failure> {
        let took = self.machine.world.clock.boot.saturating_sub(begun);
        match within {
            Some(within) if took > within.0 && self.is_fault_free => {
                Err(expectations::expectation_failure(
                    format!("time of {subject}"),
                    format!("`{subject}` took {} s, over {within}", took.as_secs_f32()),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Is the expectation over? One that does not hold in time is recorded.
    fn check_expectation(&mut self, index: usize, is_late: bool) -> bool {
        let steps = self.current_steps();
        let Some(Step::Expect(step)) = steps.get(index).copied() else { return true };
        if !self.is_fault_free && !step.expect.always {
            return true;
        }
        let Err((part, detail)) = expectations::check_expect(&self.machine, &step.expect) else {
            return true;
        };
        if is_late {
            let step = serde_json::to_string(step).unwrap_or_default();
            self.record_missed_expectation(expectations::expectation_failure(
                format!("{part} of {step}"),
                detail,
            ));
        }
        is_late
    }
}
