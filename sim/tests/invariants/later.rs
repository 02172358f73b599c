//! Invariants about readers, boots, rest and whole runs: S9 to S14, L1 to L7.

use super::world_builder::*;
use hermes::host::effect::{Effect, Handle, LinkPolicy, OpenMode, Place, Program, Status};
use hermes_sim::invariants::{self, Monitor};
use hermes_sim::machine::StepOutcome;
use hermes_sim::machine::image::HERMES_UID;
use hermes_sim::observe::recorded_intent::ObservedIntent;
use hermes_sim::observe::volume::HOME_NODE;
use hermes_sim::scenario::Invariant;
use std::path::Path;
use std::time::Duration;

#[test]
fn s9_another_profile_must_not_be_affected() {
    let (with, mut without) = (WorldBuilder::healthy(), WorldBuilder::healthy());
    invariants::check_isolation(&with.world, &without.world, &profile("coder")).expect("the same");
    without.intent("default", "running");
    let compared = invariants::check_isolation(&with.world, &without.world, &profile("coder"));
    assert_eq!(violated(compared), Some(Invariant::S9));
    let compared = invariants::check_isolation(&with.world, &without.world, &profile("default"));
    assert_eq!(violated(compared), None);
}

#[test]
fn s10_root_neither_follows_nor_runs_nor_writes_files_of_hermes() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let root = builder.spawn(1, 0, "/usr/local/bin/hermes boot init");
    let disk = &mut builder.world.disk;
    disk.put_link(HOME_NODE, Path::new("link"), "/etc", HERMES_UID, HERMES_UID);
    disk.put_file(HOME_NODE, Path::new("tool"), b"sim:user", 0o755, HERMES_UID, HERMES_UID);
    let open =
        |path: &str, how| Effect::Open { place: path.into(), how, links: LinkPolicy::Follow };
    let program = Program { path: "/opt/data/tool".into(), ..Program::default() };
    for effect in [
        open("/opt/data/link/passwd", OpenMode::Read),
        open("/opt/data/tool", OpenMode::Append { mode: 0o644 }),
        Effect::Run { program, timeout: Duration::from_secs(1) },
    ] {
        let checked = monitor.after_step(&builder.world, &acted(root, effect.clone()), None);
        assert_eq!(violated(checked), Some(Invariant::S10), "{effect:?}");
    }
    for effect in [open("/opt/data/tool", OpenMode::Read), open("/etc/passwd", OpenMode::Read)] {
        monitor.after_step(&builder.world, &acted(root, effect), None).expect("only data");
    }
}

#[test]
fn s10_root_supervises_no_slot_of_hermes() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let scanner = builder.spawn(1, 0, "/command/s6-svscan /run/service");
    let dir = builder.at("/run/service");
    let process = builder.world.process_mut(scanner).expect("made");
    process.comm = "s6-svscan".to_owned();
    process.cwd = dir;
    let outcome = StepOutcome::Automaton { who: scanner };
    assert_eq!(violated(monitor.after_step(&builder.world, &outcome, None)), Some(Invariant::S10));
}

#[test]
fn s11_a_reader_takes_no_lock_and_removes_nothing() {
    for line in ["hermes gateway status", "hermes boot reconcile --dry-run", "hermes doctor"] {
        let mut builder = WorldBuilder::healthy();
        let mut monitor = builder.booted();
        let (who, _) = builder.command(&mut monitor, HERMES_UID, line);
        for effect in [
            Effect::LockRecord { handle: Handle(0) },
            Effect::Unlink { place: Place::from("/opt/data/gateway.pid") },
        ] {
            let checked = monitor.after_step(&builder.world, &acted(who, effect), None);
            assert_eq!(violated(checked), Some(Invariant::S11), "{line}");
        }
    }
}

#[test]
fn s12_a_panic_and_a_debug_print_are_not_errors_for_people() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let (who, serial) = builder.command(&mut monitor, HERMES_UID, "hermes gateway start");
    let outcome = StepOutcome::Panicked { who, message: "index out of bounds".to_owned() };
    assert_eq!(violated(monitor.after_step(&builder.world, &outcome, None)), Some(Invariant::S12));
    let outcome = StepOutcome::Exited { who, serial, code: 1 };
    let printed = printed("✗ HostError { errno: 5 }\n");
    assert_eq!(
        violated(monitor.after_step(&builder.world, &outcome, Some(&printed))),
        Some(Invariant::S12)
    );
}

#[test]
fn s13_each_profile_has_one_complete_and_true_line() {
    let stamp = "2026-01-01T00:00:00+0000 profile=";
    let default = format!("{stamp}default prior_state=stopped action=registered slot=new\n");
    for coder in [
        String::new(),
        format!("{stamp}coder prior_state=runn"),
        format!("{stamp}coder prior_state=running action=registered slot=new\n"),
        format!("{stamp}coder prior_state=running action=danced slot=new\n"),
        format!("{stamp}coder prior_state=up and away action=started slot=new\n"),
        format!("{stamp}coder prior_state=\"up action=started slot=new\n"),
        format!("{stamp}coder prior_state=running action=started slot=new\n").repeat(2),
    ] {
        let mut builder = WorldBuilder::healthy();
        builder.file("logs/container-boot.log", &format!("{default}{coder}"));
        assert_eq!(builder.booted_violation(), Some(Invariant::S13), "{coder:?}");
    }
}

