//! Invariants about two executions, and about several starts. The search runs the executions; these compare their ends.

use std::collections::BTreeMap;
use std::time::Duration;

use hermes::name::Profile;

use super::Violation;
use super::violation::violation;
use crate::machine::world::{ContainerId, World};
use crate::observe::process::{gateways, is_working, supervising_container};
use crate::observe::recorded_intent::ObservedIntent;
use crate::observe::slot;
use crate::observe::volume;
use crate::scenario::Invariant;

/// What people and programs can observe of one profile: no process numbers, no times.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProfileSummary {
    /// The operator's intent in force.
    pub intent: ObservedIntent,
    /// Would a boot start it?
    pub should_run: bool,
    /// Its slots, in all containers.
    pub slots: Vec<SlotSummary>,
    /// Gateways that live, and how many of them work.
    pub gateways: (usize, usize),
}

/// One slot from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlotSummary {
    /// The container of the scan directory.
    pub container: ContainerId,
    /// All files are there.
    pub is_complete: bool,
    /// `down` is there.
    pub is_down: bool,
    /// It has a supervisor.
    pub is_supervised: bool,
    /// The supervisor wants it up, and the gateway reported that it is ready.
    pub record: Option<(bool, bool)>,
}

/// The whole observable state: what another boot must not change, and on what two orders of the same commands must agree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Each profile, and each name that has a slot.
    pub profiles: BTreeMap<Profile, ProfileSummary>,
    /// What was left half done.
    pub leftovers: Vec<String>,
    /// The container that supervises.
    pub supervising_container: Option<ContainerId>,
}

/// Reads the fingerprint of a world.
pub fn fingerprint(world: &World) -> Fingerprint {
    let mut names = volume::profiles(world);
    let scanned = slot::scanned_dirs(world);
    for (_, dir) in &scanned {
        names.extend(slot::visible_slots(world, *dir).into_iter().map(|found| found.profile));
    }
    let mut leftovers = volume::leftovers(world);
    leftovers.extend(volume::unfinished_profiles(world).iter().map(|name| hidden_name_kind(name)));
    leftovers.sort();
    Fingerprint {
        profiles: names
            .into_iter()
            .map(|name| (name.clone(), summarize_profile(world, &name)))
            .collect(),
        leftovers,
        supervising_container: supervising_container(world),
    }
}

/// A hidden name without its unique part.
fn hidden_name_kind(name: &str) -> String {
    name.rsplit_once('.').map_or(name, |(kind, _)| kind).to_owned()
}

fn summarize_profile(world: &World, profile: &Profile) -> ProfileSummary {
    // A gateway that keeps failing comes and goes: only its back-off stays.
    let backs_off = volume::gateway_state(world, profile).failures > 0;
    let mut slots = Vec::new();
    for (container, dir) in slot::scanned_dirs(world) {
        for found in
            slot::visible_slots(world, dir).into_iter().filter(|slot| slot.profile == *profile)
        {
            slots.push(SlotSummary {
                container,
                is_complete: slot::missing_file(world, &found).is_none(),
                is_down: found.has_down_file,
                is_supervised: slot::supervisor(world, container, &found).is_some(),
                record: slot::supervisor_record(world, &found)
                    .map(|record| (record.wants_up, record.is_ready && !backs_off)),
            });
        }
    }
    let alive: Vec<_> = gateways(world).filter(|(_, _, of)| of == profile).collect();
    let at_work =
        alive.iter().filter(|(_, process, _)| is_working(world, process, profile)).count();
    ProfileSummary {
        intent: volume::observed_intent(world, profile),
        should_run: volume::effective_intent(world, profile)
            == hermes::record::intent::Intent::Running,
        slots,
        gateways: if backs_off { (0, 0) } else { (alive.len(), at_work) },
    }
}

