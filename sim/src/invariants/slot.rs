//! Slots: complete whenever s6-svscan can see them, and with a `down` file that agrees with the intent.

use hermes::name::Profile;
use hermes::record::intent::Intent;

use super::violation::violation;
use super::{Violation, host};
use crate::machine::world::World;
use crate::observe::{slot, volume};
use crate::scenario::Invariant;

/// S6: s6-svscan may scan at any instant, and it starts what it sees then.
pub fn check_slots_complete(world: &World) -> Result<(), Violation> {
    for (_, dir) in slot::scanned_dirs(world) {
        for found in slot::visible_slots(world, dir) {
            if let Some(missing) = slot::missing_file(world, &found) {
                return violation(Invariant::S6, format!("gateway-{}: {missing}", found.profile));
            }
        }
        for (name, misnamed) in slot::misnamed_slots(world, dir) {
            if let Some(missing) = slot::missing_file_in(world, misnamed) {
                return violation(Invariant::S6, format!("{name}: {missing}"));
            }
        }
    }
    Ok(())
}

/// S7: s6-supervise forgets its target state when it dies; the next one does what `down` says.
pub fn check_down_files(
    world: &World,
    at_rest: impl Fn(&Profile) -> bool,
) -> Result<(), Violation> {
    host::check_start_at_boot(world, &at_rest)?;
    for (_, dir) in slot::scanned_dirs(world) {
        for found in slot::visible_slots(world, dir) {
            let profile = &found.profile;
            if !volume::profile_exists(world, profile) || !at_rest(profile) {
                continue;
            }
            let intent = volume::effective_intent(world, profile);
            if found.has_down_file != (intent == Intent::Stopped) {
                let down = if found.has_down_file { "there" } else { "not there" };
                return violation(
                    Invariant::S7,
                    format!("gateway-{profile}: `down` is {down}, the intent is {intent}"),
                );
            }
        }
    }
    Ok(())
}
