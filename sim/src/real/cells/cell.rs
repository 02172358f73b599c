//! One cell: the story up to the command, what befalls it there, and what comes after.

use super::super::inside::Outcome;
use super::super::{look, story};
use super::Ground;
use super::held::{Watched, When};
use crate::invariants::{self, Fingerprint};
use crate::real::gate::controller::{Asked, Controller};
use crate::scenario::words::Span;
use crate::scenario::{Container, Deed, Run, Scenario, Step, Surprise, Task};

/// What mends a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum After {
    /// The machine boots, twice.
    Boot,
    /// Somebody gives the command again.
    Repeat,
}

/// How a cell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every promise held.
    Held,
    /// Its address did not come up: this run went another way than the calm one.
    Missed,
    /// What was broken, and what there was.
    Broken(String),
}

/// The calm run.
#[derive(Clone, Debug)]
pub struct Calm {
    /// What was asked, in order.
    pub asked: Vec<Asked>,
    /// How much of it before the story began.
    pub from: usize,
    /// What the command came to.
    pub end: Fingerprint,
}

/// Where the gate is, inside.
pub(super) const GATE: &str = "/gate";

/// The story with a gate before the processes of the container, where the task is one of them.
pub fn gated(scenario: &Scenario, task: &Task) -> Scenario {
    let mut gated = scenario.clone();
    if !matches!(task, Task::Run(_)) {
        let socket = format!("{GATE}/{}", Container(1));
        gated.world.environment.insert(crate::real::gate::SOCKET.to_owned(), socket);
    }
    gated
}

/// The story without a surprise, up to the end of the task.
pub fn calm(ground: &Ground, scenario: &Scenario, task: &Task) -> Result<Calm, String> {
    let mut stage = Stage::set(ground, scenario, task, &[])?;
    let from = stage.gate.asked().len();
    stage.run_up()?;
    stage.act(None)?;
    stage.watched.holds(stage.when())?;
    let end = stage.watched.fingerprint()?;
    Ok(Calm { asked: stage.gate.asked(), from, end })
}

/// Plays one cell.
pub fn play(
    ground: &Ground,
    scenario: &Scenario,
    cell: &Surprise,
    after: After,
    calm: &Calm,
) -> Ended {
    let set = Stage::set(ground, scenario, &cell.at.task, std::slice::from_ref(cell));
    let played = set.and_then(|mut stage| {
        let played = stage.play(cell, after, calm);
        played.map_err(|what| format!("{what}\n{}", stage.watched.machine.dump()))
    });
    played.unwrap_or_else(Ended::Broken)
}

/// A machine with a gate, booted.
pub(super) struct Stage<'a> {
    pub(super) watched: Watched<'a>,
    gate: Controller,
    /// The command that is named, and where in the story it is; nothing, if the boot itself is.
    run: Option<(usize, &'a Run)>,
}

impl<'a> Stage<'a> {
    pub(super) fn set(
        ground: &Ground,
        scenario: &'a Scenario,
        task: &Task,
        surprises: &[Surprise],
    ) -> Result<Self, String> {
        let door = match task {
            Task::Run(name) => name.clone(),
            _ => Container(1).to_string(),
        };
        let gate = Controller::open(&ground.gate(), &[door], surprises)?;
        let run = match task {
            Task::Run(name) => Some(find(scenario, name).ok_or("no such command in the story")?),
            _ => None,
        };
        let mut machine = ground.machine(&scenario.world)?;
        machine.start(Container(1))?;
        look::wait_for_svscan(&machine, Container(1))?;
        let mut watched = Watched::new(machine, scenario)?;
        watched
            .holds(When::Booted)
            .map_err(|what| format!("before the story: {what}\n{}", watched.machine.dump()))?;
        Ok(Self { watched, gate, run })
    }

    fn when(&self) -> When {
        if self.run.is_some() { When::AtRest } else { When::Booted }
    }

    /// Plays what comes before the command.
    fn run_up(&mut self) -> Result<(), String> {
        let Some((place, _)) = self.run else { return Ok(()) };
        for step in &self.watched.scenario.story[..place] {
            story::together(&mut self.watched.machine, std::slice::from_ref(step))?;
            if !matches!(step, Step::Expect(_) | Step::Settle(_) | Step::Pass(_)) {
                self.watched.meddled()?;
            }
        }
        Ok(())
    }

