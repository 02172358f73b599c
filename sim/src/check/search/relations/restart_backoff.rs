//! L5: when each gateway was started, as long as nobody but its supervisor had a hand in it; and what becomes of one whose
//! cause of failing is gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hermes::name::Profile;

use super::super::{Explorer, Schedule};
use crate::invariants::{Violation, check_backoff, check_recovers};
use crate::machine::Machine;
use crate::machine::world::ContainerId;
use crate::scenario::step::{PassStep, WriteStep};
use crate::scenario::values::{SignalName, User};
use crate::scenario::world::{ActionSpec, BehaviourSpec, FileContent, FileSpec};
use crate::scenario::{ProfileName, Scenario, Span, Step};

/// What a profile waits at most between two tries, unless it says otherwise.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// A life in one container's start.
type ProfileLife = (ContainerId, u64, Profile);

/// The starts of gateways since anybody interfered.
#[derive(Debug, Default)]
pub(super) struct StartTimes {
    counted: Arc<BTreeMap<ProfileLife, u8>>,
    moments: BTreeMap<ProfileLife, Vec<Duration>>,
}

impl StartTimes {
    /// Notes who was started since the last look.
    pub(super) fn record_starts(&mut self, machine: &Machine) {
        if Arc::ptr_eq(&self.counted, &machine.gateway_starts) {
            return;
        }
        for (life, count) in machine.gateway_starts.iter() {
            if self.counted.get(life) != Some(count) {
                self.moments.entry(life.clone()).or_default().push(machine.world.clock.boot);
            }
        }
        self.counted = Arc::clone(&machine.gateway_starts);
    }

    /// Somebody interferes: what was until now is judged, and all begins anew.
    pub(super) fn check_backoff(&mut self) -> Vec<Result<(), Violation>> {
        let moments = std::mem::take(&mut self.moments);
        let series =
            moments.values().flat_map(|all| consecutive_failures(all)).filter(|all| all.len() > 2);
        series.map(|all| check_backoff(all, BACKOFF_MAX)).collect()
    }
}

/// Whoever ran for long had no failure in between.
fn consecutive_failures(moments: &[Duration]) -> impl Iterator<Item = &[Duration]> {
    moments.chunk_by(|one, next| next.saturating_sub(*one) <= 2 * BACKOFF_MAX)
}

impl Explorer {
    /// The story with a sound program in place of the failing one in the end: the gateway comes back.
    pub(super) fn check_recovery_without_cause(&mut self, story: &Arc<Scenario>) {
        for (profile, program) in failing_profiles(story) {
            let mut told = Scenario::clone(story);
            told.steps.push(Step::Write(WriteStep { write: program, file: healthy_program() }));
            told.steps.push(Step::Pass(PassStep { pass: Span(3 * BACKOFF_MAX) }));
            if let Some(play) = self.run_to_rest(told) {
                let held = check_recovers(&play.machine.world, &profile);
                self.record_comparison("L5", held, &Schedule::default());
            }
        }
    }
}

/// Profiles whose program ends by itself, and where it is.
fn failing_profiles(story: &Scenario) -> Vec<(Profile, String)> {
    let mut failing = Vec::new();
    for (ProfileName(profile), told) in &story.world.profiles {
        let config = told.config.as_deref().unwrap_or_default();
        let named = story.world.programs.iter().find(|(path, lines)| {
            let ends = |line: &BehaviourSpec| {
                line.on.is_none() && matches!(line.act, ActionSpec::Exit(code) if code != 78)
            };
            config.contains(&format!("\"{path}\"")) && lines.iter().any(ends)
        });
        // One that gives up does so for good.
        if let Some((path, _)) = named.filter(|_| !config.contains("failures_max")) {
            failing.push((profile.clone(), path.clone()));
        }
    }
    failing
}

/// A program that runs until it is told to end.
fn healthy_program() -> FileSpec {
    let line = BehaviourSpec {
        on: Some(SignalName::Term),
        after: Span(Duration::ZERO),
        act: ActionSpec::Exit(0),
    };
    FileSpec { content: FileContent::Program(vec![line]), owner: User::default(), mode: None }
}
