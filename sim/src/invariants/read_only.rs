//! Read-only commands, and what commands print when something fails.

use hermes::host::effect::{Effect, OpenMode};
use hermes::host::{Answer, Outcome};

use super::Violation;
use super::violation::violation;
use crate::machine::ProcessOutput;
use crate::machine::process::OpenKind;
use crate::machine::world::{ProcessId, World};
use crate::scenario::Invariant;

/// The read-only tools of s6.
const READ_ONLY_TOOLS: [&str; 3] = ["s6-svstat", "s6-svok", "s6-svwait"];

/// The read-only subcommands of other tools: their first word that is no option.
const READ_ONLY_SUBCOMMANDS: [(&str, &[&str]); 4] = [
    ("systemctl", &["show"]),
    ("loginctl", &["show-user"]),
    ("launchctl", &["managername", "list", "print-disabled"]),
    ("schtasks.exe", &["/Query"]),
];

/// S11: a read-only command that takes a lock or deletes a "stale" file breaks what it inspects.
pub fn check_changes_nothing(
    world: &World,
    who: ProcessId,
    effect: &Effect,
    outcome: Option<&Outcome>,
) -> Result<(), Violation> {
    if matches!(outcome, Some(Err(_))) {
        return Ok(());
    }
    match describe_change(world, who, effect) {
        Some(change) => violation(Invariant::S11, format!("a read-only command {change}")),
        None => Ok(()),
    }
}

fn describe_change(world: &World, who: ProcessId, effect: &Effect) -> Option<String> {
    let on = |verb: &str, place: &hermes::host::effect::Place| {
        Some(format!("{verb} `{}`", place.path.display()))
    };
    match effect {
        Effect::Open { place, how, .. } => match how {
            OpenMode::Create { .. } | OpenMode::Append { .. } | OpenMode::Lock { .. } => {
                on("makes", place)
            }
            OpenMode::Read | OpenMode::Directory | OpenMode::Write => None,
        },
        Effect::Write { handle, .. } => {
            let open = world.process(who)?.open_files.get(&handle.0)?;
            matches!(open.kind, OpenKind::Node(_) | OpenKind::Pipe(_))
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
            let is_known = |(tool, words): &(&str, &[&str])| {
                *tool == name && word.is_some_and(|word| words.iter().any(|known| word == *known))
            };
            let is_read_only = READ_ONLY_TOOLS.contains(&name.as_ref())
                || READ_ONLY_SUBCOMMANDS.iter().any(is_known);
            (!is_read_only).then(|| format!("runs {name}"))
        }
        Effect::Spawn { program } | Effect::Exec { program } => {
            Some(format!("starts `{}`", program.path.display()))
        }
        _ => None,
    }
}

/// Texts that only a programmer can read.
const FOR_PROGRAMMERS: [&str; 6] =
    ["panicked at", "stack backtrace", "RUST_BACKTRACE", "Error {", "Err(", "Os { code"];

/// S12: an operator can act on a named error, but not on a panic.
pub fn check_output_is_readable(printed: &ProcessOutput) -> Result<(), Violation> {
    let err = String::from_utf8_lossy(&printed.stderr);
    match FOR_PROGRAMMERS.iter().find(|words| err.contains(**words)) {
        Some(words) => violation(Invariant::S12, format!("stderr has {words:?}: {err:?}")),
        None => Ok(()),
    }
}

/// The same, for a task that panicked.
pub fn reject_panic(message: &str) -> Result<(), Violation> {
    violation(Invariant::S12, format!("a panic: {message}"))
}

/// Was a command refused its output? Then it cannot explain its failure.
pub fn is_muted(effect: &Effect, outcome: Option<&Outcome>) -> bool {
    matches!(effect, Effect::Print { .. }) && !matches!(outcome, Some(Ok(Answer::Count(_))))
}
