//! The crash matrix: a row for each effect of the named tasks in the baseline, a column for each kind of crash and for each
//! errno, once and at all later effects of its kind. Each cell is a crash point: the baseline up to the effect, the fault
//! before it, then the settle check. The crash after an effect is the crash before the next one, or before the exit.
//!
//! The method is that of crash testing by enumeration (Mohan et al. 2018, "Finding crash-consistency bugs with bounded
//! black-box crash testing"): all crash points of one execution, instead of random ones.
//!
//! Leaves out: crashes in executions other than the baseline, a second crash (`recovery` has it), crashes before effects
//! that no crash can tell apart (`effect_faults::is_invisible_to_crash`), and all but a few outcomes of a power cut.

use super::{Explorer, Schedule, SearchResult, baseline, effect_faults, settle_check};
use crate::execution::{Execution, Failure, Fault, Transition};
use crate::machine::image;
use crate::machine::world::ProcessId;
use crate::replay::Request;
use crate::scenario::{CrashKind, TaskAddress};

/// How many outcomes of a power cut are tried at one effect, at most.
const POWER_CUTS_MAX: usize = 6;

/// A fault, and the number of transitions before it.
pub(super) type CrashPoint = (u64, Transition);

impl Explorer {
    /// Tries every crash point.
    pub fn crash_matrix(mut self) -> SearchResult {
        let crash_points = self.crash_points();
        self.visit_crash_points(&crash_points, self.budget.runs, Self::try_crash_point);
        self.tally
    }

    /// Every crash point of the baseline.
    pub(super) fn crash_points(&mut self) -> Vec<CrashPoint> {
        let tasks = self.initial.scenario().search.crash_matrix.clone();
        let kinds = self.initial.scenario().search.crash_kinds.clone();
        let mut crash_points = Vec::new();
        let mut execution = self.initial.clone();
        let walked = baseline::run_baseline(&mut execution, &mut |execution, next| {
            let Transition::Process(who) = next else { return };
            if is_named(execution, *who, &tasks) {
                let faults = faults_at(execution, *who, &kinds).into_iter();
                crash_points
                    .extend(faults.map(|fault| {
                        (execution.transition_count, Transition::Inject(*who, fault))
                    }));
            }
        });
        if let Err(failure) = walked {
            self.record_failure(&Schedule::default(), failure, false);
            return Vec::new();
        }
        self.record_missed_expectation(&Schedule::default(), &execution);
        crash_points
    }

    /// Runs the baseline once more, and calls `visit` at crash points, at most at this number of them.
    pub(super) fn visit_crash_points(
        &mut self,
        crash_points: &[CrashPoint],
        count_max: u64,
        mut visit: impl FnMut(&mut Self, &Execution, &CrashPoint),
    ) {
        let mut chosen = self.evenly_spread(crash_points, count_max, 0).peekable();
        let mut execution = self.initial.clone();
        while chosen.peek().is_some() {
            while let Some(crash_point) =
                chosen.next_if(|(at, _)| *at == execution.transition_count)
            {
                visit(self, &execution, crash_point);
            }
            let Some(next) = execution.baseline_transition() else { break };
            if execution.step(&next).is_err() {
                break;
            }
        }
    }

    /// At most this number of items, spread evenly. The seed and `shift` choose which ones.
    pub(super) fn evenly_spread<'a, T>(
        &mut self,
        all: &'a [T],
        count_max: u64,
        shift: u64,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let stride = (all.len() as u64).div_ceil(count_max.max(1)).max(1);
        self.tally.is_complete &= stride == 1;
        let offset = usize::try_from((self.budget.seed + shift) % stride).unwrap_or_default();
        all.iter().skip(offset).step_by(usize::try_from(stride).unwrap_or(usize::MAX))
    }

    fn try_crash_point(&mut self, execution: &Execution, (_, fault): &CrashPoint) {
        self.try_fault(execution, &Schedule::default(), fault);
    }

    /// Injects a fault into a copy, and settles and checks it.
    pub(super) fn try_fault(
        &mut self,
        execution: &Execution,
        schedule: &Schedule,
        fault: &Transition,
    ) {
        let schedule = schedule.with_fault(execution.transition_count, fault.clone());
        let mut branch = execution.clone();
        let effects = branch.effect_count;
        self.tally.transitions += 1;
        if let Err(failure) = inject_and_finish(&mut branch, fault, &mut |_, _| {}) {
            self.tally.runs += 1;
            self.record_failure(&schedule, failure, false);
            return;
        }
        self.tally.effects += branch.effect_count - effects;
        self.settle_and_check(branch, &schedule);
    }
}

