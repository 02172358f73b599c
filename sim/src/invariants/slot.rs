//! Slots: whole whenever they can be seen, and ready to do the right thing by themselves.

use hermes::name::Profile;
use hermes::record::intent::Intent;

use super::violation::violation;
use super::{Name, Violation, host};
use crate::machine::world::World;
use crate::observe::{slot, volume};

/// S6: s6-svscan may look at any instant, and what it sees then is what it starts.
pub fn check_slots_complete(world: &World) -> Result<(), Violation> {
    for (_, dir) in slot::scanned_dirs(world) {
        for found in slot::visible_slots(world, dir) {
            if let Some(lack) = slot::missing_file(world, &found) {
                return violation(Name::S6, format!("gateway-{}: {lack}", found.profile));
            }
        }
        for (name, misnamed) in slot::misnamed_slots(world, dir) {
            if let Some(lack) = slot::missing_file_in(world, misnamed) {
                return violation(Name::S6, format!("{name}: {lack}"));
            }
        }
    }
    Ok(())
}

/// S7: s6-supervise forgets its want when it dies; what it then does is what `down` says.
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
                    Name::S7,
                    format!("gateway-{profile}: `down` is {down}, the intent is {intent}"),
                );
            }
        }
    }
    Ok(())
}