/// S14: two orders of commands on different profiles, or a command once and twice, end the same.
pub fn check_commute(one: &World, other: &World) -> Result<(), Violation> {
    let (one, other) = (fingerprint(one), fingerprint(other));
    match difference(&one, &other, None) {
        Some(difference) => violation(Invariant::S14, difference),
        None => Ok(()),
    }
}

/// S14: concurrent commands are serializable: they end like one of these serial executions.
pub fn check_serializable(
    end: &Fingerprint,
    serial_ends: &[&Fingerprint],
) -> Result<(), Violation> {
    let differences: Option<Vec<String>> =
        serial_ends.iter().map(|serial| difference(end, serial, None)).collect();
    match differences.as_deref() {
        Some([first, ..]) => violation(Invariant::S14, format!("like no order: {first}")),
        _ => Ok(()),
    }
}

/// L5: once the cause of its failures is gone, and some time has passed, a gateway lives and works.
pub fn check_recovers(world: &World, profile: &Profile) -> Result<(), Violation> {
    let is_back =
        gateways(world).any(|(_, process, of)| of == *profile && is_working(world, process, &of));
    let is_asked =
        volume::effective_intent(world, profile) == hermes::record::intent::Intent::Running;
    match is_asked && supervising_container(world).is_some() && !is_back {
        true => violation(
            Invariant::L5,
            format!("{profile}: the cause is gone, and the gateway did not come back"),
        ),
        false => Ok(()),
    }
}

/// L6: a command that was cut short and repeated ends like one that was not. Temporary files are left to the next boot.
pub fn check_repeat_converges(once: &Fingerprint, again: &Fingerprint) -> Result<(), Violation> {
    let bare = |end: &Fingerprint| Fingerprint { leftovers: Vec::new(), ..end.clone() };
    match difference(&bare(again), &bare(once), None) {
        Some(difference) => {
            violation(Invariant::L6, format!("repeated, it ends otherwise: {difference}"))
        }
        None => Ok(()),
    }
}

/// S9: an execution with this profile, and one without it or with it in another shape, leave all other profiles equal.
pub fn check_isolation(with: &World, without: &World, except: &Profile) -> Result<(), Violation> {
    let (with, without) = (fingerprint(with), fingerprint(without));
    match difference(&with, &without, Some(except)) {
        Some(difference) => violation(Invariant::S9, difference),
        None => Ok(()),
    }
}

fn difference(one: &Fingerprint, other: &Fingerprint, except: Option<&Profile>) -> Option<String> {
    for profile in one.profiles.keys().chain(other.profiles.keys()) {
        let (here, there) = (one.profiles.get(profile), other.profiles.get(profile));
        if Some(profile) != except && here != there {
            return Some(format!("{profile}: {here:?} versus {there:?}"));
        }
    }
    if except.is_none() && one.leftovers != other.leftovers {
        return Some(format!("left: {:?} versus {:?}", one.leftovers, other.leftovers));
    }
    (one.supervising_container != other.supervising_container).then(|| {
        format!(
            "supervised in {:?} versus {:?}",
            one.supervising_container, other.supervising_container
        )
    })
}

/// L5: the time between two starts never gets shorter until it reaches `longest`, and grows in the end.
///
/// `starts` are the moments of one gateway's starts, in order, with no command and no success between them.
pub fn check_backoff(starts: &[Duration], longest: Duration) -> Result<(), Violation> {
    let gaps: Vec<Duration> =
        starts.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    let faster = gaps.windows(2).find(|pair| pair[1] < pair[0] && pair[1] < longest);
    if let Some(pair) = faster {
        return violation(
            Invariant::L5,
            format!("started after {:?}, then after {:?}", pair[0], pair[1]),
        );
    }
    match (gaps.first(), gaps.last()) {
        (Some(first), Some(last)) if gaps.len() > 3 && last <= first && *last < longest => {
            violation(Invariant::L5, format!("still started every {last:?}"))
        }
        _ => Ok(()),
    }
}
