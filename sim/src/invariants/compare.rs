//! Promises about two runs beside each other, and about several starts. The search makes the runs; these compare ends.

use std::collections::BTreeMap;
use std::time::Duration;

use hermes::name::Profile;

use super::name::breach;
use super::{Breach, Name};
use crate::machine::world::{ContainerId, World};
use crate::observe::process::{gateways, supervising, works};
use crate::observe::slot;
use crate::observe::volume;
use crate::observe::word::Word;

/// What people and programs can tell of one profile: no numbers, no times.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aspect {
    /// The operator's word in force.
    pub word: Word,
    /// What a boot would make of it.
    pub runs: bool,
    /// Its slots: in which container, complete, `down` there, supervised, wanted up, ready.
    pub slots: Vec<Seen>,
    /// Gateways that live, and how many of them work.
    pub gateways: (usize, usize),
}

/// One slot from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
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
    pub profiles: BTreeMap<Profile, Aspect>,
    /// What was left half done.
    pub leftovers: Vec<String>,
    /// Who supervises.
    pub seat: Option<ContainerId>,
}

/// Looks at all that counts.
pub fn fingerprint(world: &World) -> Fingerprint {
    let mut names = volume::profiles(world);
    let scanned = slot::scanned(world);
    for (_, dir) in &scanned {
        names.extend(slot::visible(world, *dir).into_iter().map(|found| found.profile));
    }
    let mut leftovers = volume::leftovers(world);
    leftovers.extend(volume::unfinished(world).iter().map(|name| kind_of(name)));
    leftovers.sort();
    Fingerprint {
        profiles: names.into_iter().map(|name| (name.clone(), aspect(world, &name))).collect(),
        leftovers,
        seat: supervising(world),
    }
}

/// A hidden name without what made it unique.
fn kind_of(name: &str) -> String {
    name.rsplit_once('.').map_or(name, |(kind, _)| kind).to_owned()
}

fn aspect(world: &World, profile: &Profile) -> Aspect {
    // One that fails again and again comes and goes: only its back-off stays.
    let backs_off = volume::state(world, profile).failures > 0;
    let mut slots = Vec::new();
    for (container, dir) in slot::scanned(world) {
        for found in slot::visible(world, dir).into_iter().filter(|it| it.profile == *profile) {
            slots.push(Seen {
                container,
                is_complete: slot::lacks(world, &found).is_none(),
                is_down: found.is_down,
                is_supervised: slot::supervisor(world, container, &found).is_some(),
                record: slot::record(world, &found)
                    .map(|it| (it.wants_up, it.is_ready && !backs_off)),
            });
        }
    }
    let alive: Vec<_> = gateways(world).filter(|(_, _, of)| of == profile).collect();
    let at_work = alive.iter().filter(|(_, process, _)| works(world, process, profile)).count();
    Aspect {
        word: volume::word(world, profile),
        runs: volume::effective(world, profile) == hermes::record::intent::Intent::Running,
        slots,
        gateways: if backs_off { (0, 0) } else { (alive.len(), at_work) },
    }
}

/// S14: two orders of commands on different profiles, or a command once and twice, end the same.
pub fn commute(one: &World, other: &World) -> Result<(), Breach> {
    let (one, other) = (fingerprint(one), fingerprint(other));
    match difference(&one, &other, None) {
        Some(what) => breach(Name::S14, what),
        None => Ok(()),
    }
}

/// S14: commands given at once end as if they had come one after the other, in one of these ends.
pub fn ends_in_an_order(end: &Fingerprint, may: &[&Fingerprint]) -> Result<(), Breach> {
    let differences: Option<Vec<String>> =
        may.iter().map(|serial| difference(end, serial, None)).collect();
    match differences.as_deref() {
        Some([first, ..]) => breach(Name::S14, format!("in no order: {first}")),
        _ => Ok(()),
    }
}

/// L5: the cause of its failing is gone, and it had time: it lives, and works.
pub fn comes_back(world: &World, profile: &Profile) -> Result<(), Breach> {
    let is_back =
        gateways(world).any(|(_, process, of)| of == *profile && works(world, process, &of));
    let is_asked = volume::effective(world, profile) == hermes::record::intent::Intent::Running;
    match is_asked && supervising(world).is_some() && !is_back {
        true => breach(Name::L5, format!("{profile}: the cause is gone, and it did not come back")),
        false => Ok(()),
    }
}

/// L6: a command that was cut short and repeated ends like one that was not. Temporary files are the next boot's.
pub fn reaches_its_end(once: &Fingerprint, again: &Fingerprint) -> Result<(), Breach> {
    let bare = |it: &Fingerprint| Fingerprint { leftovers: Vec::new(), ..it.clone() };
    match difference(&bare(again), &bare(once), None) {
        Some(what) => breach(Name::L6, format!("repeated, it ends otherwise: {what}")),
        None => Ok(()),
    }
}

/// S9: a run with this profile and one without it, or with it in another shape, leave all others the same.
pub fn same_for_others(with: &World, without: &World, but: &Profile) -> Result<(), Breach> {
    let (with, without) = (fingerprint(with), fingerprint(without));
    match difference(&with, &without, Some(but)) {
        Some(what) => breach(Name::S9, what),
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
    (one.seat != other.seat)
        .then(|| format!("supervised in {:?} beside {:?}", one.seat, other.seat))
}

/// L5: from one start to the next it takes at least as long as before, up to `longest`, and longer in the end.
///
/// `starts` are the moments of one gateway's starts, in order, with no command and no success between them.
pub fn ever_slower(starts: &[Duration], longest: Duration) -> Result<(), Breach> {
    let gaps: Vec<Duration> =
        starts.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    let faster = gaps.windows(2).find(|pair| pair[1] < pair[0] && pair[1] < longest);
    if let Some(pair) = faster {
        return breach(Name::L5, format!("started after {:?}, then after {:?}", pair[0], pair[1]));
    }
    match (gaps.first(), gaps.last()) {
        (Some(first), Some(last)) if gaps.len() > 3 && last <= first && *last < longest => {
            breach(Name::L5, format!("still started every {last:?}"))
        }
        _ => Ok(()),
    }
}
