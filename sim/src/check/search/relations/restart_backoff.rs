//! L5: the times at which a supervisor alone started each gateway, and the recovery of a gateway once the cause of its
//! failures is gone.

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
use crate::scenario::{Invariant, ProfileName, Scenario, Span, Step};

/// The longest time between two starts, unless the profile's configuration says otherwise.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// A profile in one run of a container.
type ProfileRun = (ContainerId, u64, Profile);

/// The starts of gateways since the last interference.
#[derive(Debug, Default)]
pub(super) struct StartTimes {
    counted: Arc<BTreeMap<ProfileRun, u8>>,
    moments: BTreeMap<ProfileRun, Vec<Duration>>,
}

impl StartTimes {
    /// Records the gateways that were started since the last call.
    pub(super) fn record_starts(&mut self, machine: &Machine) {
        if Arc::ptr_eq(&self.counted, &machine.gateway_starts) {
            return;
        }
        for (run, count) in machine.gateway_starts.iter() {
            if self.counted.get(run) != Some(count) {
                self.moments.entry(run.clone()).or_default().push(machine.world.clock.boot);
            }
        }
        self.counted = Arc::clone(&machine.gateway_starts);
    }

    /// Checks the starts until now, and forgets them: after an interference the back-off begins anew.
    pub(super) fn check_backoff(&mut self) -> Vec<Result<(), Violation>> {
        let moments = std::mem::take(&mut self.moments);
        let series =
            moments.values().flat_map(|all| consecutive_failures(all)).filter(|all| all.len() > 2);
        series.map(|all| check_backoff(all, BACKOFF_MAX)).collect()
    }
}

/// A gateway that ran for long did not fail in between.
fn consecutive_failures(moments: &[Duration]) -> impl Iterator<Item = &[Duration]> {
    moments.chunk_by(|one, next| next.saturating_sub(*one) <= 2 * BACKOFF_MAX)
}

impl Explorer {
    /// The scenario with a healthy program in place of the failing one at the end: the gateway must come back.
    pub(super) fn check_recovery_without_cause(&mut self, scenario: &Arc<Scenario>) {
        for (profile, program) in failing_profiles(scenario) {
            let mut repaired = Scenario::clone(scenario);
            repaired.steps.push(Step::Write(WriteStep { write: program, file: healthy_program() }));
            repaired.steps.push(Step::Pass(PassStep { pass: Span(3 * BACKOFF_MAX) }));
            if let Some(execution) = self.run_to_rest(repaired) {
                let result = check_recovers(&execution.machine.world, &profile);
                self.record_comparison(Invariant::L5, result, &Schedule::default());
            }
        }
    }
}

/// Profiles whose program ends by itself, and the program's path.
fn failing_profiles(scenario: &Scenario) -> Vec<(Profile, String)> {
    let mut failing = Vec::new();
    for (ProfileName(profile), spec) in &scenario.world.profiles {
        let config = spec.config.as_deref().unwrap_or_default();
        let named = scenario.world.programs.iter().find(|(path, lines)| {
            let ends = |line: &BehaviourSpec| {
                line.on.is_none() && matches!(line.act, ActionSpec::Exit(code) if code != 78)
            };
            config.contains(&format!("\"{path}\"")) && lines.iter().any(ends)
        });
        // A gateway with a limit of failures gives up permanently.
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
