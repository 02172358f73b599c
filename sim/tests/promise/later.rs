//! Promises about readers, boots, rest and whole runs: S9 to S14, L1 to L7.

use super::stage::*;
use hermes::host::effect::{Effect, Handle, LinkPolicy, OpenMode, Place, Program, Status};
use hermes_sim::invariants::{self, Monitor};
use hermes_sim::machine::StepOutcome;
use hermes_sim::machine::image::HERMES_UID;
use hermes_sim::observe::recorded_intent::ObservedIntent;
use hermes_sim::observe::volume::HOME_NODE;
use hermes_sim::scenario::Invariant as Name;
use std::path::Path;
use std::time::Duration;

#[test]
fn s9_another_profile_must_not_notice() {
    let (with, mut without) = (WorldBuilder::healthy(), WorldBuilder::healthy());
    invariants::check_isolation(&with.world, &without.world, &profile("coder")).expect("the same");
    without.intent("default", "running");
    let compared = invariants::check_isolation(&with.world, &without.world, &profile("coder"));
    assert_eq!(violated(compared), Some(Name::S9));
    let compared = invariants::check_isolation(&with.world, &without.world, &profile("default"));
    assert_eq!(violated(compared), None);
}

#[test]
fn s10_root_neither_follows_nor_runs_nor_writes_what_is_hermes_s() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let root = stage.spawn(1, 0, "/usr/local/bin/hermes boot init");
    let disk = &mut stage.world.disk;
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
        let looked = watch.after_step(&stage.world, &acted(root, effect.clone()), None);
        assert_eq!(violated(looked), Some(Name::S10), "{effect:?}");
    }
    for effect in [open("/opt/data/tool", OpenMode::Read), open("/etc/passwd", OpenMode::Read)] {
        watch.after_step(&stage.world, &acted(root, effect), None).expect("only data");
    }
}

#[test]
fn s10_root_supervises_no_slot_of_hermes_s() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let scanner = stage.spawn(1, 0, "/command/s6-svscan /run/service");
    let dir = stage.at("/run/service");
    let process = stage.world.process_mut(scanner).expect("made");
    process.comm = "s6-svscan".to_owned();
    process.cwd = dir;
    let moved = StepOutcome::Automaton { who: scanner };
    assert_eq!(violated(watch.after_step(&stage.world, &moved, None)), Some(Name::S10));
}

#[test]
fn s11_a_reader_takes_no_lock_and_removes_nothing() {
    for line in ["hermes gateway status", "hermes boot reconcile --dry-run", "hermes doctor"] {
        let mut stage = WorldBuilder::healthy();
        let mut watch = stage.booted();
        let (who, _) = stage.command(&mut watch, HERMES_UID, line);
        for effect in [
            Effect::LockRecord { handle: Handle(0) },
            Effect::Unlink { place: Place::from("/opt/data/gateway.pid") },
        ] {
            let looked = watch.after_step(&stage.world, &acted(who, effect), None);
            assert_eq!(violated(looked), Some(Name::S11), "{line}");
        }
    }
}

#[test]
fn s12_a_panic_and_a_debug_print_are_no_named_errors() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let (who, serial) = stage.command(&mut watch, HERMES_UID, "hermes gateway start");
    let moved = StepOutcome::Panicked { who, message: "index out of bounds".to_owned() };
    assert_eq!(violated(watch.after_step(&stage.world, &moved, None)), Some(Name::S12));
    let moved = StepOutcome::Exited { who, serial, code: 1 };
    let printed = printed("✗ HostError { errno: 5 }\n");
    assert_eq!(violated(watch.after_step(&stage.world, &moved, Some(&printed))), Some(Name::S12));
}

#[test]
fn s13_each_profile_has_one_whole_and_true_line() {
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
        let mut stage = WorldBuilder::healthy();
        stage.file("logs/container-boot.log", &format!("{default}{coder}"));
        assert_eq!(stage.booted_breach(), Some(Name::S13), "{coder:?}");
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
        ("prior_state=none action=registered slot=new", Some(Name::S13)),
    ] {
        let mut stage = WorldBuilder::healthy();
        stage.soul("default");
        let log = format!("{others}{stamp}default {second}\n");
        stage.file("logs/container-boot.log", &log);
        assert_eq!(stage.booted_breach(), expected, "{second}");
    }
}