/// Executes the crash points of a schedule. After the first one the steps go on or are skipped; after the last they are
/// skipped, and the run is settled and checked. Crash points after the last step are injected during the settle check.
pub(crate) fn replay_schedule(
    execution: &mut Execution,
    schedule: &Schedule,
    after_first: AfterFirstCrash,
    observe: &mut dyn FnMut(&Execution, &Transition),
) -> Result<(), Failure> {
    let mut crash_points = &schedule.0[..];
    let mut is_cut = crash_points.is_empty() || after_first == AfterFirstCrash::CutOff;
    loop {
        let due = crash_points.first().map_or(u64::MAX, |(at, _)| *at);
        while execution.transition_count != due
            && !execution.is_finished()
            && execution.transition_count < baseline::TRANSITIONS_MAX
        {
            let Some(next) = execution.baseline_transition() else { break };
            observe(execution, &next);
            execution.step(&next)?;
        }
        let Some(((_, fault), later)) =
            crash_points.split_first().filter(|_| execution.transition_count == due)
        else {
            return settle_check::settle_and_check_with(execution, crash_points, observe);
        };
        inject_and_finish(execution, fault, observe)?;
        if is_cut {
            execution.skip_remaining_steps();
        }
        (crash_points, is_cut) = (later, true);
    }
}

/// Do the steps go on after the first crash?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterFirstCrash {
    Continue,
    CutOff,
}

/// Injects a fault. A task whose effect failed goes on to its end: that is part of the crash point. `observe` gets each
/// transition before it is taken.
pub(super) fn inject_and_finish(
    execution: &mut Execution,
    fault: &Transition,
    observe: &mut dyn FnMut(&Execution, &Transition),
) -> Result<(), Failure> {
    observe(execution, fault);
    execution.step(fault)?;
    let Transition::Inject(who, Fault::FailEffect(_) | Fault::FailEffectForGood(_)) = fault else {
        return Ok(());
    };
    let serial = execution.machine.world.process(*who).map(|process| process.serial);
    for _ in 0..20_000 {
        let is_same = execution.machine.world.process(*who).map(|process| process.serial) == serial;
        if !is_same || execution.is_finished() {
            break;
        }
        let Some(next) = execution.baseline_transition() else { break };
        observe(execution, &next);
        execution.step(&next)?;
    }
    Ok(())
}

fn is_named(execution: &Execution, who: ProcessId, tasks: &[TaskAddress]) -> bool {
    execution.task_address(who).is_some_and(|task| tasks.contains(&task))
}

/// The faults that are possible at the next effect of a task.
pub(super) fn faults_at(execution: &Execution, who: ProcessId, kinds: &[CrashKind]) -> Vec<Fault> {
    let effect = match execution.machine.request(who) {
        Some(Request::Effect(effect)) if !effect_faults::is_invisible_to_crash(effect) => {
            Some(effect)
        }
        Some(Request::Exit(_)) => None,
        _ => return Vec::new(),
    };
    let mut faults = Vec::new();
    for kind in kinds {
        match kind {
            CrashKind::Kill => faults.push(Fault::Kill),
            CrashKind::Container => faults.push(Fault::ContainerKill),
            CrashKind::Power => {
                let cuts =
                    execution.machine.world.disk.cut_count_up_to(image::VOLUME, POWER_CUTS_MAX);
                faults.extend((0..cuts).map(Fault::PowerCut));
            }
            CrashKind::Errno => {
                let errnos = effect.map(effect_faults::errnos).unwrap_or_default();
                faults.extend(errnos.iter().map(|&errno| Fault::FailEffect(errno)));
                faults.extend(errnos.iter().map(|&errno| Fault::FailEffectForGood(errno)));
            }
        }
    }
    faults
}
