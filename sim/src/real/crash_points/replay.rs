//! A story with surprises, played on real s6: each befalls at its address, by way of the gate.
//!
//! `begin` holds a task until the story's next step has begun; `preempt` until whoever is named has ended, or lets time
//! pass. Between two surprises tasks run beside each other, as they will. Afterwards the machine boots twice.

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

/// So long an address may take to come up.
const COMES_UP: Duration = Duration::from_secs(20);

/// Why it is not replayed here; `None` if it can be.
pub fn skip_reason(scenario: &Scenario, machine: scenario::MachineKind) -> Option<String> {
    if scenario.faults.is_empty() {
        return Some("no surprise at an address".to_owned());
    }
    let cannot = scenario.faults.iter().find_map(|it| match it.kind {
        FaultKind::Kill | FaultKind::KillAfter | FaultKind::Errno(_) | FaultKind::BeginStep => None,
        FaultKind::Preempt if it.next.is_some() => None,
        other => Some(format!("the gate knows no `{other}`")),
    });
    cannot.or_else(|| {
        let bare = Scenario { faults: Vec::new(), ..scenario.clone() };
        skip::skip_reason(&bare, machine)
    })
}

/// Plays it.
pub fn replay_faults(ground: &Testbed, scenario: &Scenario) -> Result<(), String> {
    let scenario = with_gates(scenario);
    let named = scenario.run_steps().filter_map(|run| run.name.clone());
    let doors: Vec<String> = named.chain([ContainerName(1).to_string()]).collect();
    let gate = GateController::open(&ground.gate_dir(), &doors, &scenario.faults)?;
    let machine = ground.create_machine(&scenario.world)?;
    let mut player = FaultReplayer { machine, gate, scenario: &scenario, begun: BTreeSet::new() };
    let played = player.play();
    played.map_err(|what| format!("{what}\n{}", player.machine.dump()))?;
    if !steps::has_scanner(&scenario) {
        return Ok(());
    }
    let mut watched = RealMonitor::new(player.machine, &scenario)?;
    let booted = check_two_boots(&mut watched);
    booted.map_err(|what| format!("{what}\n{}", watched.machine.dump()))
}

/// Every task that has a surprise finds the gate in its environment.
fn with_gates(scenario: &Scenario) -> Scenario {
    let inside = scenario.faults.iter().map(|it| &it.at.task);
    let inside = inside.chain(scenario.faults.iter().filter_map(|it| it.next.as_ref()));
    let of_container = inside.clone().find(|task| !matches!(task, TaskAddress::Run(_)));
    let mut with = match of_container {
        Some(task) => with_container_gate(scenario, task),
        None => scenario.clone(),
    };
    let give = |step: &mut Step| {
        if let Step::Run(RunStep { name: Some(name), env, .. }) = step {
            env.insert(crate::real::gate::SOCKET.to_owned(), format!("{GATE_DIR}/{name}"));
        }
    };
    for step in &mut with.steps {
        match step {
            Step::Together(group) => group.steps.iter_mut().for_each(give),
            other => give(other),
        }
    }
    with
}

struct FaultReplayer<'a> {
    machine: RealMachine,
    gate: GateController,
    scenario: &'a Scenario,
    /// Commands that have begun, by name.
    begun: BTreeSet<String>,
}

impl FaultReplayer<'_> {
    fn play(&mut self) -> Result<(), String> {
        if !self.scenario.has_boot_step() {
            self.machine.start(ContainerName(1))?;
            steps::wait_for_scanner(&self.machine, self.scenario)?;
            observe::settle(&self.machine, steps::BOOT_MAX);
        }
        for (index, step) in self.scenario.steps.iter().enumerate() {
            self.machine.refresh()?;
            let steps = match step {
                Step::Together(group) => &group.steps[..],
                one => std::slice::from_ref(one),
            };
            self.together(steps).map_err(|what| format!("step {}: {what}", index + 1))?;
        }
        // What is left of them befalls a boot that goes on while the story is over.
        for index in 0..self.scenario.faults.len() {
            self.gate.wait_for_fault(index, COMES_UP);
        }
        match self.gate.first_unmet_fault() {
            None => Ok(()),
            Some(index) => {
                Err(format!("surprise {index} did not come up, or nobody went on at it"))
            }
        }
    }

    /// One after the other begins, each in its turn; then the commands are waited for.
    fn together(&mut self, steps: &[Step]) -> Result<(), String> {
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
            if let Some(index) = held {
                self.gate.release(index);
            }
        }
        for (run, begun) in commands {
            expect::command(run, &begun()?)?;
        }
        Ok(())
    }

    /// Waits for the surprise at which the next step begins, if there is one to come.
    fn await_begin_fault(&mut self) -> Result<Option<usize>, String> {
        let all = self.scenario.faults.iter().enumerate();
        let due = all
            .filter(|(_, it)| it.kind == FaultKind::BeginStep)
            .find(|(index, _)| !self.gate.was_released(*index))
            .map(|(index, it)| (index, it.at.task.clone()));
        let Some((index, task)) = due else { return Ok(None) };
        let can_come = match &task {
            TaskAddress::Run(name) => self.begun.contains(name),
            _ => self.machine.is_running(ContainerName(1)),
        };
        match can_come && self.gate.wait_for_fault(index, COMES_UP) {
            true => Ok(Some(index)),
            false if can_come => Err(format!("surprise {index}, `begin`, never came up")),
            false => Ok(None),
        }
    }
}
