//! The crash matrix: before each effect of the named tasks each kind of crash, and each errno, once and for good. Then
//! the run is concluded. "After an effect" is before the next one, and before the exit. A second crash is not here.

use super::{Explorer, Schedule, SearchResult, baseline, effect_faults, settle_check};
use crate::execution::{Execution, Failure, Fault, Transition};
use crate::machine::image;
use crate::machine::world::ProcessId;
use crate::replay::Request;
use crate::scenario::{CrashKind, TaskAddress};

/// So many ways to lose power are tried at one place.
const POWER_CUTS_MAX: usize = 6;

/// Where something befalls: at so many moves, this.
pub(super) type CrashPoint = (u64, Transition);

impl Explorer {
    /// Tries every cell.
    pub fn crash_matrix(mut self) -> SearchResult {
        let cells = self.crash_points();
        self.visit_crash_points(&cells, self.budget.runs, Self::try_crash_point);
        self.tally
    }

    /// Every cell of the calm run.
    pub(super) fn crash_points(&mut self) -> Vec<CrashPoint> {
        let tasks = self.initial.scenario().search.crash_matrix.clone();
        let kinds = self.initial.scenario().search.crash_kinds.clone();
        let mut cells = Vec::new();
        let mut play = self.initial.clone();
        let walked = baseline::run_baseline(&mut play, &mut |play, next| {
            let Transition::Process(who) = next else { return };
            if is_named(play, *who, &tasks) {
                let deeds = faults_at(play, *who, &kinds).into_iter();
                cells.extend(
                    deeds.map(|deed| (play.transition_count, Transition::Inject(*who, deed))),
                );
            }
        });
        if let Err(failure) = walked {
            self.record_failure(&Schedule::default(), failure, false);
            return Vec::new();
        }
        self.record_missed_expectation(&Schedule::default(), &play);
        cells
    }

    /// Walks the calm path once more, and stops where a cell is, at no more than so many of them.
    pub(super) fn visit_crash_points(
        &mut self,
        cells: &[CrashPoint],
        at_most: u64,
        mut stop: impl FnMut(&mut Self, &Execution, &CrashPoint),
    ) {
        let mut chosen = self.evenly_spread(cells, at_most, 0).peekable();
        let mut play = self.initial.clone();
        while chosen.peek().is_some() {
            while let Some(cell) = chosen.next_if(|(at, _)| *at == play.transition_count) {
                stop(self, &play, cell);
            }
            let Some(next) = play.baseline_transition() else { break };
            if play.step(&next).is_err() {
                break;
            }
        }
    }

    /// So many of these, spread evenly; which ones, the seed says, and `shift`.
    pub(super) fn evenly_spread<'a, T>(
        &mut self,
        all: &'a [T],
        at_most: u64,
        shift: u64,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let stride = (all.len() as u64).div_ceil(at_most.max(1)).max(1);
        self.tally.is_complete &= stride == 1;
        let offset = usize::try_from((self.budget.seed + shift) % stride).unwrap_or_default();
        all.iter().skip(offset).step_by(usize::try_from(stride).unwrap_or(usize::MAX))
    }

    fn try_crash_point(&mut self, play: &Execution, (_, deed): &CrashPoint) {
        self.try_fault(play, &Schedule::default(), deed);
    }

    /// Has it befall a copy, and concludes that.
    pub(super) fn try_fault(&mut self, play: &Execution, schedule: &Schedule, deed: &Transition) {
        let schedule = schedule.with_fault(play.transition_count, deed.clone());
        let mut fork = play.clone();
        let effects = fork.effect_count;
        self.tally.transitions += 1;
        if let Err(failure) = inject_and_finish(&mut fork, deed, &mut |_, _| {}) {
            self.tally.runs += 1;
            self.record_failure(&schedule, failure, false);
            return;
        }
        self.tally.effects += fork.effect_count - effects;
        self.settle_and_check(fork, &schedule);
    }
}

/// Plays the cells of a schedule. After the first one the story goes on or is cut off; after the last it is cut off, and
/// the run is concluded. Those that the story does not come to befall while it is concluded.
pub(crate) fn replay_schedule(
    play: &mut Execution,
    schedule: &Schedule,
    goes_on: AfterFirstCrash,
    see: &mut dyn FnMut(&Execution, &Transition),
) -> Result<(), Failure> {
    let mut cells = &schedule.0[..];
    let mut is_cut = cells.is_empty() || goes_on == AfterFirstCrash::CutOff;
    loop {
        let due = cells.first().map_or(u64::MAX, |(at, _)| *at);
        while play.transition_count != due
            && !play.is_finished()
            && play.transition_count < baseline::TRANSITIONS_MAX
        {
            let Some(next) = play.baseline_transition() else { break };
            see(play, &next);
            play.step(&next)?;
        }
        let Some(((_, deed), later)) = cells.split_first().filter(|_| play.transition_count == due)
        else {
            return settle_check::settle_and_check_with(play, cells, see);
        };
        inject_and_finish(play, deed, see)?;
        if is_cut {
            play.skip_remaining_steps();
        }
        (cells, is_cut) = (later, true);
    }
}

/// Does the story go on after the first crash?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterFirstCrash {
    Continue,
    CutOff,
}

/// It befalls. A task that was refused something goes on to its end: that is part of the cell. `see` is told of each move
/// before it is taken.
pub(super) fn inject_and_finish(
    play: &mut Execution,
    deed: &Transition,
    see: &mut dyn FnMut(&Execution, &Transition),
) -> Result<(), Failure> {
    see(play, deed);
    play.step(deed)?;
    let Transition::Inject(who, Fault::FailEffect(_) | Fault::FailEffectForGood(_)) = deed else {
        return Ok(());
    };
    let serial = play.machine.world.process(*who).map(|process| process.serial);
    for _ in 0..20_000 {
        let same = play.machine.world.process(*who).map(|process| process.serial) == serial;
        if !same || play.is_finished() {
            break;
        }
        let Some(next) = play.baseline_transition() else { break };
        see(play, &next);
        play.step(&next)?;
    }
    Ok(())
}

fn is_named(play: &Execution, who: ProcessId, tasks: &[TaskAddress]) -> bool {
    play.task_address(who).is_some_and(|task| tasks.contains(&task))
}

/// What can befall a task at what it is about to do.
pub(super) fn faults_at(play: &Execution, who: ProcessId, kinds: &[CrashKind]) -> Vec<Fault> {
    let effect = match play.machine.request(who) {
        Some(Request::Effect(effect)) if !effect_faults::is_invisible_to_crash(effect) => {
            Some(effect)
        }
        Some(Request::Exit(_)) => None,
        _ => return Vec::new(),
    };
    let mut deeds = Vec::new();
    for kind in kinds {
        match kind {
            CrashKind::Kill => deeds.push(Fault::Kill),
            CrashKind::Container => deeds.push(Fault::ContainerKill),
            CrashKind::Power => {
                let cuts = play.machine.world.disk.cut_count_up_to(image::VOLUME, POWER_CUTS_MAX);
                deeds.extend((0..cuts).map(Fault::PowerCut));
            }
            CrashKind::Errno => {
                let errnos = effect.map(effect_faults::errnos).unwrap_or_default();
                deeds.extend(errnos.iter().map(|&errno| Fault::FailEffect(errno)));
                deeds.extend(errnos.iter().map(|&errno| Fault::FailEffectForGood(errno)));
            }
        }
    }
    deeds
}
