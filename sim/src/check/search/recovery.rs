//! Crashes inside the recovery: after a cell of the crash matrix the machine boots, or the command is repeated, and there
//! the next crash or errno comes. Then the run is concluded. A command that is repeated in peace must reach its end.
//!
//! Of the first crashes only those count that leave different states; what breaks without a second one is the matrix' to
//! tell. Three crashes in one run are not here.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::crash_matrix::{CrashPoint, faults_at, inject_and_finish};
use super::{Explorer, Finding, Schedule, SearchResult, baseline, settle_check};
use crate::execution::{Execution, Failure, Fault, Transition};
use crate::invariants::{self, Fingerprint};
use crate::machine::world::{ContainerId, ProcessId};
use crate::scenario::{RunStep, Scenario, Step, TaskAddress};

/// What the repeated command is called.
const REPEATED_NAME: &str = "Again";

/// So many second crashes after each first one, if not all can be tried: half of them while the machine boots, half while
/// the command is repeated.
const SECOND_CRASHES_MAX: u64 = 8;

/// A place for a second crash.
type SecondCrashPoint = (Rc<Execution>, Transition);

/// What is known of the first crashes.
#[derive(Debug, Default)]
struct FirstCrashes {
    /// What they left.
    states: BTreeSet<u128>,
    /// How the story goes without one, up to the end of this step.
    fault_free_ends: BTreeMap<usize, Fingerprint>,
    /// So many second ones each, at a boot or a repetition.
    second_crashes_max: u64,
}

impl Explorer {
    /// Tries as many pairs as the budget says.
    pub fn recovery(mut self) -> SearchResult {
        let cells = self.crash_points();
        let at_most = (self.budget.runs / SECOND_CRASHES_MAX).max(1);
        let tried = at_most.min(cells.len() as u64).max(1);
        let seconds = (self.budget.runs / tried / 2).max(1);
        let mut firsts = FirstCrashes { second_crashes_max: seconds, ..FirstCrashes::default() };
        self.visit_crash_points(&cells, at_most, |search, play, cell| {
            search.after_first_crash(play, cell, &mut firsts)
        });
        self.tally
    }

    fn after_first_crash(
        &mut self,
        play: &Execution,
        (at, deed): &CrashPoint,
        firsts: &mut FirstCrashes,
    ) {
        let schedule = Schedule::default().with_fault(*at, deed.clone());
        let mut fork = play.clone();
        if inject_and_finish(&mut fork, deed, &mut |_, _| {}).is_err() {
            return;
        }
        let mut cut = fork.clone();
        cut.skip_remaining_steps();
        if firsts.states.insert(cut.state_hash()) {
            self.crash_during_boot(BootInProgress::after(play), cut, &schedule, firsts);
            if let Some(story) = command(play, deed).map(|run| repeated(play, run)) {
                self.crash_during_repetition(fork, &schedule, &Arc::new(story), firsts);
            }
        }
    }

    fn crash_during_boot(
        &mut self,
        mut boot: BootInProgress,
        mut play: Execution,
        schedule: &Schedule,
        firsts: &FirstCrashes,
    ) {
        let kinds = play.scenario().search.crash_kinds.clone();
        let mut stops = Vec::new();
        let concluded = settle_check::settle_and_check_with(&mut play, &[], &mut |play, next| {
            if let Some(who) = stepping(next).filter(|&who| boot.includes(play, who)) {
                let here = Rc::new(play.clone());
                let deeds = faults_at(play, who, &kinds).into_iter();
                stops.extend(deeds.map(|deed| (Rc::clone(&here), Transition::Inject(who, deed))));
            }
        });
        if concluded.is_ok() {
            self.try_second_crashes(&stops, schedule, firsts);
        }
    }

