//! Compares the fake s6 with the real ones, in lockstep: the same sequence of operations on both, and after each step the
//! same answers and, once both are at rest, the same world.
//!
//! ```text
//!   sequence   operations as data (fixtures/conformance), or made by `random` from a seed
//!      │
//!      ├─► fake   the simulated s6-svscan as PID 1, in each turn order that is tried ──────┐
//!      └─► real   the s6-svscan of a Debian release as PID 1 of its own PID namespace ─────┴─► view: equal, or a difference
//! ```
//!
//! The fake allows a set of answers; the answer of the real one must be among them. Compared: exit codes, output of tools,
//! errnos, names with kinds, modes and owners, status records without their time stamps, deaths, and processes. Not
//! compared: output of s6-svscan and s6-supervise, events, time stamps, and everything that depends on the order in which
//! a directory is read.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "one side of the comparison is a real machine: files, processes and clocks are its subject"
)]

mod fake;
pub mod random;
mod real;
pub mod sequence;
mod view;

use std::time::Duration;

use crate::real::{MachinePaths, version_name, wait};
use crate::scenario::world::S6Spec;
use fake::FakeS6;
use real::RealS6;
use sequence::{Sequence, SequenceStep};
use view::ActOutcome;

/// Time for the fake to come to rest, by the simulated clock.
const REST: Duration = Duration::from_secs(4);

/// Time for the real world to become equal to the fake's; a loaded machine is slow, not wrong.
const PATIENCE: Duration = Duration::from_secs(12);

/// The worlds must still be equal after this time: anything that was still to happen has happened by then.
const CONFIRM: Duration = Duration::from_millis(200);

/// Counts of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConformanceCount {
    /// Operations whose answers and worlds were compared.
    pub steps: usize,
}

/// Runs a sequence on both. `Err` is the first difference.
pub fn run_sequence(
    parts: &MachinePaths,
    version: S6Spec,
    sequence: &Sequence,
) -> Result<ConformanceCount, String> {
    let mut allowed = FakeS6::all(version);
    let mut real = RealS6::new(parts, version)?;
    let mut count = ConformanceCount::default();
    for (index, step) in sequence.steps.iter().enumerate() {
        count.steps += step.acts().len();
        let place =
            format!("{} on s6 {}, step {}", sequence.name, version_name(version), index + 1);
        compare_step(&mut allowed, &mut real, step)
            .map_err(|difference| format!("{place}, {}: {difference}", step.to_json()))?;
    }
    Ok(count)
}

/// Runs one step on both; fakes whose answers differ from the real ones are dropped.
fn compare_step(
    allowed: &mut Vec<FakeS6>,
    real: &mut RealS6,
    step: &SequenceStep,
) -> Result<(), String> {
    let acts = step.acts();
    let branches: Vec<(FakeS6, Vec<ActOutcome>)> =
        std::mem::take(allowed).iter().flat_map(|fake| fake.branches(acts)).collect();
    let mut real_answers = Vec::new();
    for act in acts {
        real_answers.push(real.act(act)?);
    }
    if !branches.iter().any(|(_, answers)| *answers == real_answers) {
        let mut answers: Vec<_> = branches.into_iter().map(|(_, answers)| answers).collect();
        answers.dedup();
        return Err(format!("answers\n  real: {real_answers:?}\n  fake: {answers:?}"));
    }
    let same = branches.into_iter().filter(|(_, answers)| *answers == real_answers);
    allowed.extend(same.map(|(fake, _)| fake));
    allowed.iter_mut().for_each(|fake| fake.run_for(REST));
    fake::drop_duplicates(allowed);
    await_allowed_world(allowed, real)
}

/// Waits until the real world is one that the fake allows, and stays so.
fn await_allowed_world(allowed: &mut Vec<FakeS6>, real: &mut RealS6) -> Result<(), String> {
    let views: Vec<_> = allowed.iter().map(FakeS6::view).collect();
    let mut compare = || {
        let now = real.view();
        if views.contains(&now) {
            return Ok(now);
        }
        let nearest = views.iter().map(|view| now.differences(view)).min_by_key(Vec::len);
        wait::pass(Duration::from_millis(15));
        Err(nearest.unwrap_or_default().join("\n  "))
    };
    let mut reached = wait::poll_within(PATIENCE, &mut compare);
    if reached.is_ok() {
        wait::pass(CONFIRM);
        // A delayed start may have happened meanwhile: compare once more, with the full time.
        reached = wait::poll_within(PATIENCE, &mut compare);
    }
    let reached =
        reached.map_err(|differences| format!("worlds at rest (real / fake)\n  {differences}"))?;
    let mut views = views.into_iter();
    allowed.retain(|_| views.next().as_ref() == Some(&reached));
    Ok(())
}
