//! Commands are killed at random instants; then the machine restarts, and all is whole again.
//!
//! For each profile the test keeps the set of allowed states: the result of the last command that exited 0, and of each
//! command killed since.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;

use super::machine;
use crate::support::machine::{
    End, Machine, expect_that, first_child, names, raw, strike_after, wait_until,
};

const COMMANDS: usize = 200;
/// Commands between two restarts.
const ROUND: usize = 50;
const PROFILES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ProfileState {
    Absent,
    /// It exists, and was never started or stopped.
    Unasked,
    Running,
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TortureVerb {
    Create,
    Start,
    Stop,
    Delete,
}

impl TortureVerb {
    fn line(self, profile: &str) -> String {
        match self {
            Self::Create => format!("profile create {profile}"),
            Self::Start => format!("-p {profile} gateway start"),
            Self::Stop => format!("-p {profile} gateway stop"),
            Self::Delete => format!("profile delete {profile} -y"),
        }
    }

    /// The profile's state after the command; `None`: it must refuse.
    fn resulting_state(self, of: ProfileState) -> Option<ProfileState> {
        match (self, of) {
            (Self::Create, ProfileState::Absent) => Some(ProfileState::Unasked),
            // It may have found a complete profile without a slot, and made the slot.
            (Self::Create, there) => Some(there),
            // A slot that outlived its profile, half deleted, can still be stopped.
            (Self::Stop, ProfileState::Absent) => Some(ProfileState::Absent),
            (_, ProfileState::Absent) => None,
            (Self::Start, _) => Some(ProfileState::Running),
            (Self::Stop, _) => Some(ProfileState::Stopped),
            (Self::Delete, _) => Some(ProfileState::Absent),
        }
    }
}

/// The allowed states of a profile.
type PossibleStates = BTreeSet<ProfileState>;

fn after(verb: TortureVerb, may: &PossibleStates, exited: Option<i32>) -> PossibleStates {
    let made: PossibleStates = may.iter().filter_map(|&is| verb.resulting_state(is)).collect();
    match exited {
        Some(0) => made,
        // Killed, or refused with a reason: the old, or the new. A delete stores a stop before all else.
        _ => {
            let mut both: PossibleStates = may.union(&made).copied().collect();
            if verb == TortureVerb::Delete && made.contains(&ProfileState::Absent) {
                both.insert(ProfileState::Stopped);
            }
            both
        }
    }
}

/// A repeatable random number generator: splitmix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

fn seed() -> u64 {
    match std::env::var("HERMES_TORTURE_SEED") {
        Ok(text) => text.parse().expect("HERMES_TORTURE_SEED is a number"),
        Err(_) => std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |since| u64::from(since.subsec_nanos())),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "shown when the test fails: how to repeat it")]
fn h6_h22_h23_commands_killed_at_any_instant_leave_nothing_half() {
    let seed = seed();
    println!("HERMES_TORTURE_SEED={seed}");
    let mut chance = Chance(seed);
    let mut machine = machine();
    let mut all: BTreeMap<&str, PossibleStates> = PROFILES
        .iter()
        .map(|&profile| (profile, PossibleStates::from([ProfileState::Absent])))
        .collect();
    let mut kills = 0;
    for number in 1..=COMMANDS {
        let (profile, may) = all.iter_mut().nth(chance.below(3)).expect("one of three");
        let verb = choose(&mut chance, may);
        let line = verb.line(profile);
        let mercy = lifespan_limit(&mut chance);
        let exited = strike(&machine, &line, mercy);
        println!("{number}: {line}, {mercy:?}: {exited:?}, was {may:?}");
        kills += usize::from(exited.is_none());
        *may = after(verb, may, exited);
        assert!(!may.is_empty(), "`{line}` exited 0 and cannot have done it");
        check_records(&machine.home());
        if number % ROUND == 0 {
            machine.restart(if chance.below(2) == 0 { End::Kill } else { End::Term });
            settle(&machine, &mut all);
        }
    }
    println!("{kills} of {COMMANDS} commands were killed");
    assert!(kills > COMMANDS / 4, "{kills} kills prove little");
}

/// How long a command may live; `None`: to its end. Short lives are many, since commands are short.
fn lifespan_limit(chance: &mut Chance) -> Option<Duration> {
    let longest_us = [0, 2_000, 5_000, 10_000, 40_000][chance.below(5)];
    let micros = u64::try_from(chance.below(longest_us.max(1))).expect("small");
    (longest_us > 0).then(|| Duration::from_micros(micros))
}

/// Mostly commands that fit the present profiles, so that all verbs have work.
fn choose(chance: &mut Chance, may: &PossibleStates) -> TortureVerb {
    let absent = may.iter().all(|&is| is == ProfileState::Absent);
    match chance.below(10) {
        0..=6 if absent => TortureVerb::Create,
        0..=3 => TortureVerb::Start,
        4..=6 => TortureVerb::Stop,
        7..=8 => TortureVerb::Delete,
        _ => TortureVerb::Create,
    }
}

