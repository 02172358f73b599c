//! The fake s6 against the real ones, in lockstep: the same sequence of acts on both, and after each the same answer
//! and, once nothing moves any more, the same world.
//!
//! ```text
//!   sequence   acts as data (fixtures/conformance), or made by `random` from a seed
//!      │
//!      ├─► fake   s6-svscan of ours as PID 1, in each order of turns that is tried ─┐
//!      └─► real   s6-svscan of a Debian as PID 1 of namespaces of its own ──────────┴─► view: equal, or a difference
//! ```
//!
//! What the real one answers must be among what the fake allows. Compared are exit codes, what tools print, errnos,
//! names with kinds, modes and owners, status records but for their stamps, deaths, and processes. Not compared: what
//! s6-svscan and s6-supervise print, events, stamps, and what depends on the order in which a directory is read.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "half of it is a real machine: files, processes and clocks are what it is about"
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

/// How long the fake is given to come to rest, by its own clock.
const REST: Duration = Duration::from_secs(4);

/// How long the real one is given to be as the fake is; a loaded machine is slow, not wrong.
const PATIENCE: Duration = Duration::from_secs(12);

/// It must still be so after this time: what was not done yet would be by then.
const CONFIRM: Duration = Duration::from_millis(200);

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConformanceCount {
    /// Acts whose answers and worlds were compared.
    pub steps: usize,
}

/// Plays a sequence on both. `Err` tells the first difference.
pub fn run_sequence(
    parts: &MachinePaths,
    version: S6Spec,
    sequence: &Sequence,
) -> Result<ConformanceCount, String> {
    let mut allowed = FakeS6::all(version);
    let mut real = RealS6::new(parts, version)?;
    let mut tally = ConformanceCount::default();
    for (index, step) in sequence.steps.iter().enumerate() {
        tally.steps += step.acts().len();
        let place =
            format!("{} on s6 {}, step {}", sequence.name, version_name(version), index + 1);
        compare_step(&mut allowed, &mut real, step)
            .map_err(|what| format!("{place}, {}: {what}", step.to_json()))?;
    }
    Ok(tally)
}

/// One step on both; the fakes that answered otherwise than the real one are dropped.
fn compare_step(
    allowed: &mut Vec<FakeS6>,
    real: &mut RealS6,
    step: &SequenceStep,
) -> Result<(), String> {
    let acts = step.acts();
    let branches: Vec<(FakeS6, Vec<ActOutcome>)> =
        std::mem::take(allowed).iter().flat_map(|fake| fake.branches(acts)).collect();
    let mut found = Vec::new();
    for act in acts {
        found.push(real.act(act)?);
    }
    if !branches.iter().any(|(_, answers)| *answers == found) {
        let mut answers: Vec<_> = branches.into_iter().map(|(_, answers)| answers).collect();
        answers.dedup();
        return Err(format!("answers\n  real: {found:?}\n  fake: {answers:?}"));
    }
    let same = branches.into_iter().filter(|(_, answers)| *answers == found);
    allowed.extend(same.map(|(fake, _)| fake));
    allowed.iter_mut().for_each(|fake| fake.run_for(REST));
    fake::drop_duplicates(allowed);
    await_allowed_world(allowed, real)
}

/// Waits until the real world is one that the fake allows, and stays it.
fn await_allowed_world(allowed: &mut Vec<FakeS6>, real: &mut RealS6) -> Result<(), String> {
    let views: Vec<_> = allowed.iter().map(FakeS6::view).collect();
    let mut look = || {
        let now = real.view();
        if views.contains(&now) {
            return Ok(now);
        }
        let nearest = views.iter().map(|view| now.differences(view)).min_by_key(Vec::len);
        wait::pass(Duration::from_millis(15));
        Err(nearest.unwrap_or_default().join("\n  "))
    };
    let mut reached = wait::poll_within(PATIENCE, &mut look);
    if reached.is_ok() {
        wait::pass(CONFIRM);
        // A start that was still to come may have come meanwhile: once more, to the end of the patience.
        reached = wait::poll_within(PATIENCE, &mut look);
    }
    let reached = reached.map_err(|what| format!("worlds at rest (real / fake)\n  {what}"))?;
    let mut views = views.into_iter();
    allowed.retain(|_| views.next().as_ref() == Some(&reached));
    Ok(())
}
