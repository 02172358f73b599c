//! Operators' intents: whole, changed only by their commands, and durable once a command has exited 0.

use hermes::name::Profile;

use super::command::ParsedCommand;
use super::violation::violation;
use super::{IntentSet, Violation};
use crate::machine::ProcessOutput;
use crate::machine::world::World;
use crate::observe::recorded_intent::ObservedIntent;
use crate::observe::volume;
use crate::scenario::Invariant;

/// S1: an operator who saw success goes away; every outcome of a power cut must keep the intent.
pub fn check_durable(
    world: &World,
    profile: &Profile,
    allowed: IntentSet,
) -> Result<(), Violation> {
    for intent in volume::intents_after_power_cut(world, profile) {
        if intent != ObservedIntent::Unreadable && !allowed.has(intent) {
            return violation(
                Invariant::S1,
                format!("{profile}: a power cut now leaves {intent}; in force is {allowed}"),
            );
        }
    }
    Ok(())
}

/// S2: a torn file would be read as no intent, and a gateway would stay down in silence.
pub fn check_readable(
    world: &World,
    profile: &Profile,
    allowed: IntentSet,
) -> Result<(), Violation> {
    if allowed.has(ObservedIntent::Unreadable) {
        return Ok(());
    }
    if volume::observed_intent(world, profile) == ObservedIntent::Unreadable {
        return violation(Invariant::S2, format!("{profile}: the intent file cannot be read"));
    }
    match volume::intents_after_power_cut(world, profile).contains(&ObservedIntent::Unreadable) {
        true => {
            violation(Invariant::S2, format!("{profile}: a power cut now tears the intent file"))
        }
        false => Ok(()),
    }
}

/// S3, S4, L6 or S1, as the caller says: the intent that is read now must be one of those that may be in force.
pub fn check_allowed(
    world: &World,
    profile: &Profile,
    allowed: IntentSet,
    invariant: Invariant,
) -> Result<(), Violation> {
    let intent = volume::observed_intent(world, profile);
    if allowed.has(intent) || intent == ObservedIntent::Unreadable {
        return Ok(());
    }
    // A deleted profile has come back.
    let invariant = if allowed == IntentSet::only(ObservedIntent::NoProfile) {
        Invariant::L6
    } else {
        invariant
    };
    violation(invariant, format!("{profile}: in force is {intent}; allowed is {allowed}"))
}

/// S3: only a command of the operator, or the boot that records what it inferred, writes the file.
pub fn check_writer(argv: &[String]) -> Result<(), Violation> {
    match ParsedCommand::parse(argv).may_write_intent() {
        true => Ok(()),
        false => violation(Invariant::S3, format!("`{}` writes an intent file", argv.join(" "))),
    }
}

/// S3, of the state file that replaces a lost intent file: an unplanned signal is not an operator's stop.
pub fn check_end_is_not_a_stop(world: &World, profile: &Profile) -> Result<(), Violation> {
    match volume::gateway_state(world, profile).gateway_state.as_deref() {
        Some("stopped") => violation(
            Invariant::S3,
            format!("{profile}: its gateway recorded `stopped` at its end; the intent was running"),
        ),
        _ => Ok(()),
    }
}

/// S4: a command that fails in silence leaves the operator to guess.
pub fn check_failure_is_explained(
    command: &ParsedCommand,
    code: u8,
    printed: Option<&ProcessOutput>,
) -> Result<(), Violation> {
    let Some(printed) = printed else {
        return violation(Invariant::S4, format!("exit {code}, and nothing was printed"));
    };
    let has_failure_line = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes).lines().any(|line| line.trim_start().starts_with('✗'))
    };
    let err = String::from_utf8_lossy(&printed.stderr);
    let is_usage = code == 2 && (err.contains("error:") || err.contains("Usage"));
    // A boot's plans, the parts of `--all` and the findings of `doctor` are lines of the answer itself.
    let is_listed = matches!(
        command,
        ParsedCommand::Boot
            | ParsedCommand::ReadOnly
            | ParsedCommand::SetIntent(_, super::command::Scope::All)
    );
    if has_failure_line(&printed.stderr)
        || is_usage
        || (is_listed && has_failure_line(&printed.stdout))
    {
        return Ok(());
    }
    violation(Invariant::S4, format!("exit {code}, and stderr does not say why: {err:?}"))
}