    /// The command, or the boot. Gives what the command came to.
    fn act(&mut self, cell: Option<&Surprise>) -> Result<Option<Outcome>, String> {
        match self.run {
            Some((_, run)) => self.command(run, cell).map(Some),
            None => boot(&mut self.watched).map(|()| None),
        }
    }

    fn command(&mut self, run: &Run, cell: Option<&Surprise>) -> Result<Outcome, String> {
        let words = run.words();
        let serial = self.watched.begins(&words)?;
        let argv: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut env = self.watched.machine.env();
        env.extend(run.env.clone());
        if let Some(name) = run.name.as_ref().filter(|_| !self.gate_is_spent()) {
            env.insert(crate::real::gate::SOCKET.to_owned(), format!("{GATE}/{name}"));
        }
        let outcome = self.watched.machine.run(run.container, run.user, &env, &argv)?;
        if cell.is_some_and(|cell| matches!(cell.deed, Deed::Fail(_))) && self.gate.befell(0) {
            self.watched.refused(serial);
        }
        self.watched.ended(serial, &outcome)?;
        Ok(outcome)
    }

    /// What was to befall has befallen: whoever comes now is not asked.
    fn gate_is_spent(&self) -> bool {
        self.gate.befell(0)
    }

    fn play(&mut self, cell: &Surprise, after: After, calm: &Calm) -> Result<Ended, String> {
        self.run_up()?;
        let outcome = self.act(Some(cell))?;
        if self.run.is_none() {
            return self.while_it_booted(cell);
        }
        if !self.gate.befell(0) {
            return Ok(Ended::Missed);
        }
        let is_kill = matches!(cell.deed, Deed::Kill | Deed::KillAfter);
        let was_killed = outcome.is_some_and(|it| it.code.is_none());
        if is_kill != was_killed {
            return Err(format!("{}, and killed: {was_killed}", cell.deed));
        }
        match after {
            After::Boot => {
                self.watched.holds(When::AtRest).map_err(|what| format!("at rest: {what}"))?;
                boots_twice(&mut self.watched)?;
            }
            After::Repeat => self.repeated(&calm.end)?,
        }
        Ok(Ended::Held)
    }

    /// What befell a boot is over when it is booted again.
    fn while_it_booted(&mut self, cell: &Surprise) -> Result<Ended, String> {
        self.watched.calms_down()?;
        if !self.gate.befell(0) {
            return Ok(Ended::Missed);
        }
        if matches!(cell.deed, Deed::Fail(_)) {
            self.watched.boot_was_refused()?;
        }
        // PID 1 takes its container with it.
        self.watched.killed();
        self.watched.machine.start(Container(1))?;
        boots_twice(&mut self.watched)?;
        Ok(Ended::Held)
    }

    /// A command that was cut short and repeated ends like one that was not; one that fails again leaves it to the boot.
    fn repeated(&mut self, once: &Fingerprint) -> Result<(), String> {
        let (_, run) = self.run.ok_or("no command to repeat")?;
        self.watched.calms_down()?;
        let outcome = self.command(run, None).map_err(|what| format!("repeated: {what}"))?;
        if outcome.code != Some(0) {
            boot(&mut self.watched)?;
        }
        let said = format!("repeated, it exited {:?}: {}", outcome.code, outcome.err.trim_end());
        self.watched.in_time(|watched| {
            let again = watched.fingerprint()?;
            invariants::check_repeat_converges(once, &again)
                .map_err(|breach| format!("{breach}; {said}"))
        })
    }
}

fn boot(watched: &mut Watched<'_>) -> Result<(), String> {
    watched.killed();
    watched.machine.stop(Container(1), Span::seconds(10).0)?;
    watched.machine.start(Container(1))
}

/// A boot mends all, and another one changes nothing.
pub(super) fn boots_twice(watched: &mut Watched<'_>) -> Result<(), String> {
    boot(watched)?;
    watched.holds(When::Booted).map_err(|what| format!("booted: {what}"))?;
    let once = watched.fingerprint()?;
    boot(watched)?;
    watched.in_time(|watched| match watched.fingerprint()? {
        again if again == once => Ok(()),
        again => Err(format!("L1: a second boot changed it: {again:?}, before {once:?}")),
    })
}

fn find<'a>(scenario: &'a Scenario, name: &str) -> Option<(usize, &'a Run)> {
    scenario.story.iter().enumerate().find_map(|(place, step)| match step {
        Step::Run(run) if run.name.as_deref() == Some(name) => Some((place, run)),
        _ => None,
    })
}
