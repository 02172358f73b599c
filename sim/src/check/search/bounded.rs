//! At most so many surprises, anywhere: somebody else goes on, the story goes on early, time jumps, a fault, a crash.
//! Fewer come first, so that the first failure is a small one.

use super::{Explorer, Schedule, SearchResult, baseline, crash_matrix, effect_faults};
use crate::execution::{Execution, Fault, Transition};
use crate::scenario::CrashKind;

impl Explorer {
    /// Tries them.
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

    /// All schedules with one more surprise, after the last of this one.
    fn extensions(&mut self, schedule: &Schedule) -> Vec<Schedule> {
        let mut longer = Vec::new();
        let last = schedule.0.last().map(|(at, _)| *at);
        let mut play = self.initial.clone();
        let mut see = |play: &Execution, next: &Transition| {
            if last.is_none_or(|last| play.transition_count > last) {
                let others = alternatives(play, next).into_iter();
                longer
                    .extend(others.map(|other| schedule.with_fault(play.transition_count, other)));
            }
        };
        // A schedule that fails was noted when it was run.
        let _ = match schedule.0.is_empty() {
            true => baseline::run_baseline(&mut play, &mut see),
            false => schedule.run(&mut play, false, &mut see),
        };
        longer
    }

    /// As many as the budget has runs for, spread evenly.
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
        let mut play = self.initial.clone();
        match schedule.run(&mut play, false, &mut |_, _| {}) {
            Err(failure) => {
                self.tally.runs += 1;
                self.record_failure(schedule, failure, false);
            }
            Ok(()) => {
                self.tally.effects += play.effect_count;
                self.tally.transitions += play.transition_count;
                self.settle_and_check(play, schedule);
            }
        }
    }
}

/// What could come instead.
fn alternatives(play: &Execution, next: &Transition) -> Vec<Transition> {
    let mut others: Vec<Transition> = match next {
        Transition::Process(who)
            if play.next_effect(*who).is_some_and(effect_faults::is_invisible_to_crash) =>
        {
            Vec::new()
        }
        _ => play.enabled_transitions().into_iter().filter(|other| other != next).collect(),
    };
    if *next != Transition::AdvanceTime && play.machine.next_wake().is_some() {
        others.push(Transition::AdvanceTime);
    }
    if let Transition::Process(who) = next {
        let kinds = [CrashKind::Kill, CrashKind::Container, CrashKind::Errno];
        let mut deeds = crash_matrix::faults_at(play, *who, &kinds);
        deeds.retain(|deed| !matches!(deed, Fault::FailEffectForGood(_)));
        others.extend(deeds.into_iter().map(|deed| Transition::Inject(*who, deed)));
    }
    others
}
