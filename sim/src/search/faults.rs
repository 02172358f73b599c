//! Which errors an effect may have on a machine that has a bad day, and which effects nobody else can see.

use hermes::error::Errno;
use hermes::host::effect::{Effect, How};

const NFILE: Errno = Errno(23);
const NOLCK: Errno = Errno(37);

/// What may go wrong with it, the likeliest first. What a program can only get wrong by its own words is not here.
pub fn errnos(effect: &Effect) -> &'static [Errno] {
    match effect {
        Effect::Open {
            how: How::Create { .. } | How::Append { .. } | How::Lock { .. }, ..
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
pub fn is_private(effect: &Effect) -> bool {
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