#[test]
fn s13_a_second_default_has_a_line_of_its_own() {
    let stamp = "2026-01-01T00:00:00+0000 profile=";
    let others = format!(
        "{stamp}default prior_state=stopped action=registered slot=new\n\
         {stamp}coder prior_state=\"odd \\\" word\" action=started slot=new\n"
    );
    for (second, expected) in [
        ("prior_state=none action=skipped reason=\"reserved\"", None),
        ("prior_state=none action=registered slot=new", Some(Invariant::S13)),
    ] {
        let mut builder = WorldBuilder::healthy();
        builder.soul("default");
        let log = format!("{others}{stamp}default {second}\n");
        builder.file("logs/container-boot.log", &log);
        assert_eq!(builder.booted_violation(), expected, "{second}");
    }
}

#[test]
fn s10_root_must_not_change_the_owner_of_a_hard_link() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let root = builder.spawn(1, 0, "/usr/local/bin/hermes boot init");
    builder.file("secret", "root's");
    builder.file("own", "by root");
    builder.world.disk.put_hard_link(HOME_NODE, Path::new("secret"), Path::new("notes"));
    for (path, expected) in [("/opt/data/notes", Some(Invariant::S10)), ("/opt/data/own", None)] {
        let effect = Effect::SetOwner { place: path.into(), uid: HERMES_UID, gid: HERMES_UID };
        let checked = monitor.after_step(&builder.world, &acted(root, effect), None);
        assert_eq!(violated(checked), expected, "{path}");
    }
}

#[test]
fn s14_two_orders_must_end_in_the_same_state() {
    let (one, mut other) = (WorldBuilder::healthy(), WorldBuilder::healthy());
    invariants::check_commute(&one.world, &other.world).expect("the same");
    other.unscan("gateway-coder/finish");
    let compared = invariants::check_commute(&one.world, &other.world);
    assert_eq!(violated(compared), Some(Invariant::S14));
}

#[test]
fn l1_the_target_state_follows_the_intent_or_has_a_visible_cause() {
    let mut builder = WorldBuilder::healthy();
    builder.status("default", true, 0);
    assert_eq!(builder.booted_violation(), Some(Invariant::L1));
    let mut builder = WorldBuilder::healthy();
    let gateway = builder
        .world
        .processes()
        .find(|(_, process)| process.argv.iter().any(|word| word == "coder"));
    let who = gateway.map(|(who, _)| who).expect("it lives");
    builder.world.container_mut(FIRST).processes.remove(&who.pid);
    builder.status("coder", true, 0);
    assert_eq!(builder.booted_violation(), Some(Invariant::L1));
    builder.file("profiles/coder/gateway_state.json", "{\"failures\":3}");
    assert_eq!(builder.booted_violation(), None, "back-off is visible");
}

#[test]
fn l2_each_profile_has_a_slot_and_there_is_no_other_slot() {
    let mut builder = WorldBuilder::healthy();
    let copy = |builder: &mut WorldBuilder, name: &str| {
        for (path, mode) in SLOT_FILES {
            builder.scanned(&format!("gateway-{name}/{path}"), b"text\n", mode);
        }
    };
    copy(&mut builder, "leftover");
    assert_eq!(builder.booted_violation(), Some(Invariant::L2));
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    builder.unscan("gateway-default");
    assert_eq!(violated(monitor.check_at_rest(&builder.world)), Some(Invariant::L2));
}

#[test]
fn l3_nothing_is_left_without_an_owner() {
    for path in [
        "profiles/coder/.x.1f.hermes-tmp",
        ".locks/gone",
        ".gateway-planned-stop.json",
        "gateway.pid",
    ] {
        let mut builder = WorldBuilder::healthy();
        builder.file(path, "{\"pid\": 4000, \"start_time\": 1, \"boot_id\": \"b\"}");
        assert_eq!(builder.booted_violation(), Some(Invariant::L3), "{path}");
    }
    let mut builder = WorldBuilder::healthy();
    builder.scanned(".gateway-coder.abc/run", b"x", 0o755);
    assert_eq!(builder.booted_violation(), Some(Invariant::L3), "a slot under construction");
    let mut builder = WorldBuilder::healthy();
    let logger = builder.spawn(1, HERMES_UID, "/command/s6-log");
    builder.world.process_mut(logger).expect("made").comm = "s6-log".to_owned();
    assert_eq!(builder.booted_violation(), Some(Invariant::L3), "a logger");
    let mut builder = WorldBuilder::healthy();
    let zombie = builder.spawn(2, HERMES_UID, "/bin/true");
    builder.world.process_mut(zombie).expect("made").end_status = Some(Status::Exited(0));
    assert_eq!(builder.booted_violation(), Some(Invariant::L3), "a zombie");
}

