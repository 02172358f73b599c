//! Checks the expectations of a scenario on a real machine. Everything is read from files and processes; only `status` runs
//! the program itself.

use hermes::name::Profile;

use super::container::ObservedFile;
use super::exec::{ExecOutput, uid};
use super::machine::RealMachine;
use super::observe;
use super::setup::absolute_path;
use crate::observe::recorded_intent::ObservedIntent;
use crate::scenario::expect::{FileExpect, FileKindSpec, StatusExpect};
use crate::scenario::values::{IntentSpec, User};
use crate::scenario::{ContainerName, Expect, RunStep};

type CheckResult = Result<(), String>;

fn must(holds: bool, failure: impl FnOnce() -> String) -> CheckResult {
    if holds { Ok(()) } else { Err(failure()) }
}

/// Did a command end as expected?
pub(super) fn command(run: &RunStep, output: &ExecOutput) -> CheckResult {
    let ExecOutput { code, out, err, elapsed } = output;
    let expect = &run.expect;
    let has_expectation = *expect != Default::default();
    let Some(code) = code else {
        return must(!has_expectation, || format!("`{}` was killed; stderr: {err:?}", run.run));
    };
    let is_one_of =
        expect.exit.is_empty() || expect.exit.0.iter().any(|exit| i32::from(*exit) == *code);
    must(is_one_of, || {
        format!("exited {code}, not {:?}; stdout: {out:?}; stderr: {err:?}", expect.exit.0)
    })?;
    for (stream, printed, wanted) in
        [("stdout", out, &expect.stdout), ("stderr", err, &expect.stderr)]
    {
        for text in &wanted.0 {
            must(printed.contains(text.as_str()), || {
                format!("{stream} lacks {text:?}: {printed:?}")
            })?;
        }
    }
    let is_in_time = expect.within.is_none_or(|within| *elapsed <= within.0);
    must(is_in_time, || format!("took {} s", elapsed.as_secs_f32()))
}

/// Does every expectation hold now?
pub(super) fn holds(machine: &mut RealMachine, expect: &Expect) -> CheckResult {
    containers(machine, expect)?;
    expect.up.iter().try_for_each(|name| is_up(machine, &name.0))?;
    expect.down.iter().try_for_each(|name| is_down(machine, &name.0))?;
    slots(machine, expect)?;
    for (name, intent) in &expect.intent {
        let wanted = match intent {
            IntentSpec::Running => ObservedIntent::Running,
            IntentSpec::Stopped => ObservedIntent::Stopped,
        };
        let found = observe::intent(machine, &name.0);
        must(found == wanted, || format!("the intent of {name} is `{found}`"))?;
    }
    counts(machine, expect)?;
    printed(machine, expect)?;
    expect.file.iter().try_for_each(|(address, file)| is_file(machine, address, file))?;
    expect.status.iter().try_for_each(|(name, status)| has_status(machine, &name.0, status))
}

fn is_up(machine: &RealMachine, profile: &Profile) -> CheckResult {
    let found = observe::slot(machine, profile).ok_or_else(|| format!("{profile} has no slot"))?;
    must(found.is_supervised, || format!("the slot of {profile} is not supervised"))?;
    let live = observe::count_live_gateways(machine, profile);
    must(live == 1, || format!("{live} gateways of {profile} live, not 1"))?;
    let is_ready =
        found.record.is_some_and(|record| record.pid > 0 && record.is_ready && record.wants_up);
    must(is_ready, || format!("{profile} is not up, ready and wanted up: {:?}", found.record))
}

fn is_down(machine: &RealMachine, profile: &Profile) -> CheckResult {
    let found = observe::slot(machine, profile).ok_or_else(|| format!("{profile} has no slot"))?;
    let live = observe::count_live_gateways(machine, profile);
    must(live == 0, || format!("a gateway of {profile} lives"))?;
    let is_down = found.is_supervised
        && found.record.is_some_and(|record| record.pid == 0 && !record.wants_up);
    must(is_down, || format!("{profile} is not down and wanted down: {:?}", found.record))
}

fn slots(machine: &RealMachine, expect: &Expect) -> CheckResult {
    let names = observe::slot_names(machine, &observe::supervised_containers(machine));
    if let Some(wanted) = &expect.slots {
        let mut wanted: Vec<String> = wanted.iter().map(|name| format!("gateway-{name}")).collect();
        wanted.sort();
        must(names == wanted, || format!("slots are {names:?}, not {wanted:?}"))?;
    }
    for name in &expect.no_slot {
        must(!names.contains(&format!("gateway-{name}")), || format!("`{name}` has a slot"))?;
    }
    Ok(())
}

