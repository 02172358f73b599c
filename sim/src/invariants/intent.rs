//! Operators' words: whole, changed by their commands alone, and durable once a command has said so.

use hermes::name::Profile;

use super::command::ParsedCommand;
use super::violation::violation;
use super::{IntentSet, Name, Violation};
use crate::machine::ProcessOutput;
use crate::machine::world::World;
use crate::observe::recorded_intent::ObservedIntent;
use crate::observe::volume;

/// S1: an operator who was told "done" goes away; whatever the disk keeps must say so, too.
pub fn check_durable(world: &World, profile: &Profile, may: IntentSet) -> Result<(), Violation> {
    for word in volume::intents_after_power_cut(world, profile) {
        if word != ObservedIntent::Unreadable && !may.has(word) {
            return violation(
                Name::S1,
                format!("{profile}: a power cut now leaves {word}; in force is {may}"),
            );
        }
    }
    Ok(())
}

/// S2: a torn file would be read as no word at all, and a gateway would stay down in silence.
pub fn check_readable(world: &World, profile: &Profile, may: IntentSet) -> Result<(), Violation> {
    if may.has(ObservedIntent::Unreadable) {
        return Ok(());
    }
    if volume::observed_intent(world, profile) == ObservedIntent::Unreadable {
        return violation(Name::S2, format!("{profile}: the intent file cannot be read"));
    }
    match volume::intents_after_power_cut(world, profile).contains(&ObservedIntent::Unreadable) {
        true => violation(Name::S2, format!("{profile}: a power cut now tears the intent file")),
        false => Ok(()),
    }
}

/// S3, S4, L6 or S1, as the caller's moment has it: what is read now must be among what may be in force.
pub fn check_allowed(
    world: &World,
    profile: &Profile,
    may: IntentSet,
    promise: Name,
) -> Result<(), Violation> {
    let word = volume::observed_intent(world, profile);
    if may.has(word) || word == ObservedIntent::Unreadable {
        return Ok(());
    }
    // What was deleted has come back to life.
    let promise =
        if may == IntentSet::only(ObservedIntent::NoProfile) { Name::L6 } else { promise };
    violation(promise, format!("{profile}: in force is {word}; asked was {may}"))
}

/// S3: nobody but a command of the operator's, or the boot that notes what it read, writes the file.
pub fn check_writer(argv: &[String]) -> Result<(), Violation> {
    match ParsedCommand::parse(argv).may_write_intent() {
        true => Ok(()),
        false => violation(Name::S3, format!("`{}` writes an intent file", argv.join(" "))),
    }
}

/// S3, of the word that stands where the intent file is lost: a signal that nobody planned is no operator's stop.
pub fn check_end_is_not_a_stop(world: &World, profile: &Profile) -> Result<(), Violation> {
    match volume::gateway_state(world, profile).gateway_state.as_deref() {
        Some("stopped") => violation(
            Name::S3,
            format!("{profile}: its gateway noted `stopped` at its end; asked was running"),
        ),
        _ => Ok(()),
    }
}

/// S4: whoever fails in silence leaves the operator to guess.
pub fn check_failure_is_explained(
    asked: &ParsedCommand,
    code: u8,
    printed: Option<&ProcessOutput>,
) -> Result<(), Violation> {
    let Some(printed) = printed else {
        return violation(Name::S4, format!("exit {code}, and nothing was printed"));
    };
    let marked = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes).lines().any(|line| line.trim_start().starts_with('✗'))
    };
    let err = String::from_utf8_lossy(&printed.stderr);
    let is_usage = code == 2 && (err.contains("error:") || err.contains("Usage"));
    // A boot's plans, the shares of `--all` and what `doctor` finds are lines of the answer itself.
    let is_listed = matches!(
        asked,
        ParsedCommand::Boot
            | ParsedCommand::ReadOnly
            | ParsedCommand::SetIntent(_, super::command::Scope::All)
    );
    if marked(&printed.stderr) || is_usage || (is_listed && marked(&printed.stdout)) {
        return Ok(());
    }
    violation(Name::S4, format!("exit {code}, and stderr does not say why: {err:?}"))
}
