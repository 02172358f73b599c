//! One cell: the story up to the command, what befalls it there, and what comes after.

use super::super::exec::ExecOutput;
use super::super::{observe, steps};
use super::Testbed;
use super::monitor::{Checkpoint, RealMonitor};
use crate::invariants::{self, Fingerprint};
use crate::real::gate::controller::{GateController, RequestedEffect};
use crate::scenario::values::Span;
use crate::scenario::{ContainerName, FaultKind, FaultSpec, RunStep, Scenario, Step, TaskAddress};

/// What mends a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecoveryAction {
    /// The machine boots, twice.
    Boot,
    /// Somebody gives the command again.
    Repeat,
}

/// How a cell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrashPointOutcome {
    /// Every promise held.
    Held,
    /// Its address did not come up: this run went another way than the calm one.
    NotReached,
    /// What was broken, and what there was.
    Broken(String),
}

/// The calm run.
#[derive(Clone, Debug)]
pub struct BaselineRun {
    /// What was requests, in order.
    pub requests: Vec<RequestedEffect>,
    /// How much of it before the story began.
    pub scenario_start: usize,
    /// What the command came to.
    pub end: Fingerprint,
}

/// Where the gate is, inside.
pub(super) const GATE_DIR: &str = "/gate";

/// The story with a gate before the processes of the container, where the task is one of them.
pub fn with_container_gate(scenario: &Scenario, task: &TaskAddress) -> Scenario {
    let mut gated = scenario.clone();
    if !matches!(task, TaskAddress::Run(_)) {
        let socket = format!("{GATE_DIR}/{}", ContainerName(1));
        gated.world.environment.insert(crate::real::gate::SOCKET.to_owned(), socket);
    }
    gated
}

/// The story without a surprise, up to the end of the task.
pub fn run_baseline(
    ground: &Testbed,
    scenario: &Scenario,
    task: &TaskAddress,
) -> Result<BaselineRun, String> {
    let mut stage = GatedRun::start(ground, scenario, task, &[])?;
    let from = stage.gate.requested_effects().len();
    stage.run_preceding_steps()?;
    stage.run_task(None)?;
    stage.monitor.check_in_time(stage.when())?;
    let end = stage.monitor.fingerprint()?;
    Ok(BaselineRun { requests: stage.gate.requested_effects(), scenario_start: from, end })
}

/// Plays one cell.
pub fn run_crash_point(
    ground: &Testbed,
    scenario: &Scenario,
    cell: &FaultSpec,
    after: RecoveryAction,
    calm: &BaselineRun,
) -> CrashPointOutcome {
    let set = GatedRun::start(ground, scenario, &cell.at.task, std::slice::from_ref(cell));
    let played = set.and_then(|mut stage| {
        let played = stage.play(cell, after, calm);
        played.map_err(|what| format!("{what}\n{}", stage.monitor.machine.dump()))
    });
    played.unwrap_or_else(CrashPointOutcome::Broken)
}

/// A machine with a gate, booted.
pub(super) struct GatedRun<'a> {
    pub(super) monitor: RealMonitor<'a>,
    gate: GateController,
    /// The command that is named, and where in the story it is; nothing, if the boot itself is.
    run: Option<(usize, &'a RunStep)>,
}

impl<'a> GatedRun<'a> {
    pub(super) fn start(
        ground: &Testbed,
        scenario: &'a Scenario,
        task: &TaskAddress,
        surprises: &[FaultSpec],
    ) -> Result<Self, String> {
        let door = match task {
            TaskAddress::Run(name) => name.clone(),
            _ => ContainerName(1).to_string(),
        };
        let gate = GateController::open(&ground.gate_dir(), &[door], surprises)?;
        let run = match task {
            TaskAddress::Run(name) => {
                Some(find(scenario, name).ok_or("no such command in the story")?)
            }
            _ => None,
        };
        let mut machine = ground.create_machine(&scenario.world)?;
        machine.start(ContainerName(1))?;
        observe::wait_for_svscan(&machine, ContainerName(1))?;
        let mut watched = RealMonitor::new(machine, scenario)?;
        watched
            .check_in_time(Checkpoint::Booted)
            .map_err(|what| format!("before the story: {what}\n{}", watched.machine.dump()))?;
        Ok(Self { monitor: watched, gate, run })
    }

    fn when(&self) -> Checkpoint {
        if self.run.is_some() { Checkpoint::AtRest } else { Checkpoint::Booted }
    }

    /// Plays what comes before the command.
    fn run_preceding_steps(&mut self) -> Result<(), String> {
        let Some((place, _)) = self.run else { return Ok(()) };
        for step in &self.monitor.scenario.steps[..place] {
            steps::together(&mut self.monitor.machine, std::slice::from_ref(step))?;
            if !matches!(step, Step::Expect(_) | Step::Settle(_) | Step::Pass(_)) {
                self.monitor.record_outside_change()?;
            }
        }
        Ok(())
    }

