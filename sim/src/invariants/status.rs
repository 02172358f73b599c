//! L7: what `gateway status --all --json` printed, beside what is so.

use std::collections::BTreeSet;

use hermes::name::Profile;
use hermes::record::intent::Intent;
use serde_json::Value;

use super::name::breach;
use super::rest::seat;
use super::{Breach, Name};
use crate::machine::world::{ContainerId, World};
use crate::observe::service::{self, Service};
use crate::observe::slot::{self, Record, Slot};
use crate::observe::volume;

/// L7: an operator who is told that all is well looks no further. For a world in which nobody has moved since.
pub fn status_agrees(world: &World, stdout: &[u8]) -> Result<(), Breach> {
    let Ok(document) = serde_json::from_slice::<Value>(stdout) else {
        return breach(Name::L7, "it is no JSON");
    };
    let Some(gateways) = document.get("gateways").and_then(Value::as_array) else {
        return breach(Name::L7, "it names no gateways");
    };
    let mut named = BTreeSet::new();
    for told in gateways {
        let name = word(told, "profile");
        let Ok(profile) = Profile::parse(name) else {
            return breach(Name::L7, format!("it names {name:?}"));
        };
        // One that could not be looked at says so.
        if told.get("error").is_none() {
            one_agrees(world, &profile, told)?;
        }
        named.insert(profile);
    }
    match volume::profiles(world).symmetric_difference(&named).next() {
        Some(profile) => breach(Name::L7, format!("{profile} is told of, or is there, not both")),
        None => Ok(()),
    }
}

fn word<'a>(told: &'a Value, key: &str) -> &'a str {
    told.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn one_agrees(world: &World, profile: &Profile, told: &Value) -> Result<(), Breach> {
    let mut facts = vec![("intent", volume::effective(world, profile).word())];
    let found = seat(world).and_then(|(id, dir)| {
        let mut slots = slot::visible(world, dir).into_iter();
        slots.find(|found| found.profile == *profile).map(|found| (id, found))
    });
    let on_host = service::of(world, profile).filter(|_| service::host(world).is_some());
    let record = match (&found, word(told, "presence")) {
        (_, "foreground") => None,
        (None, _) if on_host.is_some() => {
            let Service { starts, record, .. } = on_host.expect("looked at above");
            facts.push(("presence", "supervised"));
            facts.push(("at_start", if starts { "up" } else { "down" }));
            record.inspect(|record| told_of(*record, &mut facts))
        }
        (None, _) => {
            facts.push(("presence", "unregistered"));
            None
        }
        (Some((id, found)), _) => supervised(world, *id, found, &mut facts),
    };
    for (key, fact) in facts {
        if word(told, key) != fact {
            return breach(
                Name::L7,
                format!("{profile}: it says {key} {:?}, and {fact:?} is so", word(told, key)),
            );
        }
    }
    match record {
        Some(record) => names_each_drift(world, profile, told, record),
        None => Ok(()),
    }
}

fn supervised(
    world: &World,
    id: ContainerId,
    found: &Slot,
    facts: &mut Vec<(&'static str, &'static str)>,
) -> Option<Record> {
    let supervisor = slot::supervisor(world, id, found);
    let presence = if supervisor.is_some() { "supervised" } else { "unsupervised" };
    facts.push(("presence", presence));
    let record = supervisor.and_then(|_| slot::record(world, found))?;
    facts.push(("at_start", if found.is_down { "down" } else { "up" }));
    told_of(record, facts);
    Some(record)
}

fn told_of(record: Record, facts: &mut Vec<(&'static str, &'static str)>) {
    facts.push(("want", if record.wants_up { "up" } else { "down" }));
    facts.push((
        "fact",
        match (record.pid, record.is_finishing) {
            (0, _) => "down",
            (_, true) => "finishing",
            (_, false) => "up",
        },
    ));
}

/// As intended is only what is wanted, lives and is ready as the intent has it.
fn names_each_drift(
    world: &World,
    profile: &Profile,
    told: &Value,
    record: Record,
) -> Result<(), Breach> {
    let runs = volume::effective(world, profile) == Intent::Running;
    let is_up = record.pid != 0 && !record.is_finishing && record.is_ready;
    let as_asked = record.wants_up == runs && if runs { is_up } else { record.pid == 0 };
    let drifts = told.get("drifts").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let verdict = word(told, "verdict");
    if (verdict == "drift") != drifts {
        return breach(Name::L7, format!("{profile}: verdict {verdict:?}, drifts: {drifts}"));
    }
    match !as_asked && !drifts && record.pid != 0 {
        true => breach(Name::L7, format!("{profile}: it names no drift, and {record:?} is so")),
        false => Ok(()),
    }
}
