//! Commands that only look, and what commands print when something fails.

use hermes::host::effect::{Effect, How};
use hermes::host::{Answer, Outcome};

use super::name::breach;
use super::{Breach, Name};
use crate::machine::Printed;
use crate::machine::process::What;
use crate::machine::world::{Who, World};

/// The tools of s6's that only tell.
const TELLING: [&str; 3] = ["s6-svstat", "s6-svok", "s6-svwait"];

/// What other tools may be asked by those who only look, as the first word that is no option.
const ASKING: [(&str, &[&str]); 4] = [
    ("systemctl", &["show"]),
    ("loginctl", &["show-user"]),
    ("launchctl", &["managername", "list", "print-disabled"]),
    ("schtasks.exe", &["/Query"]),
];

/// S11: a probe that takes a lock or deletes a "stale" file breaks what it looks at.
pub fn only_looks(
    world: &World,
    who: Who,
    effect: &Effect,
    outcome: Option<&Outcome>,
) -> Result<(), Breach> {
    if matches!(outcome, Some(Err(_))) {
        return Ok(());
    }
    match changes(world, who, effect) {
        Some(what) => breach(Name::S11, format!("a command that only looks {what}")),
        None => Ok(()),
    }
}

fn changes(world: &World, who: Who, effect: &Effect) -> Option<String> {
    let on = |what: &str, place: &hermes::host::effect::Place| {
        Some(format!("{what} `{}`", place.path.display()))
    };
    match effect {
        Effect::Open { place, how, .. } => match how {
            How::Create { .. } | How::Append { .. } | How::Lock { .. } => on("makes", place),
            How::Read | How::Directory | How::Write => None,
        },
        Effect::Write { handle, .. } => {
            let open = world.process(who)?.open.get(&handle.0)?;
            matches!(open.what, What::Node(_) | What::Pipe(_))
                .then(|| "writes into a file or a pipe".to_owned())
        }
        Effect::MakeDir { place, .. } | Effect::MakeFifo { place, .. } => on("makes", place),
        Effect::Rename { from, .. } => on("renames", from),
        Effect::Unlink { place } | Effect::RemoveDir { place } => on("removes", place),
        Effect::SetOwner { place, .. } => on("gives away", place),
        Effect::SetMode { .. } => Some("changes a mode".to_owned()),
        Effect::Lock { .. } | Effect::LockRecord { .. } => Some("takes a lock".to_owned()),
        Effect::SignalProcess { .. } | Effect::SignalGroup { .. } => Some("signals".to_owned()),
        Effect::Run { program, .. } => {
            let name = program.path.file_name().unwrap_or_default().to_string_lossy();
            let word = program.args.iter().find(|word| !word.as_encoded_bytes().starts_with(b"--"));
            let asks = |(tool, words): &(&str, &[&str])| {
                *tool == name && word.is_some_and(|word| words.iter().any(|it| word == *it))
            };
            let tells = TELLING.contains(&name.as_ref()) || ASKING.iter().any(asks);
            (!tells).then(|| format!("runs {name}"))
        }
        Effect::Spawn { program } | Effect::Exec { program } => {
            Some(format!("starts `{}`", program.path.display()))
        }
        _ => None,
    }
}

/// What only a programmer could read.
const FOR_PROGRAMMERS: [&str; 6] =
    ["panicked at", "stack backtrace", "RUST_BACKTRACE", "Error {", "Err(", "Os { code"];

/// S12: an operator can do something about a named error, and nothing about a panic.
pub fn is_for_people(printed: &Printed) -> Result<(), Breach> {
    let err = String::from_utf8_lossy(&printed.err);
    match FOR_PROGRAMMERS.iter().find(|words| err.contains(**words)) {
        Some(words) => breach(Name::S12, format!("stderr has {words:?}: {err:?}")),
        None => Ok(()),
    }
}

/// The same, of a task that did not even end.
pub fn is_no_panic(message: &str) -> Result<(), Breach> {
    breach(Name::S12, format!("a panic: {message}"))
}

/// Was a command refused its standard error? It cannot say anything then.
pub fn is_muted(effect: &Effect, outcome: Option<&Outcome>) -> bool {
    matches!(effect, Effect::Print { .. }) && !matches!(outcome, Some(Ok(Answer::Count(_))))
}
