//! Which errors an effect may have on a machine that has a bad day, and which effects nobody else can see.

use hermes::error::Errno;
use hermes::host::effect::{Effect, Handle, OpenMode};

use crate::machine::process::OpenKind;
use crate::machine::world::{ProcessId, World};

const NFILE: Errno = Errno(23);
const NOLCK: Errno = Errno(37);

/// What may go wrong with it, the likeliest first. What a program can only get wrong by its own words is not here.
pub fn errnos(effect: &Effect) -> &'static [Errno] {
    match effect {
        Effect::Open {
            how: OpenMode::Create { .. } | OpenMode::Append { .. } | OpenMode::Lock { .. },
            ..
        } => &[Errno::NOSPC, Errno::ACCESS, Errno::ROFS, Errno::IO, NFILE],
        Effect::Open { .. } => &[Errno::ACCESS, Errno::IO, NFILE],
        Effect::Read { .. } | Effect::List { .. } | Effect::ReadLink { .. } => &[Errno::IO],
        Effect::Write { .. } => &[Errno::NOSPC, Errno::IO],
        Effect::Sync { .. } => &[Errno::IO, Errno::NOSPC],
        Effect::HandleMeta { .. } => &[Errno::IO],
        Effect::Meta { .. } => &[Errno::ACCESS, Errno::IO],
        Effect::MakeDir { .. } | Effect::MakeFifo { .. } => {
            &[Errno::NOSPC, Errno::ACCESS, Errno::ROFS]
        }
        Effect::Rename { .. } => &[Errno::NOSPC, Errno::ACCESS, Errno::ROFS, Errno::IO],
        Effect::Unlink { .. } | Effect::RemoveDir { .. } => {
            &[Errno::ACCESS, Errno::ROFS, Errno::IO]
        }
        Effect::SetMode { .. } | Effect::SetOwner { .. } => &[Errno(1), Errno::ROFS],
        Effect::Lock { .. } | Effect::LockRecord { .. } | Effect::IsLocked { .. } => &[NOLCK],
        Effect::Run { .. } | Effect::Spawn { .. } => {
            &[Errno::NOMEM, Errno::NOENT, Errno::ACCESS, Errno::TIMEDOUT]
        }
        Effect::Exec { .. } => &[Errno::NOMEM, Errno::NOENT],
        Effect::OpenProcess { .. } => &[NFILE],
        Effect::Print { .. } => &[Errno::PIPE, Errno::NOSPC],
        Effect::Pipe => &[NFILE],
        Effect::Listen { .. } => &[Errno::ADDRINUSE],
        _ => &[],
    }
}

/// Does it touch nothing that anybody else, or a crash, could tell? Then there is no point in a cut before it.
pub fn is_invisible_to_crash(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Now { .. }
            | Effect::Random
            | Effect::Print { .. }
            | Effect::Trap { .. }
            | Effect::SetUmask { .. }
            | Effect::HandleMeta { .. }
            | Effect::Pipe
            | Effect::Inherited { .. }
    )
}

/// Does it make no difference to anybody, and nobody to it, whether it comes now or later? For searches in which the
/// power stays on: then nothing that is synced or written to a file that only its writer has open is looked at.
///
/// Leaves out less than all such effects: what lies below the home and the scan directory always counts as shared, but
/// for the contents of files that nobody else has open.
pub fn is_invisible(world: &World, who: ProcessId, effect: &Effect) -> bool {
    let Some(process) = world.process(who) else { return false };
    let is_alone = |handle: &Handle| match process.open_files.get(&handle.0).map(|open| &open.kind)
    {
        Some(what @ OpenKind::Node(_)) => !world.processes().any(|(other, process)| {
            other != who && process.open_files.values().any(|open| open.kind == *what)
        }),
        Some(OpenKind::Text(_)) => true,
        _ => false,
    };
    match effect {
        Effect::Sync { .. } => true,
        Effect::Read { handle, .. } | Effect::Write { handle, .. } => is_alone(handle),
        Effect::Close { handle } => {
            let holds = process.open_files.get(&handle.0).is_some_and(|open| match &open.kind {
                OpenKind::Node(node) => open.flock || process.record_locks.contains(node),
                OpenKind::Text(_) => false,
                _ => true,
            });
            !holds
        }
        Effect::Open { place, how: OpenMode::Read, .. }
        | Effect::Meta { place, .. }
        | Effect::ReadLink { place } => {
            place.dir.is_none() && READ_ONLY_DIRS.iter().any(|above| place.path.starts_with(above))
        }
        // Whoever is asked has slept long enough.
        Effect::Sleep { .. } => true,
        // How many names it has left is nobody's business who reads it.
        Effect::HandleMeta { handle } => is_alone(handle),
        // A signal may come before it is trapped.
        Effect::Trap { .. } => false,
        other => is_invisible_to_crash(other),
    }
}

/// Nothing here changes.
const READ_ONLY_DIRS: [&str; 6] = ["/command", "/usr", "/bin", "/etc", "/proc/self", "/proc/sys"];
