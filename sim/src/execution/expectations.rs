//! Checks the expectations of a scenario against the world. Only `status` runs a command, in a copy of the machine.

use hermes::name::Profile;
use serde_json::Value;

use super::{CommandRun, Failure, FailureKind, disk_address, run_in_copy};
use crate::machine::disk::NodeBody;
use crate::machine::process::Process;
use crate::machine::world::{ContainerId, ContainerPhase, World};
use crate::machine::{Machine, ProcessOutput};
use crate::observe::process::{gateways, is_logger, is_supervisor, is_working};
use crate::observe::recorded_intent::ObservedIntent;
use crate::observe::service::Service;
use crate::observe::{service, slot, volume};
use crate::scenario::expect::{FileExpect, FileKindSpec, StatusExpect};
use crate::scenario::{Expect, ProfileName, RunStep, values};

/// A failed expectation of the scenario: the part of the step, and what was observed.
pub(super) fn expectation_failure(
    expectation: impl Into<String>,
    detail: impl Into<String>,
) -> Failure {
    let kind = FailureKind::Expectation;
    Failure { kind, expectation: expectation.into(), detail: detail.into() }
}

/// Checks how a command ended.
pub(super) fn check_command_end(
    run: &RunStep,
    command: &CommandRun,
    printed: Option<&ProcessOutput>,
) -> Result<(), Failure> {
    let out = text(printed.map(|printed| &printed.stdout));
    let err = text(printed.map(|printed| &printed.stderr));
    let Some(exit) = command.exit else {
        return match run.expect == Default::default() {
            true => Ok(()),
            false => Err(expectation_failure(
                format!("end of {}", run.run),
                format!("`{}` was cut short", run.run),
            )),
        };
    };
    if !run.expect.exit.is_empty() && !run.expect.exit.0.contains(&exit) {
        let detail = format!(
            "`{}` exited {exit}, not {:?}; stdout: {out:?}; stderr: {err:?}",
            run.run, run.expect.exit.0
        );
        return Err(expectation_failure(format!("exit of {}", run.run), detail));
    }
    let streams = [("stdout", &out, &run.expect.stdout), ("stderr", &err, &run.expect.stderr)];
    for (stream, printed, expected) in streams {
        if let Some(wanted) = expected.0.iter().find(|wanted| !printed.contains(wanted.as_str())) {
            let detail = format!("`{}`: {stream} lacks {wanted:?}: {printed:?}", run.run);
            return Err(expectation_failure(format!("{stream} of {}", run.run), detail));
        }
    }
    Ok(())
}

fn text(bytes: Option<&Vec<u8>>) -> String {
    bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

type Check = Result<(), String>;

fn ensure(holds: bool, detail: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(detail()) }
}

/// Does the whole expectation hold now? If not: the part that does not, and what was observed.
pub(super) fn check_expect(
    machine: &Machine,
    expect: &Expect,
) -> Result<(), (&'static str, String)> {
    let world = &machine.world;
    let up = || expect.up.iter().try_for_each(|name| is_up(world, &name.0));
    let down = || expect.down.iter().try_for_each(|name| is_down(world, &name.0));
    let files = || expect.file.iter().try_for_each(|(at, file)| is_file(world, at, file));
    let status =
        |(name, status): (&ProfileName, &StatusExpect)| check_status(machine, &name.0, status);
    up().map_err(|detail| ("up", detail))?;
    down().map_err(|detail| ("down", detail))?;
    slots(world, expect).map_err(|detail| ("slots", detail))?;
    intents(world, expect).map_err(|detail| ("intent", detail))?;
    counts(machine, expect).map_err(|detail| ("gateways", detail))?;
    check_printed(machine, expect).map_err(|detail| ("log", detail))?;
    containers(world, expect).map_err(|detail| ("containers", detail))?;
    files().map_err(|detail| ("file", detail))?;
    expect.status.iter().try_for_each(status).map_err(|detail| ("status", detail))
}

fn intents(world: &World, expect: &Expect) -> Check {
    for (name, intent) in &expect.intent {
        let wanted = match intent {
            values::IntentSpec::Running => ObservedIntent::Running,
            values::IntentSpec::Stopped => ObservedIntent::Stopped,
        };
        let found = volume::intent_file(world, &name.0);
        ensure(found == wanted, || format!("the intent of {name} is `{found}`"))?;
    }
    Ok(())
}