    fn crash_during_repetition(
        &mut self,
        mut play: Execution,
        schedule: &Schedule,
        story: &Arc<Scenario>,
        firsts: &mut FirstCrashes,
    ) {
        // The story ends with the repetition, right after the step that was cut short.
        let place = story.steps.len() - 2;
        play.replace_scenario(story);
        let found = self.tally.findings.len();
        let kinds = story.search.crash_kinds.clone();
        let again = TaskAddress::Run(REPEATED_NAME.to_owned());
        let mut stops = Vec::new();
        let walked = baseline::run_baseline(&mut play, &mut |play, next| {
            let Some(who) = stepping(next) else { return };
            if play.task_address(who).as_ref() == Some(&again) {
                let here = Rc::new(play.clone());
                let deeds = faults_at(play, who, &kinds).into_iter();
                stops.extend(deeds.map(|deed| (Rc::clone(&here), Transition::Inject(who, deed))));
            }
        });
        self.tally.runs += 1;
        let ended = walked.and_then(|()| run_repeated_to_end(&mut play)).and_then(|()| {
            let once =
                firsts.fault_free_ends.entry(place).or_insert_with(|| self.fault_free_end(place));
            Ok(invariants::check_repeat_converges(
                once,
                &invariants::fingerprint(&play.machine.world),
            )?)
        });
        self.tally.mix(play.digest);
        match ended {
            Ok(()) => self.try_second_crashes(&stops, schedule, firsts),
            Err(failure) => self.record_failure(schedule, failure, false),
        }
        for Finding { changed_scenario: repeated, .. } in &mut self.tally.findings[found..] {
            *repeated = Some(Arc::clone(story));
        }
    }

    /// What the story comes to up to the end of this step, if nothing befalls.
    fn fault_free_end(&self, place: usize) -> Fingerprint {
        let mut play = self.initial.clone();
        // That the calm run holds was seen when its cells were counted.
        while play.step_index() <= place {
            let Some(next) = play.baseline_transition() else { break };
            if play.step(&next).is_err() {
                break;
            }
        }
        play.skip_remaining_steps();
        // What breaks here breaks the matrix' conclusions, too.
        let _ = settle_check::settle_without_faults(&mut play);
        invariants::fingerprint(&play.machine.world)
    }

    fn try_second_crashes(
        &mut self,
        stops: &[SecondCrashPoint],
        schedule: &Schedule,
        firsts: &FirstCrashes,
    ) {
        let shift = firsts.states.len() as u64;
        for (play, deed) in self.evenly_spread(stops, firsts.second_crashes_max, shift) {
            self.try_fault(play, schedule, deed);
        }
    }
}

/// A repeated command that failed says so, and leaves the rest to the next boot.
fn run_repeated_to_end(play: &mut Execution) -> Result<(), Failure> {
    settle_check::settle_without_faults(play)?;
    let has_failed = play.commands().any(|it| it.name == REPEATED_NAME && it.exit != Some(0));
    if has_failed {
        play.restart_containers();
        settle_check::settle_without_faults(play)?;
    }
    Ok(())
}

/// Whose step it is.
fn stepping(next: &Transition) -> Option<ProcessId> {
    match next {
        Transition::Process(who) => Some(*who),
        _ => None,
    }
}

/// The command that somebody repeats: its own process was killed, or failed.
fn command<'a>(play: &'a Execution, deed: &Transition) -> Option<&'a RunStep> {
    let Transition::Inject(who, Fault::Kill | Fault::FailEffect(_) | Fault::FailEffectForGood(_)) =
        deed
    else {
        return None;
    };
    let Some(TaskAddress::Run(name)) = play.task_address(*who) else { return None };
    play.scenario().run_steps().find(|run| run.name.as_ref() == Some(&name))
}

/// The story up to the present, and the command once more.
fn repeated(play: &Execution, run: &RunStep) -> Scenario {
    let mut story = play.scenario().clone();
    story.steps.truncate(play.step_index() + 1);
    let name = Some(REPEATED_NAME.to_owned());
    story.steps.push(Step::Run(RunStep { name, expect: Default::default(), ..run.clone() }));
    story
}

/// The boot that mends: of each container the first one that begins after the crash.
#[derive(Debug)]
struct BootInProgress {
    /// Who lived before.
    before: BTreeSet<u64>,
    namespaces: BTreeMap<ContainerId, u64>,
}

impl BootInProgress {
    fn after(play: &Execution) -> Self {
        let everybody = play.machine.world.processes();
        let before = everybody.map(|(_, process)| process.serial).collect();
        Self { before, namespaces: BTreeMap::new() }
    }

    /// Is this process of it?
    fn includes(&mut self, play: &Execution, who: ProcessId) -> bool {
        let world = &play.machine.world;
        let is_boot =
            matches!(play.task_address(who), Some(TaskAddress::Init(_) | TaskAddress::Tree(_)));
        let serial = world.process(who).map_or(0, |process| process.serial);
        if !is_boot || self.before.contains(&serial) {
            return false;
        }
        let namespace = world.container(who.container).namespace;
        *self.namespaces.entry(who.container).or_insert(namespace) == namespace
    }
}