/// Runs a command, and kills it, and no other process, when its time is over. `None`: it was killed.
fn strike(machine: &Machine, line: &str, mercy: Option<Duration>) -> Option<i32> {
    let mut child = machine.begin(line);
    let handle = mercy.and_then(|_| handle_of_hermes(&mut child));
    if let (Some(mercy), Some(handle)) = (mercy, handle) {
        strike_after(mercy);
        // It may have ended meanwhile; the handle cannot mean another process.
        let _ = pidfd_send_signal(handle, Signal::KILL);
    }
    let outcome = machine.finish(line, child);
    let said = outcome.code == Some(0) || outcome.code.is_none() || outcome.err.contains('✗');
    assert!(said && !outcome.err.contains("panicked"), "{outcome}");
    outcome.code
}

/// hermes is nsenter's only child, and stays so until nsenter has seen it end.
fn handle_of_hermes(nsenter: &mut std::process::Child) -> Option<OwnedFd> {
    let found = wait_until("the command's process", || match nsenter.try_wait() {
        Ok(Some(_)) => Ok(None),
        _ => first_child(nsenter.id()).map(Some),
    });
    let handle = pidfd_open(raw(found?), PidfdFlags::empty()).ok()?;
    (first_child(nsenter.id()).ok() == found).then_some(handle)
}

/// A record is intact at every instant, whatever was killed.
fn check_records(home: &Path) {
    for name in names(&home.join("profiles")) {
        let dir = home.join("profiles").join(&name);
        for file in names(&dir) {
            let record = file.ends_with(".json") && !file.starts_with('.');
            let Ok(text) = std::fs::read_to_string(dir.join(&file)) else { continue };
            let whole = serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_object());
            assert!(!record || whole, "{name}/{file} is torn: {text:?}");
        }
    }
}

/// After a boot: each profile is in one of its allowed states, and nothing else is there.
fn settle(machine: &Machine, all: &mut BTreeMap<&str, PossibleStates>) {
    let mut slots = vec!["gateway-default".to_owned()];
    for (profile, may) in all.iter_mut() {
        let is = read_state(machine, profile);
        assert!(may.contains(&is), "{profile} is {is:?}, and may be {may:?}");
        *may = PossibleStates::from([is]);
        if is == ProfileState::Absent {
            assert_eq!(machine.everything_of(profile), []);
            continue;
        }
        slots.push(format!("gateway-{profile}"));
        let verdict = if is == ProfileState::Running { "up" } else { "down" };
        machine.wait_status(profile, "verdict", verdict);
        assert_eq!(machine.gateways(profile).len(), usize::from(is == ProfileState::Running));
    }
    slots.sort();
    assert_eq!(machine.scan_dir(), slots, "no half slot, no stage");
    check_names(machine, all);
    second_boot_changes_nothing(machine);
}

fn read_state(machine: &Machine, profile: &str) -> ProfileState {
    let dir = machine.profile_dir(profile);
    if !dir.exists() {
        return ProfileState::Absent;
    }
    assert!(dir.join("SOUL.md").exists(), "half a profile: {:?}", names(&dir));
    let Ok(text) = std::fs::read_to_string(dir.join("gateway_intent.json")) else {
        return ProfileState::Unasked;
    };
    let record: Value = serde_json::from_str(&text).expect("a whole record");
    match record["intent"].as_str() {
        Some("running") => ProfileState::Running,
        Some("stopped") => ProfileState::Stopped,
        other => panic!("{profile} was told {other:?}"),
    }
}

/// No temporary name, stage, lock or log without an owner.
fn check_names(machine: &Machine, all: &BTreeMap<&str, PossibleStates>) {
    let there = |name: &str| !all[name].contains(&ProfileState::Absent);
    let owners: Vec<&str> = PROFILES.into_iter().filter(|name| there(name)).collect();
    let home = machine.home();
    assert_eq!(names(&home.join("profiles")), owners);
    for below in [".locks", "logs/gateways"] {
        let mut names = names(&home.join(below));
        names.retain(|name| name != "default" && !owners.contains(&name.as_str()));
        assert_eq!(names, Vec::<String>::new(), "without an owner in {below}");
    }
    let dirs = owners.iter().map(|name| machine.profile_dir(name)).chain([home.clone()]);
    for dir in dirs {
        let temporary = names(&dir).into_iter().filter(|name| name.ends_with(".hermes-tmp"));
        assert_eq!(temporary.collect::<Vec<_>>(), Vec::<String>::new(), "{}", dir.display());
    }
}

fn second_boot_changes_nothing(machine: &Machine) {
    let loggers_run = |all: &[crate::support::machine::MachineProcess]| {
        let count = |words: &str| all.iter().filter(|process| process.line.contains(words)).count();
        count("s6-log") == machine.scan_dir().len()
    };
    let before = wait_until("all loggers run", || {
        let all = machine.processes();
        expect_that(loggers_run(&all), || format!("{all:?}")).map(|()| all)
    });
    let slots = machine.scan_dir();
    let pass = machine.hermes_ok("--json boot reconcile").json();
    assert_eq!(pass["swept"], serde_json::json!([]));
    assert_eq!((machine.processes(), machine.scan_dir()), (before, slots));
}
