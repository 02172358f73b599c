//! The home: which profiles exist, what their files say now and after any power cut, and what was left half done.
//!
//! Paths are those of the image. A link in place of a record does not count as a file.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use hermes::name::{DEFAULT, Profile};
use hermes::record::intent::{InferredIntent, Intent};
use hermes::record::state::StateRecord;

use super::recorded_intent::{self, Contents, ObservedIntent};
use crate::machine::disk::{DirectoryChange, Disk, NodeBody, NodeId, ROOT, Unsynced};
use crate::machine::image::VOLUME;
use crate::machine::world::World;

/// The root home's node.
pub const HOME_NODE: NodeId = NodeId { device: VOLUME, number: ROOT };

const INTENT: &str = "gateway_intent.json";
const STATE: &str = "gateway_state.json";
const SOUL: &str = "SOUL.md";

/// The node of an entry of a directory.
pub fn entry(world: &World, dir: NodeId, name: &str) -> Option<NodeId> {
    world.disk.named(dir, name)
}

/// The names in a directory, as text.
pub fn names(world: &World, dir: NodeId) -> Vec<String> {
    world.disk.names(dir).iter().map(|name| name.to_string_lossy().into_owned()).collect()
}

/// The contents of an entry of a directory, as a reader of records finds them.
pub fn contents<'a>(world: &'a World, dir: NodeId, name: &str) -> Contents<'a> {
    match entry(world, dir, name) {
        None => Contents::Missing,
        Some(node) => world.disk.contents(node).map_or(Contents::NotAFile, Contents::Bytes),
    }
}

/// The directory of the named profiles.
pub fn profiles_dir(world: &World) -> Option<NodeId> {
    entry(world, HOME_NODE, "profiles")
}

/// The directory of a profile's files, whether or not the profile exists.
pub fn profile_dir(world: &World, profile: &Profile) -> Option<NodeId> {
    match profile.is_default() {
        true => Some(HOME_NODE),
        false => entry(world, profiles_dir(world)?, profile.as_str()),
    }
}

fn has_soul(world: &World, dir: NodeId) -> bool {
    let soul = entry(world, dir, SOUL);
    soul.is_some_and(|soul| world.disk.contents(soul).is_some())
}

/// All directories with a `SOUL.md` that are not hidden; `default` is not among them.
fn dirs_with_soul(world: &World) -> Vec<String> {
    let Some(dir) = profiles_dir(world) else { return Vec::new() };
    let visible = names(world, dir).into_iter().filter(|name| !name.starts_with('.'));
    visible.filter(|name| entry(world, dir, name).is_some_and(|dir| has_soul(world, dir))).collect()
}

/// Every profile that exists.
pub fn profiles(world: &World) -> BTreeSet<Profile> {
    let named = dirs_with_soul(world).into_iter().filter(|name| name != DEFAULT);
    let mut profiles: BTreeSet<_> = named.filter_map(|name| Profile::parse(&name).ok()).collect();
    profiles.insert(Profile::default_profile());
    profiles
}

/// Directories that would be profiles if their names were legal.
pub fn misnamed_profiles(world: &World) -> Vec<String> {
    dirs_with_soul(world)
        .into_iter()
        .filter(|name| name == DEFAULT || Profile::parse(name).is_err())
        .collect()
}

/// Does the profile exist?
pub fn profile_exists(world: &World, profile: &Profile) -> bool {
    profile.is_default() || profile_dir(world, profile).is_some_and(|dir| has_soul(world, dir))
}

/// The intent that the environment gives to a home that never ran.
fn bootstrap_intent(world: &World, profile: &Profile) -> Option<Intent> {
    let is_set = world.containers.values().any(|container| {
        let word = container.settings.env.get(OsStr::new("HERMES_GATEWAY_BOOTSTRAP_STATE"));
        word.is_some_and(|word| word == "running")
    });
    (is_set && profile.is_default()).then_some(Intent::Running)
}

