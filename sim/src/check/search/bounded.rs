//! The bounded search: at most a few deviations from the baseline, anywhere: a preemption, an early step, a jump of time,
//! a fault or a crash. It resembles delay-bounded scheduling (Emmi, Qadeer and Rakamarić 2011, "Delay-bounded
//! scheduling"): the baseline is the deterministic scheduler, and each deviation is a delay. Schedules with fewer deviations come first, so that the first failure is a small one.
//!
//! Leaves out power cuts, errors that persist, and preemptions and faults before effects that are invisible to a crash. If the budget
//! is smaller than the number of schedules, an evenly spread sample is run, and the search is not complete.

use super::{Explorer, Schedule, SearchResult, baseline, crash_matrix, effect_faults};
use crate::execution::{Execution, Fault, Transition};
use crate::scenario::CrashKind;

impl Explorer {
    /// Runs the search.
    pub fn bounded(mut self) -> SearchResult {
        let mut level = vec![Schedule::default()];
        for _ in 0..self.budget.faults_max {
            let mut next_level = Vec::new();
            for schedule in &level {
                if self.is_budget_spent() {
                    return self.tally;
                }
                next_level.extend(self.extensions(schedule));
            }
            self.sample(&mut next_level);
            for schedule in &next_level {
                self.run(schedule);
            }
            level = next_level;
        }
        self.tally
    }

    /// All schedules with one more deviation, after the last of this one.
    fn extensions(&mut self, schedule: &Schedule) -> Vec<Schedule> {
        let mut extensions = Vec::new();
        let last = schedule.0.last().map(|(at, _)| *at);
        let mut execution = self.initial.clone();
        let mut observe = |execution: &Execution, next: &Transition| {
            if last.is_none_or(|last| execution.transition_count > last) {
                let others = alternatives(execution, next).into_iter();
                extensions.extend(
                    others.map(|other| schedule.with_fault(execution.transition_count, other)),
                );
            }
        };
        // The failure of a schedule was recorded when it was run.
        let _ = match schedule.0.is_empty() {
            true => baseline::run_baseline(&mut execution, &mut observe),
            false => schedule.run(&mut execution, false, &mut observe),
        };
        extensions
    }

    /// Keeps as many schedules as the budget has runs for, spread evenly.
    fn sample(&mut self, schedules: &mut Vec<Schedule>) {
        let left = self.budget.runs.saturating_sub(self.tally.runs).max(1);
        let stride = (schedules.len() as u64).div_ceil(left).max(1);
        if stride > 1 {
            self.tally.is_complete = false;
            let offset = self.budget.seed % stride;
            let mut index = 0;
            schedules.retain(|_| {
                index += 1;
                (index - 1) % stride == offset
            });
        }
    }

    fn run(&mut self, schedule: &Schedule) {
        let mut execution = self.initial.clone();
        match schedule.run(&mut execution, false, &mut |_, _| {}) {
            Err(failure) => {
                self.tally.runs += 1;
                self.record_failure(schedule, failure, false);
            }
            Ok(()) => {
                self.tally.effects += execution.effect_count;
                self.tally.transitions += execution.transition_count;
                self.settle_and_check(execution, schedule);
            }
        }
    }
}

/// The transitions that could come instead of this one.
fn alternatives(execution: &Execution, next: &Transition) -> Vec<Transition> {
    let mut others: Vec<Transition> = match next {
        Transition::Process(who)
            if execution.next_effect(*who).is_some_and(effect_faults::is_invisible_to_crash) =>
        {
            Vec::new()
        }
        _ => execution.enabled_transitions().into_iter().filter(|other| other != next).collect(),
    };
    if *next != Transition::AdvanceTime && execution.machine.next_wake().is_some() {
        others.push(Transition::AdvanceTime);
    }
    if let Transition::Process(who) = next {
        let kinds = [CrashKind::Kill, CrashKind::Container, CrashKind::Errno];
        let mut faults = crash_matrix::faults_at(execution, *who, &kinds);
        faults.retain(|fault| !matches!(fault, Fault::FailEffectForGood(_)));
        others.extend(faults.into_iter().map(|fault| Transition::Inject(*who, fault)));
    }
    others
}
