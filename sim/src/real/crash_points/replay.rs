//! Replays a scenario with faults on real s6: the gate injects each fault at its address.
//!
//! `begin-step` holds a task until the scenario's next step has begun; `preempt` holds it until the named task has ended or
//! waits for time to pass. Between two faults the tasks run concurrently, in any order. Afterwards the machine boots twice.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::container::AwaitExit;
use super::super::machine::RealMachine;
use super::super::{expect, observe, skip, steps};
use super::Testbed;
use super::monitor::RealMonitor;
use super::run::{GATE_DIR, check_two_boots, with_container_gate};
use crate::real::gate::GateController;
use crate::scenario::{self, ContainerName, FaultKind, RunStep, Scenario, Step, TaskAddress};

/// Time for a task to reach the address of a fault.
const REACH_MAX: Duration = Duration::from_secs(20);

/// Why a scenario cannot be replayed here; `None` if it can.
pub fn skip_reason(scenario: &Scenario, machine: scenario::MachineKind) -> Option<String> {
    if scenario.faults.is_empty() {
        return Some("no fault at an address".to_owned());
    }
    let unsupported = scenario.faults.iter().find_map(|fault| match fault.kind {
        FaultKind::Kill | FaultKind::KillAfter | FaultKind::Errno(_) | FaultKind::BeginStep => None,
        FaultKind::Preempt if fault.next.is_some() => None,
        other => Some(format!("the gate cannot inject `{other}`")),
    });
    unsupported.or_else(|| {
        let without_faults = Scenario { faults: Vec::new(), ..scenario.clone() };
        skip::skip_reason(&without_faults, machine)
    })
}

/// Replays the scenario, then boots twice.
pub fn replay_faults(testbed: &Testbed, scenario: &Scenario) -> Result<(), String> {
    let scenario = with_gates(scenario);
    let commands = scenario.run_steps().filter_map(|run| run.name.clone());
    let sockets: Vec<String> = commands.chain([ContainerName(1).to_string()]).collect();
    let gate = GateController::open(&testbed.gate_dir(), &sockets, &scenario.faults)?;
    let machine = testbed.create_machine(&scenario.world)?;
    let mut replayer = FaultReplayer { machine, gate, scenario: &scenario, begun: BTreeSet::new() };
    let replayed = replayer.run();
    replayed.map_err(|failure| format!("{failure}\n{}", replayer.machine.dump()))?;
    if !steps::has_scanner(&scenario) {
        return Ok(());
    }
    let mut monitor = RealMonitor::new(replayer.machine, &scenario)?;
    let booted = check_two_boots(&mut monitor);
    booted.map_err(|failure| format!("{failure}\n{}", monitor.machine.dump()))
}

/// The scenario with the gate in the environment of every task that a fault names.
fn with_gates(scenario: &Scenario) -> Scenario {
    let tasks = scenario.faults.iter().map(|fault| &fault.at.task);
    let tasks = tasks.chain(scenario.faults.iter().filter_map(|fault| fault.next.as_ref()));
    let of_container = tasks.clone().find(|task| !matches!(task, TaskAddress::Run(_)));
    let mut gated = match of_container {
        Some(task) => with_container_gate(scenario, task),
        None => scenario.clone(),
    };
    let set_gate = |step: &mut Step| {
        if let Step::Run(RunStep { name: Some(name), env, .. }) = step {
            env.insert(crate::real::gate::SOCKET.to_owned(), format!("{GATE_DIR}/{name}"));
        }
    };
    for step in &mut gated.steps {
        match step {
            Step::Together(group) => group.steps.iter_mut().for_each(set_gate),
            other => set_gate(other),
        }
    }
    gated
}

struct FaultReplayer<'a> {
    machine: RealMachine,
    gate: GateController,
    scenario: &'a Scenario,
    /// Commands that have begun, by name.
    begun: BTreeSet<String>,
}

impl FaultReplayer<'_> {
    fn run(&mut self) -> Result<(), String> {
        if !self.scenario.has_boot_step() {
            self.machine.start(ContainerName(1))?;
            steps::wait_for_scanner(&self.machine, self.scenario)?;
            observe::settle(&self.machine, steps::BOOT_MAX);
        }
        for (index, step) in self.scenario.steps.iter().enumerate() {
            self.machine.refresh()?;
            let steps = match step {
                Step::Together(group) => &group.steps[..],
                single => std::slice::from_ref(single),
            };
            self.run_group(steps).map_err(|failure| format!("step {}: {failure}", index + 1))?;
        }
        // The remaining faults are in a boot that goes on after the last step.
        for index in 0..self.scenario.faults.len() {
            self.gate.wait_for_fault(index, REACH_MAX);
        }
        match self.gate.first_unmet_fault() {
            None => Ok(()),
            Some(index) => {
                Err(format!("fault {index} was not reached, or no other task went on at it"))
            }
        }
    }

    /// Starts the steps in order, then waits for the commands.
    fn run_group(&mut self, steps: &[Step]) -> Result<(), String> {
        let mut commands: Vec<(&RunStep, AwaitExit)> = Vec::new();
        for step in steps {
            let held = self.await_begin_fault()?;
            match step {
                Step::Run(run) => {
                    commands.push((run, steps::begin(&self.machine, run)?));
                    self.begun.extend(run.name.clone());
                }
                other => steps::perform_step(&mut self.machine, other)?,
            }
            // As on the simulated machine, a command that begins has the turn.
            match (held, step) {
                (Some(index), Step::Run(RunStep { name: Some(name), .. })) => {
                    self.gate.hand_turn(index, TaskAddress::Run(name.clone()));
                }
                (Some(index), _) => self.gate.release(index),
                (None, _) => {}
            }
        }
        for (run, begun) in commands {
            expect::command(run, &begun()?)?;
        }
        Ok(())
    }

    /// Waits for the fault at which the next step begins, if one is still to come.
    fn await_begin_fault(&mut self) -> Result<Option<usize>, String> {
        let all = self.scenario.faults.iter().enumerate();
        let due = all
            .filter(|(_, fault)| fault.kind == FaultKind::BeginStep)
            .find(|(index, _)| !self.gate.was_released(*index))
            .map(|(index, fault)| (index, fault.at.task.clone()));
        let Some((index, task)) = due else { return Ok(None) };
        let is_reachable = match &task {
            TaskAddress::Run(name) => self.begun.contains(name),
            _ => self.machine.is_running(ContainerName(1)),
        };
        match is_reachable && self.gate.wait_for_fault(index, REACH_MAX) {
            true => Ok(Some(index)),
            false if is_reachable => Err(format!("fault {index}, `begin-step`, was not reached")),
            false => Ok(None),
        }
    }
}