fn count_gateways(world: &World, profile: &Profile) -> usize {
    gateways(world)
        .filter(|(_, process, of)| of == profile && is_working(world, process, of))
        .count()
}

fn is_up(world: &World, profile: &Profile) -> Check {
    let Some(Service { record, is_supervised: supervised, .. }) =
        service::find_service(world, profile)
    else {
        return Err(format!("{profile} has no slot"));
    };
    ensure(supervised, || format!("the slot of {profile} has no supervisor"))?;
    ensure(count_gateways(world, profile) == 1, || {
        format!("{} gateways of {profile} live, not 1", count_gateways(world, profile))
    })?;
    let ready = record.is_some_and(|record| record.pid > 0 && record.is_ready && record.wants_up);
    ensure(ready, || format!("{profile} is not up, ready and wanted up: {record:?}"))
}

fn is_down(world: &World, profile: &Profile) -> Check {
    let Some(Service { record, is_supervised: supervised, .. }) =
        service::find_service(world, profile)
    else {
        return Err(format!("{profile} has no slot"));
    };
    ensure(count_gateways(world, profile) == 0, || format!("a gateway of {profile} lives"))?;
    let down = supervised && record.is_some_and(|record| record.pid == 0 && !record.wants_up);
    ensure(down, || format!("{profile} is not down and wanted down: {record:?}"))
}

fn slots(world: &World, expect: &Expect) -> Check {
    let scanned = slot::scanned_dirs(world);
    let visible: Vec<String> = scanned
        .iter()
        .flat_map(|(_, dir)| slot::visible_slots(world, *dir))
        .map(|slot| slot.profile.to_string())
        .collect();
    if let Some(wanted) = &expect.slots {
        let mut wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let mut found = visible.clone();
        wanted.sort();
        found.sort();
        ensure(found == wanted, || format!("slots are {found:?}, not {wanted:?}"))?;
    }
    let names: Vec<String> =
        scanned.iter().flat_map(|(_, dir)| volume::names(world, *dir)).collect();
    for name in &expect.no_slot {
        let entry = format!("gateway-{name}");
        ensure(!names.contains(&entry), || format!("`{name}` has a slot"))?;
    }
    Ok(())
}

fn counts(machine: &Machine, expect: &Expect) -> Check {
    let world = &machine.world;
    for (name, wanted) in &expect.gateways {
        let found = count_gateways(world, &name.0);
        ensure(found == usize::from(*wanted), || format!("{found} gateways of {name} live"))?;
    }
    let first = ContainerId(1);
    let namespace = world.container(first).namespace;
    let starts = |name: &ProfileName| {
        machine.gateway_starts.get(&(first, namespace, name.0.clone())).copied().unwrap_or_default()
    };
    for (name, wanted) in &expect.starts {
        let found = starts(name);
        ensure(found == *wanted, || format!("{name} was started {found} times, not {wanted}"))?;
    }
    for (name, most) in &expect.starts_at_most {
        let found = starts(name);
        ensure(found <= *most, || format!("{name} was started {found} times, over {most}"))?;
    }
    for (name, wanted) in &expect.supervisors {
        let own = format!("gateway-{name}");
        let found = count(world, |process| {
            is_supervisor(process) && process.argv.iter().any(|word| *word == *own)
        });
        ensure(found == usize::from(*wanted), || format!("{found} supervisors of {name} live"))?;
    }
    for (name, wanted) in &expect.loggers {
        let dir = format!("/logs/gateways/{name}");
        let own = |process: &Process| {
            process.argv.iter().any(|word| word.to_string_lossy().ends_with(&dir))
        };
        let found = count(world, |process| is_logger(process) && own(process));
        ensure(found == usize::from(*wanted), || format!("{found} loggers of {name} live"))?;
    }
    Ok(())
}

fn count(world: &World, is: impl Fn(&Process) -> bool) -> usize {
    world.processes().filter(|(_, process)| is(process)).count()
}

