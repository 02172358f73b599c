//! One crash point: the scenario up to the command, one fault in the command, and the recovery.

use super::super::exec::ExecOutput;
use super::super::machine::wait_for_svscan;
use super::super::steps;
use super::Testbed;
use super::monitor::{Checkpoint, RealMonitor};
use crate::invariants::{self, Fingerprint};
use crate::real::gate::controller::{GateController, RequestedEffect};
use crate::scenario::values::Span;
use crate::scenario::{ContainerName, FaultKind, FaultSpec, RunStep, Scenario, Step, TaskAddress};

/// The recovery from a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecoveryAction {
    /// The machine boots, twice.
    Boot,
    /// The command is run again.
    Repeat,
}

/// The outcome of a crash point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrashPointOutcome {
    /// Every invariant held.
    Held,
    /// The run did not reach the address of the fault: it took another path than the baseline.
    NotReached,
    /// The failure, and the state of the machine.
    Broken(String),
}

/// The baseline run: no fault.
#[derive(Clone, Debug)]
pub struct BaselineRun {
    /// The requested effects, in order.
    pub requests: Vec<RequestedEffect>,
    /// The number of requests before the scenario began.
    pub scenario_start: usize,
    /// The observable state after the command.
    pub end: Fingerprint,
}

/// The directory of the gate's sockets, inside the container.
pub(super) const GATE_DIR: &str = "/gate";

/// The scenario with a gate in the environment of the container, if the task is one of the container's own processes.
pub fn with_container_gate(scenario: &Scenario, task: &TaskAddress) -> Scenario {
    let mut gated = scenario.clone();
    if !matches!(task, TaskAddress::Run(_)) {
        let socket = format!("{GATE_DIR}/{}", ContainerName(1));
        gated.world.environment.insert(crate::real::gate::SOCKET.to_owned(), socket);
    }
    gated
}

/// Runs the scenario without a fault, up to the end of the task.
pub fn run_baseline(
    testbed: &Testbed,
    scenario: &Scenario,
    task: &TaskAddress,
) -> Result<BaselineRun, String> {
    let mut run = GatedRun::start(testbed, scenario, task, &[])?;
    let scenario_start = run.gate.requested_effects().len();
    run.run_preceding_steps()?;
    run.run_task(None)?;
    run.monitor.check_in_time(run.checkpoint())?;
    let end = run.monitor.fingerprint()?;
    Ok(BaselineRun { requests: run.gate.requested_effects(), scenario_start, end })
}

/// Runs one crash point.
pub fn run_crash_point(
    testbed: &Testbed,
    scenario: &Scenario,
    fault: &FaultSpec,
    recovery: RecoveryAction,
    baseline: &BaselineRun,
) -> CrashPointOutcome {
    let run = GatedRun::start(testbed, scenario, &fault.at.task, std::slice::from_ref(fault));
    let outcome = run.and_then(|mut run| {
        let outcome = run.run_crash_point(fault, recovery, baseline);
        outcome.map_err(|failure| format!("{failure}\n{}", run.monitor.machine.dump()))
    });
    outcome.unwrap_or_else(CrashPointOutcome::Broken)
}

/// A machine with a gate, booted.
pub(super) struct GatedRun<'a> {
    pub(super) monitor: RealMonitor<'a>,
    gate: GateController,
    /// The command that is crashed, with the index of its step; `None` if the boot is crashed.
    command: Option<(usize, &'a RunStep)>,
}

impl<'a> GatedRun<'a> {
    pub(super) fn start(
        testbed: &Testbed,
        scenario: &'a Scenario,
        task: &TaskAddress,
        faults: &[FaultSpec],
    ) -> Result<Self, String> {
        let socket = match task {
            TaskAddress::Run(name) => name.clone(),
            _ => ContainerName(1).to_string(),
        };
        let gate = GateController::open(&testbed.gate_dir(), &[socket], faults)?;
        let command = match task {
            TaskAddress::Run(name) => {
                Some(find(scenario, name).ok_or("no such command in the scenario")?)
            }
            _ => None,
        };
        let mut machine = testbed.create_machine(&scenario.world)?;
        machine.start(ContainerName(1))?;
        wait_for_svscan(&machine, ContainerName(1))?;
        let mut monitor = RealMonitor::new(machine, scenario)?;
        monitor.check_in_time(Checkpoint::Booted).map_err(|failure| {
            format!("before the scenario: {failure}\n{}", monitor.machine.dump())
        })?;
        Ok(Self { monitor, gate, command })
    }

    fn checkpoint(&self) -> Checkpoint {
        if self.command.is_some() { Checkpoint::AtRest } else { Checkpoint::Booted }
    }

    /// Runs the steps before the command.
    fn run_preceding_steps(&mut self) -> Result<(), String> {
        let Some((index, _)) = self.command else { return Ok(()) };
        for step in &self.monitor.scenario.steps[..index] {
            steps::together(&mut self.monitor.machine, std::slice::from_ref(step))?;
            if !matches!(step, Step::Expect(_) | Step::Settle(_) | Step::Pass(_)) {
                self.monitor.record_outside_change()?;
            }
        }
        Ok(())
    }

