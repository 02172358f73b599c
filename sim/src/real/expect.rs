//! Is what the story expects so? Read off the real world; only `status` is asked of the program itself.

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

fn must(holds: bool, what: impl FnOnce() -> String) -> CheckResult {
    if holds { Ok(()) } else { Err(what()) }
}

/// Did a command end as expected?
pub(super) fn command(run: &RunStep, ended: &ExecOutput) -> CheckResult {
    let ExecOutput { code, out, err, took } = ended;
    let expect = &run.expect;
    let is_asked = *expect != Default::default();
    let Some(code) = code else {
        return must(!is_asked, || format!("`{}` was cut short; stderr: {err:?}", run.run));
    };
    let is_one_of =
        expect.exit.is_empty() || expect.exit.0.iter().any(|it| i32::from(*it) == *code);
    must(is_one_of, || {
        format!("exited {code}, not {:?}; stdout: {out:?}; stderr: {err:?}", expect.exit.0)
    })?;
    for (stream, said, wanted) in [("stdout", out, &expect.stdout), ("stderr", err, &expect.stderr)]
    {
        for text in &wanted.0 {
            must(said.contains(text.as_str()), || format!("{stream} lacks {text:?}: {said:?}"))?;
        }
    }
    let is_in_time = expect.within.is_none_or(|within| *took <= within.0);
    must(is_in_time, || format!("took {} s", took.as_secs_f32()))
}

/// Does all of it hold now?
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
    expect.status.iter().try_for_each(|(name, status)| says(machine, &name.0, status))
}

fn is_up(machine: &RealMachine, profile: &Profile) -> CheckResult {
    let found = observe::slot(machine, profile).ok_or_else(|| format!("{profile} has no slot"))?;
    must(found.is_supervised, || format!("nobody looks after the slot of {profile}"))?;
    let live = observe::count_live_gateways(machine, profile);
    must(live == 1, || format!("{live} gateways of {profile} live, not 1"))?;
    let is_ready = found.record.is_some_and(|it| it.pid > 0 && it.is_ready && it.wants_up);
    must(is_ready, || format!("{profile} is not up, ready and wanted up: {:?}", found.record))
}

fn is_down(machine: &RealMachine, profile: &Profile) -> CheckResult {
    let found = observe::slot(machine, profile).ok_or_else(|| format!("{profile} has no slot"))?;
    let live = observe::count_live_gateways(machine, profile);
    must(live == 0, || format!("a gateway of {profile} lives"))?;
    let is_down = found.is_supervised && found.record.is_some_and(|it| it.pid == 0 && !it.wants_up);
    must(is_down, || format!("{profile} is not down and wanted down: {:?}", found.record))
}

fn slots(machine: &RealMachine, expect: &Expect) -> CheckResult {
    let names = observe::slot_names(machine, &observe::supervised_containers(machine));
    if let Some(wanted) = &expect.slots {
        let mut wanted: Vec<String> = wanted.iter().map(|it| format!("gateway-{it}")).collect();
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
    for (name, most) in &expect.starts_at_most {
        let found = observe::count_starts(machine, &name.0);
        must(found <= usize::from(*most), || format!("{name} was started {found} times"))?;
    }
    for (name, wanted) in &expect.supervisors {
        let slot = format!("gateway-{name}");
        let found = observe::count(machine, |it| observe::supervises(it, &slot));
        must(found == usize::from(*wanted), || format!("{found} supervisors of {name} live"))?;
    }
    for (name, wanted) in &expect.loggers {
        let dir = format!("/logs/gateways/{name}");
        let found = observe::count(machine, |it| {
            it.program() == "s6-log" && it.argv.iter().any(|word| word.ends_with(&dir))
        });
        must(found == usize::from(*wanted), || format!("{found} loggers of {name} live"))?;
    }
    Ok(())
}

fn printed(machine: &RealMachine, expect: &Expect) -> CheckResult {
    for (name, texts) in &expect.log_has {
        let said = observe::log(machine, &name.0);
        for text in &texts.0 {
            must(said.contains(text.as_str()), || {
                format!("the log of {name} lacks {text:?}: {said}")
            })?;
        }
    }
    let boot_log = observe::boot_log(machine);
    for text in &expect.boot_log_has.0 {
        must(boot_log.contains(text.as_str()), || format!("container-boot.log lacks {text:?}"))?;
    }
    for (container, texts) in &expect.console_has {
        let said = machine.console(*container);
        for text in &texts.0 {
            must(said.contains(text.as_str()), || format!("{container} never said {text:?}"))?;
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
    let seen = machine.observe_file(ContainerName(1), &absolute_path(address));
    let kind = seen.as_ref().map_or(FileKindSpec::Absent, |it| it.kind);
    must(kind == wanted.is, || format!("`{address}` is {kind:?}, not {:?}", wanted.is))?;
    let text = seen.as_ref().map(ObservedFile::text).unwrap_or_default();
    for wanted in &wanted.has.0 {
        must(text.contains(wanted.as_str()), || format!("`{address}` lacks {wanted:?}: {text}"))?;
    }
    for wanted in &wanted.lacks.0 {
        must(!text.contains(wanted.as_str()), || format!("`{address}` has {wanted:?}: {text}"))?;
    }
    if let (Some(owner), Some(seen)) = (wanted.owner, seen) {
        must(seen.uid == uid(owner), || format!("`{address}` belongs to user {}", seen.uid))?;
    }
    Ok(())
}

/// What `gateway status --json` says.
fn says(machine: &RealMachine, profile: &Profile, wanted: &StatusExpect) -> CheckResult {
    let argv = ["hermes", "-p", profile.as_str(), "gateway", "status", "--json"];
    let ended = machine.run(ContainerName(1), User::Hermes, &machine.env(), &argv)?;
    let document: serde_json::Value = serde_json::from_str(&ended.out)
        .map_err(|error| format!("status is no JSON, {error}: {:?} {:?}", ended.out, ended.err))?;
    let gateway = &document["gateways"][0];
    let verdict = serde_json::to_value(wanted.verdict).unwrap_or_default();
    must(gateway["verdict"] == verdict, || format!("status of {profile}: {document}"))?;
    for drift in &wanted.drifts {
        let word = serde_json::to_value(drift).unwrap_or_default();
        let named = gateway["drifts"].as_array().is_some_and(|all| all.contains(&word));
        must(named, || format!("status of {profile} names no drift {word}: {document}"))?;
    }
    Ok(())
}
