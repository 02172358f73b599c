//! Promises about two runs beside each other, and about several starts. The search makes the runs; these compare ends.

use std::collections::BTreeMap;
use std::time::Duration;

use hermes::name::Profile;

use super::violation::violation;
use super::{Name, Violation};
use crate::machine::world::{ContainerId, World};
use crate::observe::process::{gateways, is_working, supervising_container};
use crate::observe::recorded_intent::ObservedIntent;
use crate::observe::slot;
use crate::observe::volume;

/// What people and programs can tell of one profile: no numbers, no times.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProfileSummary {
    /// The operator's word in force.
    pub intent: ObservedIntent,
    /// What a boot would make of it.
    pub should_run: bool,
    /// Its slots: in which container, complete, `down` there, supervised, wanted up, ready.
    pub slots: Vec<SlotSummary>,
    /// Gateways that live, and how many of them work.
    pub gateways: (usize, usize),
}

/// One slot from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlotSummary {
    /// Whose scan directory.
    pub container: ContainerId,
    /// All files are there.
    pub is_complete: bool,
    /// `down` is there.
    pub is_down: bool,
    /// Somebody looks after it.
    pub is_supervised: bool,
    /// What that one wants and whether the gateway said that it is ready.
    pub record: Option<(bool, bool)>,
}

/// All of that: what another boot must not change, and what two orders of the same commands must agree on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Of each profile, and of each name that has a slot.
    pub profiles: BTreeMap<Profile, ProfileSummary>,
    /// What was left half done.
    pub leftovers: Vec<String>,
    /// Who supervises.
    pub supervising_container: Option<ContainerId>,
}

/// Looks at all that counts.
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

/// A hidden name without what made it unique.
fn hidden_name_kind(name: &str) -> String {
    name.rsplit_once('.').map_or(name, |(kind, _)| kind).to_owned()
}

fn summarize_profile(world: &World, profile: &Profile) -> ProfileSummary {
    // One that fails again and again comes and goes: only its back-off stays.
    let backs_off = volume::gateway_state(world, profile).failures > 0;
    let mut slots = Vec::new();
    for (container, dir) in slot::scanned_dirs(world) {
        for found in slot::visible_slots(world, dir).into_iter().filter(|it| it.profile == *profile)
        {
            slots.push(SlotSummary {
                container,
                is_complete: slot::missing_file(world, &found).is_none(),
                is_down: found.has_down_file,
                is_supervised: slot::supervisor(world, container, &found).is_some(),
                record: slot::supervisor_record(world, &found)
                    .map(|it| (it.wants_up, it.is_ready && !backs_off)),
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
        Some(what) => violation(Name::S14, what),
        None => Ok(()),
    }
}

/// S14: commands given at once end as if they had come one after the other, in one of these ends.
pub fn check_serializable(end: &Fingerprint, may: &[&Fingerprint]) -> Result<(), Violation> {
    let differences: Option<Vec<String>> =
        may.iter().map(|serial| difference(end, serial, None)).collect();
    match differences.as_deref() {
        Some([first, ..]) => violation(Name::S14, format!("in no order: {first}")),
        _ => Ok(()),
    }
}

/// L5: the cause of its failing is gone, and it had time: it lives, and works.
pub fn check_recovers(world: &World, profile: &Profile) -> Result<(), Violation> {
    let is_back =
        gateways(world).any(|(_, process, of)| of == *profile && is_working(world, process, &of));
    let is_asked =
        volume::effective_intent(world, profile) == hermes::record::intent::Intent::Running;
    match is_asked && supervising_container(world).is_some() && !is_back {
        true => {
            violation(Name::L5, format!("{profile}: the cause is gone, and it did not come back"))
        }
        false => Ok(()),
    }
}

/// L6: a command that was cut short and repeated ends like one that was not. Temporary files are the next boot's.
pub fn check_repeat_converges(once: &Fingerprint, again: &Fingerprint) -> Result<(), Violation> {
    let bare = |it: &Fingerprint| Fingerprint { leftovers: Vec::new(), ..it.clone() };
    match difference(&bare(again), &bare(once), None) {
        Some(what) => violation(Name::L6, format!("repeated, it ends otherwise: {what}")),
        None => Ok(()),
    }
}

/// S9: a run with this profile and one without it, or with it in another shape, leave all others the same.
pub fn check_isolation(with: &World, without: &World, but: &Profile) -> Result<(), Violation> {
    let (with, without) = (fingerprint(with), fingerprint(without));
    match difference(&with, &without, Some(but)) {
        Some(what) => violation(Name::S9, what),
        None => Ok(()),
    }
}

fn difference(one: &Fingerprint, other: &Fingerprint, but: Option<&Profile>) -> Option<String> {
    for profile in one.profiles.keys().chain(other.profiles.keys()) {
        let (here, there) = (one.profiles.get(profile), other.profiles.get(profile));
        if Some(profile) != but && here != there {
            return Some(format!("{profile}: {here:?} beside {there:?}"));
        }
    }
    if but.is_none() && one.leftovers != other.leftovers {
        return Some(format!("left: {:?} beside {:?}", one.leftovers, other.leftovers));
    }
    (one.supervising_container != other.supervising_container).then(|| {
        format!(
            "supervised in {:?} beside {:?}",
            one.supervising_container, other.supervising_container
        )
    })
}

/// L5: from one start to the next it takes at least as long as before, up to `longest`, and longer in the end.
///
/// `starts` are the moments of one gateway's starts, in order, with no command and no success between them.
pub fn check_backoff(starts: &[Duration], longest: Duration) -> Result<(), Violation> {
    let gaps: Vec<Duration> =
        starts.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    let faster = gaps.windows(2).find(|pair| pair[1] < pair[0] && pair[1] < longest);
    if let Some(pair) = faster {
        return violation(
            Name::L5,
            format!("started after {:?}, then after {:?}", pair[0], pair[1]),
        );
    }
    match (gaps.first(), gaps.last()) {
        (Some(first), Some(last)) if gaps.len() > 3 && last <= first && *last < longest => {
            violation(Name::L5, format!("still started every {last:?}"))
        }
        _ => Ok(()),
    }
}
