//! What must hold of gateways that a host supervises: they do what their operator asked for, and the next boot does, too.

use hermes::name::Profile;
use hermes::record::intent::Intent;

use super::violation::violation;
use super::{Name, Violation};
use crate::machine::world::World;
use crate::observe::process::{gateways, is_working};
use crate::observe::service::{self, Service};
use crate::observe::volume;

/// Services of real profiles.
fn services(world: &World, counts: impl Fn(&Profile) -> bool) -> Vec<(Profile, Service, Intent)> {
    let named = service::host_profiles(world).into_iter();
    let named = named.filter(|profile| volume::profile_exists(world, profile) && counts(profile));
    named
        .filter_map(|profile| {
            let service = service::find_service(world, &profile)?;
            let intent = volume::effective_intent(world, &profile);
            Some((profile, service, intent))
        })
        .collect()
}

/// L1: what the host was told is what was asked for, once a command has said so.
pub fn check_host_wants(world: &World, counts: impl Fn(&Profile) -> bool) -> Result<(), Violation> {
    for (profile, service, intent) in services(world, counts) {
        let wants_up = service.record.is_some_and(|record| record.wants_up);
        let is_excused = intent == Intent::Running && service.has_failed_permanently();
        if wants_up != (intent == Intent::Running) && !is_excused {
            let want = if wants_up { "up" } else { "down" };
            return violation(
                Name::L1,
                format!("{profile}: the intent is {intent}, the want {want}"),
            );
        }
    }
    Ok(())
}

/// L1, after a boot: whatever a crash left half done, what runs is what was asked for.
pub fn check_boot_follows_intent(
    world: &World,
    counts: impl Fn(&Profile) -> bool,
) -> Result<(), Violation> {
    for (profile, service, intent) in services(world, counts) {
        let works = gateways(world).any(|(_, process, of)| {
            of == profile && process.parent == 1 && is_working(world, process, &of)
        });
        let is_excused =
            service.has_failed_permanently() || volume::gateway_state(world, &profile).failures > 0;
        match intent {
            Intent::Running if !works && !is_excused => {
                let what = format!("{profile}: the intent is running, and no gateway works");
                return violation(Name::L1, what);
            }
            Intent::Stopped if works => {
                let what = format!("{profile}: the intent is stopped, and a gateway works");
                return violation(Name::L1, what);
            }
            _ => {}
        }
    }
    Ok(())
}

/// L2: a service without a profile starts what nobody asked for.
pub fn check_no_stranger_services(
    world: &World,
    counts: impl Fn(&Profile) -> bool,
) -> Result<(), Violation> {
    let mut named = service::host_profiles(world).into_iter();
    match named.find(|profile| !volume::profile_exists(world, profile) && counts(profile)) {
        Some(profile) => violation(Name::L2, format!("the service of {profile} has no profile")),
        None => Ok(()),
    }
}

/// S7: what the host does by itself is what was asked for; one that has given up on its configuration is told so.
pub fn check_start_at_boot(
    world: &World,
    at_rest: impl Fn(&Profile) -> bool,
) -> Result<(), Violation> {
    for (profile, service, intent) in services(world, at_rest) {
        if service.starts_at_boot != (intent == Intent::Running)
            && !service.has_failed_permanently()
        {
            let is = if service.starts_at_boot { "enabled" } else { "disabled" };
            return violation(Name::S7, format!("{profile} is {is}, the intent is {intent}"));
        }
    }
    Ok(())
}
