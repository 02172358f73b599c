//! Operators' words: whole, changed by their commands alone, and durable once a command has said so.

use hermes::name::Profile;

use super::command::Asked;
use super::name::breach;
use super::{Breach, Name, Words};
use crate::machine::Printed;
use crate::machine::world::World;
use crate::observe::volume;
use crate::observe::word::Word;

/// S1: an operator who was told "done" goes away; whatever the disk keeps must say so, too.
pub fn stays_true(world: &World, profile: &Profile, may: Words) -> Result<(), Breach> {
    for word in volume::durable_words(world, profile) {
        if word != Word::Broken && !may.has(word) {
            return breach(
                Name::S1,
                format!("{profile}: a power cut now leaves {word}; in force is {may}"),
            );
        }
    }
    Ok(())
}

/// S2: a torn file would be read as no word at all, and a gateway would stay down in silence.
pub fn is_whole(world: &World, profile: &Profile, may: Words) -> Result<(), Breach> {
    if may.has(Word::Broken) {
        return Ok(());
    }
    if volume::word(world, profile) == Word::Broken {
        return breach(Name::S2, format!("{profile}: the intent file cannot be read"));
    }
    match volume::durable_words(world, profile).contains(&Word::Broken) {
        true => breach(Name::S2, format!("{profile}: a power cut now tears the intent file")),
        false => Ok(()),
    }
}

/// S3, S4, L6 or S1, as the caller's moment has it: what is read now must be among what may be in force.
pub fn is_allowed(
    world: &World,
    profile: &Profile,
    may: Words,
    promise: Name,
) -> Result<(), Breach> {
    let word = volume::word(world, profile);
    if may.has(word) || word == Word::Broken {
        return Ok(());
    }
    // What was deleted has come back to life.
    let promise = if may == Words::only(Word::Gone) { Name::L6 } else { promise };
    breach(promise, format!("{profile}: in force is {word}; asked was {may}"))
}

/// S3: nobody but a command of the operator's, or the boot that notes what it read, writes the file.
pub fn writer_may_write(argv: &[String]) -> Result<(), Breach> {
    match Asked::read(argv).may_write() {
        true => Ok(()),
        false => breach(Name::S3, format!("`{}` writes an intent file", argv.join(" "))),
    }
}

/// S3, of the word that stands where the intent file is lost: a signal that nobody planned is no operator's stop.
pub fn end_is_no_stop(world: &World, profile: &Profile) -> Result<(), Breach> {
    match volume::state(world, profile).gateway_state.as_deref() {
        Some("stopped") => breach(
            Name::S3,
            format!("{profile}: its gateway noted `stopped` at its end; asked was running"),
        ),
        _ => Ok(()),
    }
}

/// S4: whoever fails in silence leaves the operator to guess.
pub fn says_why(asked: &Asked, code: u8, printed: Option<&Printed>) -> Result<(), Breach> {
    let Some(printed) = printed else {
        return breach(Name::S4, format!("exit {code}, and nothing was printed"));
    };
    let marked = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes).lines().any(|line| line.trim_start().starts_with('✗'))
    };
    let err = String::from_utf8_lossy(&printed.err);
    let is_usage = code == 2 && (err.contains("error:") || err.contains("Usage"));
    // A boot's plans, the shares of `--all` and what `doctor` finds are lines of the answer itself.
    let is_listed =
        matches!(asked, Asked::Boot | Asked::Look | Asked::Say(_, super::command::Scope::All));
    if marked(&printed.err) || is_usage || (is_listed && marked(&printed.out)) {
        return Ok(());
    }
    breach(Name::S4, format!("exit {code}, and stderr does not say why: {err:?}"))
}