fn counts(machine: &RealMachine, expect: &Expect) -> CheckResult {
    for (name, wanted) in &expect.gateways {
        let found = observe::count_live_gateways(machine, &name.0);
        must(found == usize::from(*wanted), || format!("{found} gateways of {name} live"))?;
    }
    for (name, wanted) in &expect.starts {
        let found = observe::count_starts(machine, &name.0);
        must(found == usize::from(*wanted), || format!("{name} was started {found} times"))?;
    }
    for (name, count_max) in &expect.starts_at_most {
        let found = observe::count_starts(machine, &name.0);
        must(found <= usize::from(*count_max), || format!("{name} was started {found} times"))?;
    }
    for (name, wanted) in &expect.supervisors {
        let slot = format!("gateway-{name}");
        let found = observe::count(machine, |process| observe::supervises(process, &slot));
        must(found == usize::from(*wanted), || format!("{found} supervisors of {name} live"))?;
    }
    for (name, wanted) in &expect.loggers {
        let dir = format!("/logs/gateways/{name}");
        let found = observe::count(machine, |process| {
            process.program() == "s6-log" && process.argv.iter().any(|arg| arg.ends_with(&dir))
        });
        must(found == usize::from(*wanted), || format!("{found} loggers of {name} live"))?;
    }
    Ok(())
}

fn printed(machine: &RealMachine, expect: &Expect) -> CheckResult {
    for (name, texts) in &expect.log_has {
        let log = observe::log(machine, &name.0);
        for text in &texts.0 {
            must(log.contains(text.as_str()), || {
                format!("the log of {name} lacks {text:?}: {log}")
            })?;
        }
    }
    let boot_log = observe::boot_log(machine);
    for text in &expect.boot_log_has.0 {
        must(boot_log.contains(text.as_str()), || format!("container-boot.log lacks {text:?}"))?;
    }
    for (container, texts) in &expect.console_has {
        let console = machine.console(*container);
        for text in &texts.0 {
            must(console.contains(text.as_str()), || {
                format!("{container} never printed {text:?}")
            })?;
        }
    }
    Ok(())
}

fn containers(machine: &mut RealMachine, expect: &Expect) -> CheckResult {
    for container in &expect.running {
        must(machine.is_running(*container), || format!("{container} does not run"))?;
    }
    for container in &expect.ended {
        must(!machine.is_running(*container), || format!("{container} has not ended"))?;
    }
    Ok(())
}

fn is_file(machine: &RealMachine, address: &str, wanted: &FileExpect) -> CheckResult {
    let found = machine.observe_file(ContainerName(1), &absolute_path(address));
    let kind = found.as_ref().map_or(FileKindSpec::Absent, |file| file.kind);
    must(kind == wanted.is, || format!("`{address}` is {kind:?}, not {:?}", wanted.is))?;
    let text = found.as_ref().map(ObservedFile::text).unwrap_or_default();
    for wanted in &wanted.has.0 {
        must(text.contains(wanted.as_str()), || format!("`{address}` lacks {wanted:?}: {text}"))?;
    }
    for wanted in &wanted.lacks.0 {
        must(!text.contains(wanted.as_str()), || format!("`{address}` has {wanted:?}: {text}"))?;
    }
    if let (Some(owner), Some(file)) = (wanted.owner, found) {
        must(file.uid == uid(owner), || format!("`{address}` belongs to user {}", file.uid))?;
    }
    Ok(())
}

/// Does `gateway status --json` report this?
fn has_status(machine: &RealMachine, profile: &Profile, wanted: &StatusExpect) -> CheckResult {
    let argv = ["hermes", "-p", profile.as_str(), "gateway", "status", "--json"];
    let output = machine.run(ContainerName(1), User::Hermes, &machine.env(), &argv)?;
    let document: serde_json::Value = serde_json::from_str(&output.out).map_err(|error| {
        format!("status is no JSON, {error}: {:?} {:?}", output.out, output.err)
    })?;
    let gateway = &document["gateways"][0];
    let verdict = serde_json::to_value(wanted.verdict).unwrap_or_default();
    must(gateway["verdict"] == verdict, || format!("status of {profile}: {document}"))?;
    for drift in &wanted.drifts {
        let name = serde_json::to_value(drift).unwrap_or_default();
        let is_named = gateway["drifts"].as_array().is_some_and(|all| all.contains(&name));
        must(is_named, || format!("status of {profile} names no drift {name}: {document}"))?;
    }
    Ok(())
}
