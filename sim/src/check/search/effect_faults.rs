//! Which errors an effect may have on a faulty machine, and which effects are invisible to other processes or to a crash.

use hermes::error::Errno;
use hermes::host::effect::{Effect, Handle, OpenMode};

use crate::machine::process::OpenKind;
use crate::machine::world::{ProcessId, World};

const NFILE: Errno = Errno(23);
const NOLCK: Errno = Errno(37);

/// The errors that an effect may have, the likeliest first. Errors that only a wrong call can cause are not among them.
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

/// Does the effect touch nothing that another process, or the state after a crash, could show? Then a crash point before
/// it would repeat the next one.
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

/// Is the effect independent of every effect of other processes, so that it may run at once? Only for searches in which
/// the power stays on: then no invariant reads what is synced, or written to a file that only its writer has open.
///
/// An under-approximation: everything below the home and the scan directory counts as shared, except the contents of
/// files that no other process has open.
pub fn is_invisible(world: &World, who: ProcessId, effect: &Effect) -> bool {
    let Some(process) = world.process(who) else { return false };
    let is_alone = |handle: &Handle| match process.open_files.get(&handle.0).map(|open| &open.kind)
    {
        Some(kind @ OpenKind::Node(_)) => !world.processes().any(|(other, process)| {
            other != who && process.open_files.values().any(|open| open.kind == *kind)
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
        // A process that is ready at a sleep has slept long enough.
        Effect::Sleep { .. } => true,
        // The number of links of the file does not matter to its reader.
        Effect::HandleMeta { handle } => is_alone(handle),
        // A signal may come before it is trapped.
        Effect::Trap { .. } => false,
        other => is_invisible_to_crash(other),
    }
}

/// Directories whose files never change.
const READ_ONLY_DIRS: [&str; 6] = ["/command", "/usr", "/bin", "/etc", "/proc/self", "/proc/sys"];