#[test]
fn l4_a_stopped_gateway_is_gone() {
    let mut builder = WorldBuilder::healthy();
    let supervisor = builder.world.processes().find(|(_, process)| process.comm == "s6-supervise");
    let parent = supervisor.map(|(who, _)| who.pid).expect("there");
    builder.gateway("default", parent);
    assert_eq!(builder.booted_violation(), Some(Invariant::L4));
}

#[test]
fn l5_the_pauses_between_failing_starts_grow() {
    let at = |seconds: &[u64]| seconds.iter().copied().map(Duration::from_secs).collect::<Vec<_>>();
    let longest = Duration::from_secs(60);
    for (starts, expected) in [
        (at(&[0, 1, 3, 7, 15]), None),
        (at(&[0, 60, 120, 180, 240]), None),
        (at(&[0, 1, 2, 3, 4]), Some(Invariant::L5)),
        (at(&[0, 8, 12]), Some(Invariant::L5)),
    ] {
        assert_eq!(violated(invariants::check_backoff(&starts, longest)), expected, "{starts:?}");
    }
}

#[test]
fn l6_incomplete_profiles_and_deleted_ones_that_return_are_reported() {
    let mut builder = WorldBuilder::healthy();
    builder.file("profiles/.gone.old.abc/SOUL.md", "");
    assert_eq!(builder.booted_violation(), Some(Invariant::L6));
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    builder.soul("old");
    assert_eq!(violated(monitor.check_at_rest(&builder.world)), Some(Invariant::L6));
}

fn status_json(presence: &str, fact: &str, drifts: &str) -> String {
    let verdict = if drifts.is_empty() { "up" } else { "drift" };
    format!(
        r#"{{"schema":1,"gateways":[
        {{"profile":"default","verdict":"down","intent":"stopped","presence":"supervised",
          "want":"down","at_start":"down","fact":"down","drifts":[]}},
        {{"profile":"coder","verdict":"{verdict}","intent":"running","presence":"{presence}",
          "want":"up","at_start":"up","fact":"{fact}","drifts":[{drifts}]}}]}}"#
    )
}

#[test]
fn l7_status_tells_the_truth() {
    let builder = WorldBuilder::healthy();
    let violation =
        |text: &str| violated(invariants::check_status(&builder.world, text.as_bytes()));
    assert_eq!(violation(&status_json("supervised", "up", "")), None);
    assert_eq!(violation(&status_json("unregistered", "up", "")), Some(Invariant::L7));
    assert_eq!(violation(&status_json("supervised", "down", "")), Some(Invariant::L7));
    assert_eq!(violation("{\"gateways\":[]}"), Some(Invariant::L7));
}

#[test]
fn an_invariant_that_was_not_requested_is_not_checked() {
    let mut builder = WorldBuilder::healthy();
    builder.status("default", true, 0);
    let mut monitor = Monitor::new(&builder.world, &[Invariant::S5]);
    monitor.check_after_boot(&builder.world).expect("L1 was not requested");
}

#[test]
fn every_name_reads_back_and_has_a_reason() {
    for name in Invariant::ALL {
        assert_eq!(name.to_string().parse::<Invariant>(), Ok(name));
        assert!(!name.statement().is_empty());
    }
    assert!("S15".parse::<Invariant>().is_err());
}

#[test]
fn overlapping_commands_may_end_in_either_order() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let stop = builder.command(&mut monitor, HERMES_UID, "hermes -p coder gateway stop");
    let start = builder.command(&mut monitor, HERMES_UID, "hermes -p coder gateway start");
    let ended = builder.exit(stop, 0);
    monitor.after_step(&builder.world, &ended, None).expect("the start came after it");
    let ended = builder.exit(start, 0);
    monitor.after_step(&builder.world, &ended, None).expect("running");
    let coder = profile("coder");
    assert!(
        monitor.allowed_intents(&coder).has(ObservedIntent::Stopped),
        "until the machine is at rest"
    );
    monitor.check_at_rest(&builder.world).expect("at rest");
    assert!(!monitor.allowed_intents(&coder).has(ObservedIntent::Stopped), "now it is known");
}

#[test]
fn a_crashed_command_leaves_the_old_intent_or_the_new() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let (who, serial) = builder.command(&mut monitor, HERMES_UID, "hermes -p coder gateway stop");
    builder.intent("coder", "stopped");
    monitor.after_step(&builder.world, &wrote_intent(who), None).expect("its own intent");
    builder.world.container_mut(FIRST).processes.remove(&who.pid);
    monitor.commands_aborted(&builder.world, std::iter::once(serial));
    monitor.check_at_rest(&builder.world).expect("a slot may lag until the next boot");
    monitor
        .after_step(&builder.world, &StepOutcome::Automaton { who }, None)
        .expect("nothing more");
}
