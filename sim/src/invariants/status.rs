//! L7: what `gateway status --all --json` printed, beside what is so.

use std::collections::BTreeSet;

use hermes::name::Profile;
use hermes::record::intent::Intent;
use serde_json::Value;

use super::quiescence::supervised_scan_dir;
use super::violation::violation;
use super::{Name, Violation};
use crate::machine::world::{ContainerId, World};
use crate::observe::service::{self, Service};
use crate::observe::slot::{self, Slot, SupervisorRecord};
use crate::observe::volume;

/// L7: an operator who is told that all is well looks no further. For a world in which nobody has moved since.
pub fn check_status(world: &World, stdout: &[u8]) -> Result<(), Violation> {
    let Ok(document) = serde_json::from_slice::<Value>(stdout) else {
        return violation(Name::L7, "it is no JSON");
    };
    let Some(gateways) = document.get("gateways").and_then(Value::as_array) else {
        return violation(Name::L7, "it names no gateways");
    };
    let mut named = BTreeSet::new();
    for told in gateways {
        let name = text_field(told, "profile");
        let Ok(profile) = Profile::parse(name) else {
            return violation(Name::L7, format!("it names {name:?}"));
        };
        // One that could not be looked at says so.
        if told.get("error").is_none() {
            check_one_status(world, &profile, told)?;
        }
        named.insert(profile);
    }
    match volume::profiles(world).symmetric_difference(&named).next() {
        Some(profile) => {
            violation(Name::L7, format!("{profile} is told of, or is there, not both"))
        }
        None => Ok(()),
    }
}

fn text_field<'a>(told: &'a Value, key: &str) -> &'a str {
    told.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn check_one_status(world: &World, profile: &Profile, told: &Value) -> Result<(), Violation> {
    let mut facts = vec![("intent", volume::effective_intent(world, profile).as_str())];
    let found = supervised_scan_dir(world).and_then(|(id, dir)| {
        let mut slots = slot::visible_slots(world, dir).into_iter();
        slots.find(|found| found.profile == *profile).map(|found| (id, found))
    });
    let on_host =
        service::find_service(world, profile).filter(|_| service::running_host(world).is_some());
    let record = match (&found, text_field(told, "presence")) {
        (_, "foreground") => None,
        (None, _) if on_host.is_some() => {
            let Service { starts_at_boot: starts, record, .. } = on_host.expect("looked at above");
            facts.push(("presence", "supervised"));
            facts.push(("at_start", if starts { "up" } else { "down" }));
            record.inspect(|record| push_record_facts(*record, &mut facts))
        }
        (None, _) => {
            facts.push(("presence", "unregistered"));
            None
        }
        (Some((id, found)), _) => push_slot_facts(world, *id, found, &mut facts),
    };
    for (key, fact) in facts {
        if text_field(told, key) != fact {
            return violation(
                Name::L7,
                format!("{profile}: it says {key} {:?}, and {fact:?} is so", text_field(told, key)),
            );
        }
    }
    match record {
        Some(record) => check_drift(world, profile, told, record),
        None => Ok(()),
    }
}

fn push_slot_facts(
    world: &World,
    id: ContainerId,
    found: &Slot,
    facts: &mut Vec<(&'static str, &'static str)>,
) -> Option<SupervisorRecord> {
    let supervisor = slot::supervisor(world, id, found);
    let presence = if supervisor.is_some() { "supervised" } else { "unsupervised" };
    facts.push(("presence", presence));
    let record = supervisor.and_then(|_| slot::supervisor_record(world, found))?;
    facts.push(("at_start", if found.has_down_file { "down" } else { "up" }));
    push_record_facts(record, facts);
    Some(record)
}

fn push_record_facts(record: SupervisorRecord, facts: &mut Vec<(&'static str, &'static str)>) {
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
fn check_drift(
    world: &World,
    profile: &Profile,
    told: &Value,
    record: SupervisorRecord,
) -> Result<(), Violation> {
    let runs = volume::effective_intent(world, profile) == Intent::Running;
    let is_up = record.pid != 0 && !record.is_finishing && record.is_ready;
    let as_asked = record.wants_up == runs && if runs { is_up } else { record.pid == 0 };
    let drifts = told.get("drifts").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let verdict = text_field(told, "verdict");
    if (verdict == "drift") != drifts {
        return violation(Name::L7, format!("{profile}: verdict {verdict:?}, drifts: {drifts}"));
    }
    match !as_asked && !drifts && record.pid != 0 {
        true => violation(Name::L7, format!("{profile}: it names no drift, and {record:?} is so")),
        false => Ok(()),
    }
}