fn check_printed(machine: &Machine, expect: &Expect) -> Check {
    for (name, texts) in &expect.log_has {
        let outputs =
            machine.outputs.values().filter(|output| output.gateway.as_ref() == Some(&name.0));
        let printed: String = outputs
            .map(|output| text(Some(&output.stdout)) + &text(Some(&output.stderr)))
            .collect();
        for wanted in &texts.0 {
            ensure(printed.contains(wanted.as_str()), || {
                format!("the log of {name} lacks {wanted:?}")
            })?;
        }
    }
    let boot_log = volume::boot_log(&machine.world);
    for wanted in &expect.boot_log_has.0 {
        ensure(boot_log.contains(wanted.as_str()), || {
            format!("container-boot.log lacks {wanted:?}: {boot_log}")
        })?;
    }
    for (container, texts) in &expect.console_has {
        let outputs =
            machine.outputs.values().filter(|output| output.who.container.0 == container.0);
        let printed: String = outputs
            .map(|output| text(Some(&output.stdout)) + &text(Some(&output.stderr)))
            .collect();
        for wanted in &texts.0 {
            ensure(printed.contains(wanted.as_str()), || {
                format!("{container} never printed {wanted:?}")
            })?;
        }
    }
    Ok(())
}

fn containers(world: &World, expect: &Expect) -> Check {
    let phase = |number: u8| world.container(ContainerId(number)).phase;
    for container in &expect.running {
        ensure(phase(container.0) == ContainerPhase::Running, || {
            format!("{container} does not run")
        })?;
    }
    for container in &expect.ended {
        let ended = matches!(phase(container.0), ContainerPhase::Exited(_));
        ensure(ended, || format!("{container} has not ended"))?;
    }
    Ok(())
}

fn is_file(world: &World, address: &str, wanted: &FileExpect) -> Check {
    let node = disk_address::find_node(world, address);
    let node = node.and_then(|id| world.disk.node(id));
    let kind = match node.map(|node| &node.body) {
        None => FileKindSpec::Absent,
        Some(NodeBody::Directory(_)) => FileKindSpec::Dir,
        Some(NodeBody::Link(_)) => FileKindSpec::Link,
        Some(_) => FileKindSpec::File,
    };
    ensure(kind == wanted.is, || format!("`{address}` is {kind:?}, not {:?}", wanted.is))?;
    let bytes = match node.map(|node| &node.body) {
        Some(NodeBody::File(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    for text in &wanted.has.0 {
        ensure(bytes.contains(text.as_str()), || format!("`{address}` lacks {text:?}: {bytes}"))?;
    }
    for text in &wanted.lacks.0 {
        ensure(!bytes.contains(text.as_str()), || format!("`{address}` has {text:?}: {bytes}"))?;
    }
    if let (Some(owner), Some(node)) = (wanted.owner, node) {
        let uid = node.status.uid;
        ensure(uid == disk_address::uid(owner), || format!("`{address}` belongs to user {uid}"))?;
    }
    Ok(())
}

/// Checks what `gateway status --json` prints in a copy of the machine in which nothing else moves.
fn check_status(machine: &Machine, profile: &Profile, wanted: &StatusExpect) -> Check {
    let document = query_status(machine, profile)?;
    let gateway = &document["gateways"][0];
    let verdict = gateway["verdict"].as_str().unwrap_or_default();
    let expected = serde_json::to_value(wanted.verdict).unwrap_or_default();
    ensure(expected == verdict, || format!("status of {profile}: {document}"))?;
    for drift in &wanted.drifts {
        let word = serde_json::to_value(drift).unwrap_or_default();
        let named = gateway["drifts"].as_array().is_some_and(|all| {
            all.iter()
                .any(|named| *named == word || named["drift"] == word || named["kind"] == word)
        });
        ensure(named, || format!("status of {profile} names no drift {word}: {document}"))?;
    }
    Ok(())
}

/// Runs `hermes -p P gateway status --json` in a copy.
fn query_status(machine: &Machine, profile: &Profile) -> Result<Value, String> {
    let printed = run_in_copy(machine, &["-p", profile.as_str(), "gateway", "status", "--json"])
        .map_err(|errno| format!("status cannot be asked: {errno}"))?;
    serde_json::from_slice(&printed).map_err(|error| format!("status is no JSON: {error}"))
}
