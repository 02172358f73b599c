//! A story with surprises, played on real s6: each befalls at its address, by way of the gate.
//!
//! `begin` holds a task until the story's next step has begun; `preempt` until whoever is named has ended, or lets time
//! pass. Between two surprises tasks run beside each other, as they will. Afterwards the machine boots twice.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::machine::Machine;
use super::super::vessel::End;
use super::super::{expect, look, skip, story};
use super::Ground;
use super::cell::{GATE, boots_twice, gated};
use super::held::Watched;
use crate::real::gate::Controller;
use crate::scenario::{self, Container, Deed, Run, Scenario, Step, Task};

/// So long an address may take to come up.
const COMES_UP: Duration = Duration::from_secs(20);

/// Why it is not replayed here; `None` if it can be.
pub fn why_not(scenario: &Scenario, machine: scenario::Machine) -> Option<String> {
    if scenario.surprises.is_empty() {
        return Some("no surprise at an address".to_owned());
    }
    let cannot = scenario.surprises.iter().find_map(|it| match it.deed {
        Deed::Kill | Deed::KillAfter | Deed::Fail(_) | Deed::Begin => None,
        Deed::Preempt if it.to.is_some() => None,
        other => Some(format!("the gate knows no `{other}`")),
    });
    cannot.or_else(|| {
        let bare = Scenario { surprises: Vec::new(), ..scenario.clone() };
        skip::why_not(&bare, machine)
    })
}

/// Plays it.
pub fn replay(ground: &Ground, scenario: &Scenario) -> Result<(), String> {
    let scenario = with_gate(scenario);
    let named = scenario.runs().filter_map(|run| run.name.clone());
    let doors: Vec<String> = named.chain([Container(1).to_string()]).collect();
    let gate = Controller::open(&ground.gate(), &doors, &scenario.surprises)?;
    let machine = ground.machine(&scenario.world)?;
    let mut player = Player { machine, gate, scenario: &scenario, begun: BTreeSet::new() };
    let played = player.play();
    played.map_err(|what| format!("{what}\n{}", player.machine.dump()))?;
    if !story::has_scanner(&scenario) {
        return Ok(());
    }
    let mut watched = Watched::new(player.machine, &scenario)?;
    let booted = boots_twice(&mut watched);
    booted.map_err(|what| format!("{what}\n{}", watched.machine.dump()))
}

/// Every task that has a surprise finds the gate in its environment.
fn with_gate(scenario: &Scenario) -> Scenario {
    let inside = scenario.surprises.iter().map(|it| &it.at.task);
    let inside = inside.chain(scenario.surprises.iter().filter_map(|it| it.to.as_ref()));
    let of_container = inside.clone().find(|task| !matches!(task, Task::Run(_)));
    let mut with = match of_container {
        Some(task) => gated(scenario, task),
        None => scenario.clone(),
    };
    let give = |step: &mut Step| {
        if let Step::Run(Run { name: Some(name), env, .. }) = step {
            env.insert(crate::real::gate::SOCKET.to_owned(), format!("{GATE}/{name}"));
        }
    };
    for step in &mut with.story {
        match step {
            Step::Together(group) => group.together.iter_mut().for_each(give),
            other => give(other),
        }
    }
    with
}

struct Player<'a> {
    machine: Machine,
    gate: Controller,
    scenario: &'a Scenario,
    /// Commands that have begun, by name.
    begun: BTreeSet<String>,
}

impl Player<'_> {
    fn play(&mut self) -> Result<(), String> {
        if !self.scenario.boots_by_itself() {
            self.machine.start(Container(1))?;
            story::wait_for_scanner(&self.machine, self.scenario)?;
            look::settle(&self.machine, story::BOOT_MAX);
        }
        for (index, step) in self.scenario.story.iter().enumerate() {
            self.machine.refresh()?;
            let steps = match step {
                Step::Together(group) => &group.together[..],
                one => std::slice::from_ref(one),
            };
            self.together(steps).map_err(|what| format!("step {}: {what}", index + 1))?;
        }
        // What is left of them befalls a boot that goes on while the story is over.
        for index in 0..self.scenario.surprises.len() {
            self.gate.wait_for(index, COMES_UP);
        }
        match self.gate.unmet() {
            None => Ok(()),
            Some(index) => {
                Err(format!("surprise {index} did not come up, or nobody went on at it"))
            }
        }
    }

    /// One after the other begins, each in its turn; then the commands are waited for.
    fn together(&mut self, steps: &[Step]) -> Result<(), String> {
        let mut commands: Vec<(&Run, End)> = Vec::new();
        for step in steps {
            let held = self.turn()?;
            match step {
                Step::Run(run) => {
                    commands.push((run, story::begin(&self.machine, run)?));
                    self.begun.extend(run.name.clone());
                }
                other => story::act(&mut self.machine, other)?,
            }
            if let Some(index) = held {
                self.gate.let_go(index);
            }
        }
        for (run, begun) in commands {
            expect::command(run, &begun()?)?;
        }
        Ok(())
    }

    /// Waits for the surprise at which the next step begins, if there is one to come.
    fn turn(&mut self) -> Result<Option<usize>, String> {
        let all = self.scenario.surprises.iter().enumerate();
        let due = all
            .filter(|(_, it)| it.deed == Deed::Begin)
            .find(|(index, _)| !self.gate.was_let_go(*index))
            .map(|(index, it)| (index, it.at.task.clone()));
        let Some((index, task)) = due else { return Ok(None) };
        let can_come = match &task {
            Task::Run(name) => self.begun.contains(name),
            _ => self.machine.runs(Container(1)),
        };
        match can_come && self.gate.wait_for(index, COMES_UP) {
            true => Ok(Some(index)),
            false if can_come => Err(format!("surprise {index}, `begin`, never came up")),
            false => Ok(None),
        }
    }
}