#[test]
fn s10_root_must_not_give_away_a_file_with_another_name() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let root = stage.spawn(1, 0, "/usr/local/bin/hermes boot init");
    stage.file("secret", "root's");
    stage.file("own", "by root");
    stage.world.disk.put_hard_link(HOME_NODE, Path::new("secret"), Path::new("notes"));
    for (path, expected) in [("/opt/data/notes", Some(Name::S10)), ("/opt/data/own", None)] {
        let effect = Effect::SetOwner { place: path.into(), uid: HERMES_UID, gid: HERMES_UID };
        let looked = watch.after_step(&stage.world, &acted(root, effect), None);
        assert_eq!(violated(looked), expected, "{path}");
    }
}

#[test]
fn s14_two_orders_must_end_the_same() {
    let (one, mut other) = (WorldBuilder::healthy(), WorldBuilder::healthy());
    invariants::check_commute(&one.world, &other.world).expect("the same");
    other.unscan("gateway-coder/finish");
    let compared = invariants::check_commute(&one.world, &other.world);
    assert_eq!(violated(compared), Some(Name::S14));
}

#[test]
fn l1_the_want_follows_the_intent_or_says_why() {
    let mut stage = WorldBuilder::healthy();
    stage.status("default", true, 0);
    assert_eq!(stage.booted_breach(), Some(Name::L1));
    let mut stage = WorldBuilder::healthy();
    let gateway =
        stage.world.processes().find(|(_, it)| it.argv.iter().any(|word| word == "coder"));
    let who = gateway.map(|(who, _)| who).expect("it lives");
    stage.world.container_mut(FIRST).processes.remove(&who.pid);
    stage.status("coder", true, 0);
    assert_eq!(stage.booted_breach(), Some(Name::L1));
    stage.file("profiles/coder/gateway_state.json", "{\"failures\":3}");
    assert_eq!(stage.booted_breach(), None, "back-off is visible");
}

#[test]
fn l2_each_profile_has_a_slot_and_nobody_else() {
    let mut stage = WorldBuilder::healthy();
    let copy = |stage: &mut WorldBuilder, name: &str| {
        for (path, mode) in SLOT_FILES {
            stage.scanned(&format!("gateway-{name}/{path}"), b"text\n", mode);
        }
    };
    copy(&mut stage, "stray");
    assert_eq!(stage.booted_breach(), Some(Name::L2));
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    stage.unscan("gateway-default");
    assert_eq!(violated(watch.check_at_rest(&stage.world)), Some(Name::L2));
}

#[test]
fn l3_nothing_is_left_without_an_owner() {
    for path in [
        "profiles/coder/.x.1f.hermes-tmp",
        ".locks/gone",
        ".gateway-planned-stop.json",
        "gateway.pid",
    ] {
        let mut stage = WorldBuilder::healthy();
        stage.file(path, "{\"pid\": 4000, \"start_time\": 1, \"boot_id\": \"b\"}");
        assert_eq!(stage.booted_breach(), Some(Name::L3), "{path}");
    }
    let mut stage = WorldBuilder::healthy();
    stage.scanned(".gateway-coder.abc/run", b"x", 0o755);
    assert_eq!(stage.booted_breach(), Some(Name::L3), "a stage");
    let mut stage = WorldBuilder::healthy();
    let logger = stage.spawn(1, HERMES_UID, "/command/s6-log");
    stage.world.process_mut(logger).expect("made").comm = "s6-log".to_owned();
    assert_eq!(stage.booted_breach(), Some(Name::L3), "a logger");
    let mut stage = WorldBuilder::healthy();
    let zombie = stage.spawn(2, HERMES_UID, "/bin/true");
    stage.world.process_mut(zombie).expect("made").end_status = Some(Status::Exited(0));
    assert_eq!(stage.booted_breach(), Some(Name::L3), "a zombie");
}

