//! L7: compares the output of `gateway status --all --json` with the world.

use std::collections::BTreeSet;

use hermes::name::Profile;
use hermes::record::intent::Intent;
use serde_json::Value;

use super::Violation;
use super::quiescence::supervised_scan_dir;
use super::violation::violation;
use crate::machine::world::{ContainerId, World};
use crate::observe::service::{self, Service};
use crate::observe::slot::{self, Slot, SupervisorRecord};
use crate::observe::volume;
use crate::scenario::Invariant;

/// L7: an operator who reads that all is well looks no further. The world must not have changed since the output.
pub fn check_status(world: &World, stdout: &[u8]) -> Result<(), Violation> {
    let Ok(document) = serde_json::from_slice::<Value>(stdout) else {
        return violation(Invariant::L7, "the output is no JSON");
    };
    let Some(gateways) = document.get("gateways").and_then(Value::as_array) else {
        return violation(Invariant::L7, "the output names no gateways");
    };
    let mut named = BTreeSet::new();
    for gateway in gateways {
        let name = text_field(gateway, "profile");
        let Ok(profile) = Profile::parse(name) else {
            return violation(Invariant::L7, format!("the output names {name:?}"));
        };
        // A gateway that could not be read has an error.
        if gateway.get("error").is_none() {
            check_one_status(world, &profile, gateway)?;
        }
        named.insert(profile);
    }
    match volume::profiles(world).symmetric_difference(&named).next() {
        Some(profile) => {
            violation(Invariant::L7, format!("{profile} is in the output or exists, not both"))
        }
        None => Ok(()),
    }
}

fn text_field<'a>(gateway: &'a Value, key: &str) -> &'a str {
    gateway.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn check_one_status(world: &World, profile: &Profile, gateway: &Value) -> Result<(), Violation> {
    let mut facts = vec![("intent", volume::effective_intent(world, profile).as_str())];
    let found = supervised_scan_dir(world).and_then(|(id, dir)| {
        let mut slots = slot::visible_slots(world, dir).into_iter();
        slots.find(|found| found.profile == *profile).map(|found| (id, found))
    });
    let on_host =
        service::find_service(world, profile).filter(|_| service::running_host(world).is_some());
    let record = match (&found, text_field(gateway, "presence")) {
        (_, "foreground") => None,
        (None, _) if on_host.is_some() => {
            let Service { starts_at_boot: starts, record, .. } =
                on_host.expect("checked by the guard");
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
    for (key, expected) in facts {
        let printed = text_field(gateway, key);
        if printed != expected {
            return violation(
                Invariant::L7,
                format!(
                    "{profile}: {key} is {printed:?} in the output, and {expected:?} in the world"
                ),
            );
        }
    }
    match record {
        Some(record) => check_drift(world, profile, gateway, record),
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

/// A gateway is as intended only if its target state, its process and its readiness agree with the intent.
fn check_drift(
    world: &World,
    profile: &Profile,
    gateway: &Value,
    record: SupervisorRecord,
) -> Result<(), Violation> {
    let runs = volume::effective_intent(world, profile) == Intent::Running;
    let is_up = record.pid != 0 && !record.is_finishing && record.is_ready;
    let is_as_intended = record.wants_up == runs && if runs { is_up } else { record.pid == 0 };
    let drifts = gateway.get("drifts").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let verdict = text_field(gateway, "verdict");
    if (verdict == "drift") != drifts {
        return violation(
            Invariant::L7,
            format!("{profile}: verdict {verdict:?}, drifts: {drifts}"),
        );
    }
    match !is_as_intended && !drifts && record.pid != 0 {
        true => violation(
            Invariant::L7,
            format!("{profile}: the output names no drift, and the record is {record:?}"),
        ),
        false => Ok(()),
    }
}
