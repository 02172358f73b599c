//! Slots: whole whenever they can be seen, and ready to do the right thing by themselves.

use hermes::name::Profile;
use hermes::record::intent::Intent;

use super::name::breach;
use super::{Breach, Name, host};
use crate::machine::world::World;
use crate::observe::{slot, volume};

/// S6: s6-svscan may look at any instant, and what it sees then is what it starts.
pub fn are_complete(world: &World) -> Result<(), Breach> {
    for (_, dir) in slot::scanned(world) {
        for found in slot::visible(world, dir) {
            if let Some(lack) = slot::lacks(world, &found) {
                return breach(Name::S6, format!("gateway-{}: {lack}", found.profile));
            }
        }
        for (name, misnamed) in slot::misnamed(world, dir) {
            if let Some(lack) = slot::lacks_at(world, misnamed) {
                return breach(Name::S6, format!("{name}: {lack}"));
            }
        }
    }
    Ok(())
}

/// S7: s6-supervise forgets its want when it dies; what it then does is what `down` says.
pub fn down_says_the_intent(
    world: &World,
    at_rest: impl Fn(&Profile) -> bool,
) -> Result<(), Breach> {
    host::start_says_the_intent(world, &at_rest)?;
    for (_, dir) in slot::scanned(world) {
        for found in slot::visible(world, dir) {
            let profile = &found.profile;
            if !volume::exists(world, profile) || !at_rest(profile) {
                continue;
            }
            let intent = volume::effective(world, profile);
            if found.is_down != (intent == Intent::Stopped) {
                let down = if found.is_down { "there" } else { "not there" };
                return breach(
                    Name::S7,
                    format!("gateway-{profile}: `down` is {down}, the intent is {intent}"),
                );
            }
        }
    }
    Ok(())
}