#[test]
fn l4_a_stopped_gateway_is_gone() {
    let mut stage = WorldBuilder::healthy();
    let supervisor = stage.world.processes().find(|(_, it)| it.comm == "s6-supervise");
    let parent = supervisor.map(|(who, _)| who.pid).expect("there");
    stage.gateway("default", parent);
    assert_eq!(stage.booted_breach(), Some(Name::L4));
}

#[test]
fn l5_failing_starts_come_ever_more_slowly() {
    let at = |seconds: &[u64]| seconds.iter().copied().map(Duration::from_secs).collect::<Vec<_>>();
    let longest = Duration::from_secs(60);
    for (starts, expected) in [
        (at(&[0, 1, 3, 7, 15]), None),
        (at(&[0, 60, 120, 180, 240]), None),
        (at(&[0, 1, 2, 3, 4]), Some(Name::L5)),
        (at(&[0, 8, 12]), Some(Name::L5)),
    ] {
        assert_eq!(violated(invariants::check_backoff(&starts, longest)), expected, "{starts:?}");
    }
}

#[test]
fn l6_half_made_profiles_and_deleted_ones_that_come_back_are_seen() {
    let mut stage = WorldBuilder::healthy();
    stage.file("profiles/.gone.old.abc/SOUL.md", "");
    assert_eq!(stage.booted_breach(), Some(Name::L6));
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    stage.soul("old");
    assert_eq!(violated(watch.check_at_rest(&stage.world)), Some(Name::L6));
}

fn told(presence: &str, fact: &str, drifts: &str) -> String {
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
fn l7_status_says_what_is_so() {
    let stage = WorldBuilder::healthy();
    let agrees = |text: &str| violated(invariants::check_status(&stage.world, text.as_bytes()));
    assert_eq!(agrees(&told("supervised", "up", "")), None);
    assert_eq!(agrees(&told("unregistered", "up", "")), Some(Name::L7));
    assert_eq!(agrees(&told("supervised", "down", "")), Some(Name::L7));
    assert_eq!(agrees("{\"gateways\":[]}"), Some(Name::L7));
}

#[test]
fn a_promise_that_nobody_asked_for_is_not_looked_at() {
    let mut stage = WorldBuilder::healthy();
    stage.status("default", true, 0);
    let mut watch = Monitor::new(&stage.world, &[Name::S5]);
    watch.check_after_boot(&stage.world).expect("L1 was not asked for");
}

#[test]
fn every_name_reads_back_and_has_a_reason() {
    for name in Name::ALL {
        assert_eq!(name.to_string().parse::<Name>(), Ok(name));
        assert!(!name.statement().is_empty());
    }
    assert!("S15".parse::<Name>().is_err());
}

#[test]
fn overlapping_commands_may_end_in_either_order() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let stop = stage.command(&mut watch, HERMES_UID, "hermes -p coder gateway stop");
    let start = stage.command(&mut watch, HERMES_UID, "hermes -p coder gateway start");
    let ended = stage.exit(stop, 0);
    watch.after_step(&stage.world, &ended, None).expect("the start came after it");
    let ended = stage.exit(start, 0);
    watch.after_step(&stage.world, &ended, None).expect("running");
    let coder = profile("coder");
    assert!(watch.allowed_intents(&coder).has(ObservedIntent::Stopped), "until somebody rests");
    watch.check_at_rest(&stage.world).expect("at rest");
    assert!(!watch.allowed_intents(&coder).has(ObservedIntent::Stopped), "now it is known");
}

#[test]
fn a_command_cut_short_leaves_the_old_word_or_the_new() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let (who, serial) = stage.command(&mut watch, HERMES_UID, "hermes -p coder gateway stop");
    stage.intent("coder", "stopped");
    watch.after_step(&stage.world, &wrote_intent(who), None).expect("its own word");
    stage.world.container_mut(FIRST).processes.remove(&who.pid);
    watch.commands_aborted(&stage.world, std::iter::once(serial));
    watch.check_at_rest(&stage.world).expect("a slot may lag until the next boot");
    watch.after_step(&stage.world, &StepOutcome::Automaton { who }, None).expect("nothing more");
}