/// The intent that a boot would infer from the files, whether or not the profile exists.
pub fn inferred_intent(world: &World, profile: &Profile) -> InferredIntent {
    let (record, state) = match profile_dir(world, profile) {
        Some(dir) => (contents(world, dir, INTENT), contents(world, dir, STATE)),
        None => (Contents::Missing, Contents::Missing),
    };
    recorded_intent::inferred_intent(record, state, bootstrap_intent(world, profile))
}

/// The intent that a boot would act on.
pub fn effective_intent(world: &World, profile: &Profile) -> Intent {
    inferred_intent(world, profile).intent
}

/// The intent file alone; a missing file is [`ObservedIntent::Unset`].
pub fn intent_file(world: &World, profile: &Profile) -> ObservedIntent {
    let Some(dir) = profile_dir(world, profile) else { return ObservedIntent::NoProfile };
    recorded_intent::observed_intent(contents(world, dir, INTENT), Contents::Missing, None)
}

/// The operator's intent as it is read now.
pub fn observed_intent(world: &World, profile: &Profile) -> ObservedIntent {
    match profile_dir(world, profile).filter(|_| profile_exists(world, profile)) {
        None => ObservedIntent::NoProfile,
        Some(dir) => recorded_intent::observed_intent(
            contents(world, dir, INTENT),
            contents(world, dir, STATE),
            bootstrap_intent(world, profile),
        ),
    }
}

/// What the gateway recorded of itself.
pub fn gateway_state(world: &World, profile: &Profile) -> StateRecord {
    profile_dir(world, profile)
        .map(|dir| recorded_intent::gateway_state(contents(world, dir, STATE)))
        .unwrap_or_default()
}

/// The process number in its `gateway.pid`; none for a file that cannot be read.
pub fn pidfile_pid(world: &World, profile: &Profile) -> Option<u32> {
    let dir = profile_dir(world, profile)?;
    recorded_intent::pidfile(contents(world, dir, "gateway.pid")).map(|gateway| gateway.process.pid)
}

/// The node of a profile's intent file.
pub fn intent_node(world: &World, profile: &Profile) -> Option<NodeId> {
    entry(world, profile_dir(world, profile)?, INTENT)
}

/// The node of a profile's gateway lock.
pub fn gateway_lock(world: &World, profile: &Profile) -> Option<NodeId> {
    entry(world, profile_dir(world, profile)?, ".gateway.lock")
}

/// Every intent that could be read if the power were cut now.
pub fn intents_after_power_cut(world: &World, profile: &Profile) -> BTreeSet<ObservedIntent> {
    let disk = &world.disk;
    let mut intents = BTreeSet::new();
    let mut dirs = BTreeSet::new();
    if profile.is_default() {
        dirs.insert(HOME_NODE);
    } else {
        for [profiles] in lookups_after_power_cut(disk, HOME_NODE, ["profiles"]) {
            let found = profiles.map(|dir| lookups_after_power_cut(disk, dir, [profile.as_str()]));
            for [dir] in found.unwrap_or_else(|| BTreeSet::from([[None]])) {
                match dir {
                    Some(dir) => drop(dirs.insert(dir)),
                    None => drop(intents.insert(ObservedIntent::NoProfile)),
                }
            }
        }
    }
    let bootstrap = bootstrap_intent(world, profile);
    for dir in dirs {
        for [soul, record, state] in lookups_after_power_cut(disk, dir, [SOUL, INTENT, STATE]) {
            if soul.is_none() && !profile.is_default() {
                intents.insert(ObservedIntent::NoProfile);
                continue;
            }
            for record in file_variants(disk, record) {
                for state in file_variants(disk, state) {
                    intents.insert(recorded_intent::observed_intent(
                        record.as_contents(),
                        state.as_contents(),
                        bootstrap,
                    ));
                }
            }
        }
    }
    intents
}

