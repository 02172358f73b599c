//! Which effects can have changed what the invariants about files read.

use hermes::host::effect::{Effect, OpenMode};
use hermes::name::Profile;

use crate::machine::process::OpenKind;
use crate::machine::world::{ProcessId, World};
use crate::observe::volume;

/// Can this effect have changed a profile, an intent or a slot? The state files of gateways count: an old intent may be
/// inferred from them.
pub(super) fn is_about_files(world: &World, who: ProcessId, effect: &Effect) -> bool {
    match effect {
        Effect::Rename { .. } | Effect::Unlink { .. } | Effect::RemoveDir { .. } => true,
        Effect::SetMode { .. } => true,
        Effect::Open { how: OpenMode::Create { .. } | OpenMode::Append { .. }, .. } => true,
        Effect::Write { handle, .. } => {
            let open = world.process(who).and_then(|process| process.open_files.get(&handle.0));
            let Some(OpenKind::Node(node)) = open.map(|open| &open.kind) else { return false };
            let named = |profile: &Profile| volume::intent_node(world, profile) == Some(*node);
            volume::profiles(world).iter().any(named)
        }
        _ => false,
    }
}
