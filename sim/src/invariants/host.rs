//! Invariants of gateways that a host supervises: they follow the intent, now and at the next boot.

use hermes::name::Profile;
use hermes::record::intent::Intent;

use super::Violation;
use super::violation::violation;
use crate::machine::world::World;
use crate::observe::process::{gateways, is_working};
use crate::observe::service::{self, Service};
use crate::observe::volume;
use crate::scenario::Invariant;

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

/// L1: once a command has ended, the host's target state follows the intent.
pub fn check_host_wants(world: &World, counts: impl Fn(&Profile) -> bool) -> Result<(), Violation> {
    for (profile, service, intent) in services(world, counts) {
        let wants_up = service.record.is_some_and(|record| record.wants_up);
        let is_excused = intent == Intent::Running && service.has_failed_permanently();
        if wants_up != (intent == Intent::Running) && !is_excused {
            let target = if wants_up { "up" } else { "down" };
            return violation(
                Invariant::L1,
                format!("{profile}: the intent is {intent}, the target state is {target}"),
            );
        }
    }
    Ok(())
}

/// L1, after a boot: the gateways that run follow the intent, whatever a crash left half done.
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
                let detail = format!("{profile}: the intent is running, and no gateway works");
                return violation(Invariant::L1, detail);
            }
            Intent::Stopped if works => {
                let detail = format!("{profile}: the intent is stopped, and a gateway works");
                return violation(Invariant::L1, detail);
            }
            _ => {}
        }
    }
    Ok(())
}

/// L2: a service without a profile would start a gateway without an intent.
pub fn check_no_stranger_services(
    world: &World,
    counts: impl Fn(&Profile) -> bool,
) -> Result<(), Violation> {
    let mut named = service::host_profiles(world).into_iter();
    match named.find(|profile| !volume::profile_exists(world, profile) && counts(profile)) {
        Some(profile) => {
            violation(Invariant::L2, format!("the service of {profile} has no profile"))
        }
        None => Ok(()),
    }
}

/// S7: what the host starts by itself follows the intent, except a gateway whose configuration failed permanently.
pub fn check_start_at_boot(
    world: &World,
    at_rest: impl Fn(&Profile) -> bool,
) -> Result<(), Violation> {
    for (profile, service, intent) in services(world, at_rest) {
        if service.starts_at_boot != (intent == Intent::Running)
            && !service.has_failed_permanently()
        {
            let is = if service.starts_at_boot { "enabled" } else { "disabled" };
            return violation(Invariant::S7, format!("{profile} is {is}, the intent is {intent}"));
        }
    }
    Ok(())
}