    /// Runs the command, or boots. Returns the output of the command.
    fn run_task(&mut self, fault: Option<&FaultSpec>) -> Result<Option<ExecOutput>, String> {
        match self.command {
            Some((_, step)) => self.run_command(step, fault).map(Some),
            None => reboot(&mut self.monitor).map(|()| None),
        }
    }

    fn run_command(
        &mut self,
        step: &RunStep,
        fault: Option<&FaultSpec>,
    ) -> Result<ExecOutput, String> {
        let words = step.words();
        let serial = self.monitor.record_command_start(&words)?;
        let argv: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut env = self.monitor.machine.env();
        env.extend(step.env.clone());
        if let Some(name) = step.name.as_ref().filter(|_| !self.is_fault_injected()) {
            env.insert(crate::real::gate::SOCKET.to_owned(), format!("{GATE_DIR}/{name}"));
        }
        let output = self.monitor.machine.run(step.container, step.user, &env, &argv)?;
        if fault.is_some_and(|fault| matches!(fault.kind, FaultKind::Errno(_)))
            && self.gate.was_injected(0)
        {
            self.monitor.record_refusal(serial);
        }
        self.monitor.record_command_end(serial, &output)?;
        Ok(output)
    }

    /// The fault was injected: later processes get no gate.
    fn is_fault_injected(&self) -> bool {
        self.gate.was_injected(0)
    }

    fn run_crash_point(
        &mut self,
        fault: &FaultSpec,
        recovery: RecoveryAction,
        baseline: &BaselineRun,
    ) -> Result<CrashPointOutcome, String> {
        self.run_preceding_steps()?;
        let output = self.run_task(Some(fault))?;
        if self.command.is_none() {
            return self.check_after_boot_fault(fault);
        }
        if !self.gate.was_injected(0) {
            return Ok(CrashPointOutcome::NotReached);
        }
        let is_kill = matches!(fault.kind, FaultKind::Kill | FaultKind::KillAfter);
        let was_killed = output.is_some_and(|output| output.code.is_none());
        if is_kill != was_killed {
            return Err(format!("{}, and killed: {was_killed}", fault.kind));
        }
        match recovery {
            RecoveryAction::Boot => {
                self.monitor
                    .check_in_time(Checkpoint::AtRest)
                    .map_err(|failure| format!("at rest: {failure}"))?;
                check_two_boots(&mut self.monitor)?;
            }
            RecoveryAction::Repeat => self.repeat_command(&baseline.end)?,
        }
        Ok(CrashPointOutcome::Held)
    }

    /// After a fault in a boot, the next boot repairs everything.
    fn check_after_boot_fault(&mut self, fault: &FaultSpec) -> Result<CrashPointOutcome, String> {
        self.monitor.settle_after_fault()?;
        if !self.gate.was_injected(0) {
            return Ok(CrashPointOutcome::NotReached);
        }
        if matches!(fault.kind, FaultKind::Errno(_)) {
            self.monitor.record_boot_refusal()?;
        }
        // The container ends with its PID 1.
        self.monitor.record_kill();
        self.monitor.machine.start(ContainerName(1))?;
        check_two_boots(&mut self.monitor)?;
        Ok(CrashPointOutcome::Held)
    }

    /// A crashed command that is repeated ends in the state of the baseline; if it fails again, the next boot leads there.
    fn repeat_command(&mut self, baseline_end: &Fingerprint) -> Result<(), String> {
        let (_, step) = self.command.ok_or("no command to repeat")?;
        self.monitor.settle_after_fault()?;
        let output =
            self.run_command(step, None).map_err(|failure| format!("repeated: {failure}"))?;
        if output.code != Some(0) {
            reboot(&mut self.monitor)?;
        }
        let exited = format!("repeated, it exited {:?}: {}", output.code, output.err.trim_end());
        self.monitor.retry_until_settled(|monitor| {
            let end = monitor.fingerprint()?;
            invariants::check_repeat_converges(baseline_end, &end)
                .map_err(|violation| format!("{violation}; {exited}"))
        })
    }
}

fn reboot(monitor: &mut RealMonitor<'_>) -> Result<(), String> {
    monitor.record_kill();
    monitor.machine.stop(ContainerName(1), Span::seconds(10).0)?;
    monitor.machine.start(ContainerName(1))
}

/// Checks that a boot repairs everything, and that a second boot changes nothing.
pub(super) fn check_two_boots(monitor: &mut RealMonitor<'_>) -> Result<(), String> {
    reboot(monitor)?;
    monitor.check_in_time(Checkpoint::Booted).map_err(|failure| format!("booted: {failure}"))?;
    let first = monitor.fingerprint()?;
    reboot(monitor)?;
    monitor.retry_until_settled(|monitor| match monitor.fingerprint()? {
        second if second == first => Ok(()),
        second => Err(format!("L1: a second boot changed it: {second:?}, before {first:?}")),
    })
}

fn find<'a>(scenario: &'a Scenario, name: &str) -> Option<(usize, &'a RunStep)> {
    scenario.steps.iter().enumerate().find_map(|(index, step)| match step {
        Step::Run(run) if run.name.as_deref() == Some(name) => Some((index, run)),
        _ => None,
    })
}