    /// The command, or the boot. Gives what the command came to.
    fn run_task(&mut self, cell: Option<&FaultSpec>) -> Result<Option<ExecOutput>, String> {
        match self.run {
            Some((_, run)) => self.command(run, cell).map(Some),
            None => reboot(&mut self.monitor).map(|()| None),
        }
    }

    fn command(&mut self, run: &RunStep, cell: Option<&FaultSpec>) -> Result<ExecOutput, String> {
        let words = run.words();
        let serial = self.monitor.record_command_start(&words)?;
        let argv: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut env = self.monitor.machine.env();
        env.extend(run.env.clone());
        if let Some(name) = run.name.as_ref().filter(|_| !self.is_fault_injected()) {
            env.insert(crate::real::gate::SOCKET.to_owned(), format!("{GATE_DIR}/{name}"));
        }
        let outcome = self.monitor.machine.run(run.container, run.user, &env, &argv)?;
        if cell.is_some_and(|cell| matches!(cell.kind, FaultKind::Errno(_)))
            && self.gate.was_injected(0)
        {
            self.monitor.record_refusal(serial);
        }
        self.monitor.record_command_end(serial, &outcome)?;
        Ok(outcome)
    }

    /// What was to befall has befallen: whoever comes now is not requests.
    fn is_fault_injected(&self) -> bool {
        self.gate.was_injected(0)
    }

    fn play(
        &mut self,
        cell: &FaultSpec,
        after: RecoveryAction,
        calm: &BaselineRun,
    ) -> Result<CrashPointOutcome, String> {
        self.run_preceding_steps()?;
        let outcome = self.run_task(Some(cell))?;
        if self.run.is_none() {
            return self.check_after_boot_fault(cell);
        }
        if !self.gate.was_injected(0) {
            return Ok(CrashPointOutcome::NotReached);
        }
        let is_kill = matches!(cell.kind, FaultKind::Kill | FaultKind::KillAfter);
        let was_killed = outcome.is_some_and(|it| it.code.is_none());
        if is_kill != was_killed {
            return Err(format!("{}, and killed: {was_killed}", cell.kind));
        }
        match after {
            RecoveryAction::Boot => {
                self.monitor
                    .check_in_time(Checkpoint::AtRest)
                    .map_err(|what| format!("at rest: {what}"))?;
                check_two_boots(&mut self.monitor)?;
            }
            RecoveryAction::Repeat => self.repeat_command(&calm.end)?,
        }
        Ok(CrashPointOutcome::Held)
    }

    /// What befell a boot is over when it is booted again.
    fn check_after_boot_fault(&mut self, cell: &FaultSpec) -> Result<CrashPointOutcome, String> {
        self.monitor.settle_after_fault()?;
        if !self.gate.was_injected(0) {
            return Ok(CrashPointOutcome::NotReached);
        }
        if matches!(cell.kind, FaultKind::Errno(_)) {
            self.monitor.record_boot_refusal()?;
        }
        // PID 1 takes its container with it.
        self.monitor.record_kill();
        self.monitor.machine.start(ContainerName(1))?;
        check_two_boots(&mut self.monitor)?;
        Ok(CrashPointOutcome::Held)
    }

    /// A command that was cut short and repeated ends like one that was not; one that fails again leaves it to the boot.
    fn repeat_command(&mut self, once: &Fingerprint) -> Result<(), String> {
        let (_, run) = self.run.ok_or("no command to repeat")?;
        self.monitor.settle_after_fault()?;
        let outcome = self.command(run, None).map_err(|what| format!("repeated: {what}"))?;
        if outcome.code != Some(0) {
            reboot(&mut self.monitor)?;
        }
        let said = format!("repeated, it exited {:?}: {}", outcome.code, outcome.err.trim_end());
        self.monitor.retry_until_settled(|watched| {
            let again = watched.fingerprint()?;
            invariants::check_repeat_converges(once, &again)
                .map_err(|breach| format!("{breach}; {said}"))
        })
    }
}

fn reboot(watched: &mut RealMonitor<'_>) -> Result<(), String> {
    watched.record_kill();
    watched.machine.stop(ContainerName(1), Span::seconds(10).0)?;
    watched.machine.start(ContainerName(1))
}

/// A boot mends all, and another one changes nothing.
pub(super) fn check_two_boots(watched: &mut RealMonitor<'_>) -> Result<(), String> {
    reboot(watched)?;
    watched.check_in_time(Checkpoint::Booted).map_err(|what| format!("booted: {what}"))?;
    let once = watched.fingerprint()?;
    reboot(watched)?;
    watched.retry_until_settled(|watched| match watched.fingerprint()? {
        again if again == once => Ok(()),
        again => Err(format!("L1: a second boot changed it: {again:?}, before {once:?}")),
    })
}

fn find<'a>(scenario: &'a Scenario, name: &str) -> Option<(usize, &'a RunStep)> {
    scenario.steps.iter().enumerate().find_map(|(place, step)| match step {
        Step::Run(run) if run.name.as_deref() == Some(name) => Some((place, run)),
        _ => None,
    })
}