/// The nodes that these names of a directory can have together after a power cut.
fn lookups_after_power_cut<const N: usize>(
    disk: &Disk,
    dir: NodeId,
    names: [&str; N],
) -> BTreeSet<[Option<NodeId>; N]> {
    let Some(node) = disk.node(dir) else { return BTreeSet::from([[None; N]]) };
    let NodeBody::Directory(now) = &node.body else { return BTreeSet::from([[None; N]]) };
    let get = |all: &std::collections::BTreeMap<_, NodeId>| {
        names.map(|name| all.get(OsStr::new(name)).copied())
    };
    let Some(Unsynced::Directory { names: synced, changes: steps, .. }) = node.unsynced.as_deref()
    else {
        return BTreeSet::from([get(&now.names)]);
    };
    let mut found = get(synced);
    let mut all = BTreeSet::from([found]);
    for step in steps {
        let DirectoryChange::Names(changes) = step else { continue };
        for (changed, node) in changes {
            let place = names.iter().position(|name| changed == OsStr::new(name));
            if let Some(place) = place {
                found[place] = *node;
            }
        }
        all.insert(found);
    }
    all
}

/// A file as a power cut may leave it.
enum FileVariant {
    Missing,
    NoFile,
    Bytes(Vec<u8>),
}

impl FileVariant {
    fn as_contents(&self) -> Contents<'_> {
        match self {
            Self::Missing => Contents::Missing,
            Self::NoFile => Contents::NotAFile,
            Self::Bytes(bytes) => Contents::Bytes(bytes),
        }
    }
}

/// A file as last synced, as it is now, and torn: the outcomes of [`Disk::power_cut`].
fn file_variants(disk: &Disk, node: Option<NodeId>) -> Vec<FileVariant> {
    let Some(node) = node else { return vec![FileVariant::Missing] };
    let Some(node) = disk.node(node) else { return vec![FileVariant::Missing] };
    let NodeBody::File(now) = &node.body else { return vec![FileVariant::NoFile] };
    let mut all = vec![FileVariant::Bytes(now.clone())];
    if let Some(Unsynced::File { data, .. }) = node.unsynced.as_deref() {
        let same = now.iter().zip(data).take_while(|(new, old)| new == old).count();
        let written = same + (now.len() - same) / 2;
        let mut torn = now[..written].to_vec();
        torn.extend(data.iter().skip(written));
        all.extend([FileVariant::Bytes(data.clone()), FileVariant::Bytes(torn)]);
    }
    all
}

/// Temporary files, and locks of profiles that do not exist: paths below the home.
pub fn leftovers(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let real = profiles(world);
    for profile in &real {
        let Some(dir) = profile_dir(world, profile) else { continue };
        let is_temporary = |name: &String| name.starts_with('.') && name.ends_with(".hermes-tmp");
        let temporary = names(world, dir).into_iter().filter(is_temporary);
        found.extend(temporary.map(|name| format!("{profile}: {name}")));
    }
    let locks = entry(world, HOME_NODE, ".locks").map(|dir| names(world, dir)).unwrap_or_default();
    let ownerless =
        |name: &String| Profile::parse(name).is_ok_and(|profile| !real.contains(&profile));
    found.extend(locks.into_iter().filter(ownerless).map(|name| format!(".locks/{name}")));
    found
}

/// Profiles that are half made or half deleted, by their hidden names.
pub fn unfinished_profiles(world: &World) -> Vec<String> {
    let all = profiles_dir(world).map(|dir| names(world, dir)).unwrap_or_default();
    let hidden = |name: &String| name.starts_with(".new.") || name.starts_with(".gone.");
    all.into_iter().filter(hidden).collect()
}

/// Profiles that have the marker of a planned stop.
pub fn planned_stop_markers(world: &World) -> Vec<Profile> {
    let marked = |profile: &Profile| {
        profile_dir(world, profile).and_then(|dir| entry(world, dir, ".gateway-planned-stop.json"))
    };
    profiles(world).into_iter().filter(|profile| marked(profile).is_some()).collect()
}

/// The boot log as it is read now.
pub fn boot_log(world: &World) -> String {
    let logs = entry(world, HOME_NODE, "logs");
    let log = logs.and_then(|logs| entry(world, logs, "container-boot.log"));
    let bytes = log.and_then(|log| world.disk.contents(log)).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// Is the last part of this path the name of an intent file?
pub fn is_intent_path(path: &Path) -> bool {
    path.file_name() == Some(OsStr::new(INTENT))
}
