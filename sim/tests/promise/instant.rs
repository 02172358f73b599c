//! Promises that hold at every instant, S1 to S8, and the watch itself.

use super::stage::*;
use hermes::host::effect::{Effect, Handle, LinkPolicy, OnExisting, OpenMode, Place, Signal};
use hermes_sim::machine::StepOutcome;
use hermes_sim::machine::image::{self, HERMES_UID};
use hermes_sim::machine::process::{OpenFile, OpenKind};
use hermes_sim::observe::recorded_intent::ObservedIntent;
use hermes_sim::observe::volume::{self, HOME_NODE};
use hermes_sim::scenario::Invariant as Name;

#[test]
fn a_healthy_world_breaks_no_promise() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    watch.check_at_rest(&stage.world).expect("still healthy");
    let looks = stage.command(&mut watch, HERMES_UID, "hermes gateway status --all");
    let open = Effect::Open {
        place: Place::from("/opt/data/gateway_intent.json"),
        how: OpenMode::Read,
        links: LinkPolicy::Follow,
    };
    watch.after_step(&stage.world, &acted(looks.0, open), None).expect("it only looks");
    let ended = stage.exit(looks, 4);
    watch.after_step(&stage.world, &ended, None).expect("status may exit 4");
    let stop = stage.command(&mut watch, HERMES_UID, "hermes gateway stop");
    let ended = stage.exit(stop, 0);
    watch.after_step(&stage.world, &ended, None).expect("it was stopped before");
    watch.check_at_rest(&stage.world).expect("healthy to the end");
}

#[test]
fn s1_an_acknowledged_word_must_be_durable() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let start = stage.command(&mut watch, HERMES_UID, "hermes gateway start");
    let running = b"{\"intent\":\"running\"}\n";
    stage.replace_unsynced(HOME_NODE, "gateway_intent.json", running);
    let node = volume::intent_node(&stage.world, &profile("default")).expect("there");
    stage.world.disk.sync(node).expect("synced");
    stage.unscan("gateway-default/down");
    let ended = stage.exit(start, 0);
    assert_eq!(violated(watch.after_step(&stage.world, &ended, None)), Some(Name::S1));
}

#[test]
fn s1_a_power_cut_must_not_undo_an_acknowledged_word() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    stage.intent("coder", "stopped");
    watch.power_cut(&stage.world);
    let who = stage.spawn(0, HERMES_UID, "/bin/true");
    let moved = StepOutcome::Automaton { who };
    assert_eq!(violated(watch.after_step(&stage.world, &moved, None)), Some(Name::S1));
}

#[test]
fn s2_a_file_that_a_power_cut_would_tear_is_not_whole() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let (who, _) = stage.command(&mut watch, HERMES_UID, "hermes -p coder gateway stop");
    let dir = volume::profile_dir(&stage.world, &profile("coder")).expect("there");
    let stopped = b"{\"intent\":\"stopped\"}\n";
    stage.replace_unsynced(dir, "gateway_intent.json", stopped);
    assert_eq!(violated(watch.after_step(&stage.world, &wrote_intent(who), None)), Some(Name::S2));
}

#[test]
fn s2_every_possible_contents_of_an_unsynced_file_is_seen() {
    let mut stage = WorldBuilder::healthy();
    let dir = volume::profile_dir(&stage.world, &profile("coder")).expect("there");
    stage.replace_unsynced(dir, "gateway_intent.json", b"{\"intent\":\"stopped\"}\n");
    let possible = volume::intents_after_power_cut(&stage.world, &profile("coder"));
    let all = [ObservedIntent::Running, ObservedIntent::Stopped, ObservedIntent::Unreadable];
    assert_eq!(possible, all.into_iter().collect());
    let mut after = std::collections::BTreeSet::new();
    for choice in 0..stage.world.disk.cut_count(image::VOLUME) {
        let mut world = stage.world.clone();
        world.disk.power_cut(image::VOLUME, choice);
        after.insert(volume::observed_intent(&world, &profile("coder")));
    }
    assert_eq!(possible, after, "what the disk itself does");
}

#[test]
fn s3_a_gateway_must_not_change_its_intent() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let who = stage.spawn(1, HERMES_UID, "/usr/local/bin/hermes gateway status");
    stage.intent("coder", "running");
    assert_eq!(violated(watch.after_step(&stage.world, &wrote_intent(who), None)), Some(Name::S3));
    let mut watch = stage.booted();
    let run = stage.spawn(1, HERMES_UID, "/usr/local/bin/hermes -p coder gateway run");
    stage.intent("coder", "stopped");
    assert_eq!(violated(watch.after_step(&stage.world, &wrote_intent(run), None)), Some(Name::S3));
}

#[test]
fn s4_a_failure_says_why_and_leaves_the_old_word_or_the_new() {
    for (code, text, expected) in [
        (1, "", Some(Name::S4)),
        (1, "it did not work\n", Some(Name::S4)),
        (1, "✗ s6-svc failed\n", None),
        (2, "error: unexpected argument\n\nUsage: hermes\n", None),
    ] {
        let mut stage = WorldBuilder::healthy();
        let mut watch = stage.booted();
        let start = stage.command(&mut watch, HERMES_UID, "hermes gateway start");
        let ended = stage.exit(start, code);
        let looked = watch.after_step(&stage.world, &ended, Some(&printed(text)));
        assert_eq!(violated(looked), expected, "{text:?}");
    }
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let start = stage.command(&mut watch, HERMES_UID, "hermes gateway start");
    stage.intent("default", "runing");
    let ended = stage.exit(start, 1);
    let looked = watch.after_step(&stage.world, &ended, Some(&printed("✗ no\n")));
    assert_eq!(violated(looked), Some(Name::S4));
}

#[test]
fn s5_two_gateways_of_a_profile_are_one_too_many() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let second = stage.gateway("coder", 1);
    let process = stage.world.process_mut(second).expect("made");
    process.record_locks.clear();
    let waits = acted(second, Effect::Listen { port: 9200 });
    watch.after_step(&stage.world, &waits, None).expect("one that waits does no work");
    let process = stage.world.process_mut(second).expect("made");
    process.insert_open_file(OpenFile::new(OpenKind::Listener(9200), true, false));
    assert_eq!(violated(watch.after_step(&stage.world, &waits, None)), Some(Name::S5));
}

#[test]
fn s6_a_slot_without_a_file_must_not_be_seen() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let (who, _) = stage.command(&mut watch, HERMES_UID, "hermes -p coder gateway start");
    stage.unscan("gateway-coder/finish");
    let gone = Effect::Unlink { place: Place::from("/run/service/gateway-coder/finish") };
    assert_eq!(violated(watch.after_step(&stage.world, &acted(who, gone), None)), Some(Name::S6));
}

#[test]
fn s7_the_down_file_says_the_intent_once_no_command_is_at_work() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let stop = stage.command(&mut watch, HERMES_UID, "hermes -p coder gateway stop");
    stage.intent("coder", "stopped");
    watch.after_step(&stage.world, &wrote_intent(stop.0), None).expect("it is still at work");
    let ended = stage.exit(stop, 0);
    assert_eq!(violated(watch.after_step(&stage.world, &ended, None)), Some(Name::S7));
}

#[test]
fn s8_a_signal_must_not_meet_a_stranger() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let (who, _) = stage.command(&mut watch, HERMES_UID, "hermes -p other gateway stop");
    let met = stage.world.processes().find(|(_, it)| it.argv.iter().any(|word| word == "coder"));
    let (target, serial) = met.map(|(who, it)| (who, it.serial)).expect("it lives");
    let open = OpenFile::new(OpenKind::Process(target, serial), false, false);
    let handle = Handle(stage.world.process_mut(who).expect("made").insert_open_file(open));
    let sent = acted(who, Effect::SignalProcess { process: handle, signal: Signal::TERM });
    assert_eq!(violated(watch.after_step(&stage.world, &sent, None)), Some(Name::S8));
    let (own, _) = stage.command(&mut watch, HERMES_UID, "hermes -p coder gateway stop");
    let open = OpenFile::new(OpenKind::Process(target, serial), false, false);
    let handle = Handle(stage.world.process_mut(own).expect("made").insert_open_file(open));
    let sent = acted(own, Effect::SignalProcess { process: handle, signal: Signal::TERM });
    watch.after_step(&stage.world, &sent, None).expect("its own gateway");
}

#[test]
fn s3_a_gateway_that_nobody_stopped_must_not_note_that_it_was() {
    for (word, expected) in [("stopped", Some(Name::S3)), ("running", None)] {
        let mut stage = WorldBuilder::healthy();
        let mut watch = stage.booted();
        let coder =
            stage.world.processes().find(|(_, it)| it.argv.iter().any(|word| word == "coder"));
        let (who, serial) = coder.map(|(who, it)| (who, it.serial)).expect("it lives");
        let text = format!("{{\"gateway_state\":\"{word}\"}}");
        stage.file("profiles/coder/gateway_state.json", &text);
        let moved = StepOutcome::Exited { who, serial, code: 143 };
        assert_eq!(violated(watch.after_step(&stage.world, &moved, None)), expected, "{word}");
    }
}

#[test]
fn s6_a_stage_that_a_scanner_can_see_must_be_complete() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let (who, _) = stage.command(&mut watch, HERMES_UID, "hermes -p coder gateway start");
    stage.scanned("gateway-coder.c81/type", b"longrun\n", 0o644);
    let made = Effect::Open {
        place: Place::from("/run/service/gateway-coder.c81/type"),
        how: OpenMode::Create { mode: 0o644 },
        links: LinkPolicy::Refuse,
    };
    assert_eq!(violated(watch.after_step(&stage.world, &acted(who, made), None)), Some(Name::S6));
}

#[test]
fn s14_whoever_writes_a_word_holds_the_lock_of_that_name() {
    for (locked, expected) in
        [(".locks/coder", None), (".locks/default", Some(Name::S14)), ("x", Some(Name::S14))]
    {
        let mut stage = WorldBuilder::healthy();
        let mut watch = stage.booted();
        let (who, _) = stage.command(&mut watch, HERMES_UID, "hermes -p coder gateway start");
        stage.world.process_mut(who).expect("made").open_files.clear();
        stage.lock(who, locked);
        let looked = watch.after_step(&stage.world, &wrote_intent(who), None);
        assert_eq!(violated(looked), expected, "{locked}");
    }
    // A lock whose file was swept is nobody's.
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let (who, _) = stage.command(&mut watch, HERMES_UID, "hermes -p coder gateway start");
    stage.world.disk.remove(HOME_NODE, std::path::Path::new(".locks/coder"));
    stage.file(".locks/coder", "");
    assert_eq!(violated(watch.after_step(&stage.world, &wrote_intent(who), None)), Some(Name::S14));
}

#[test]
fn l3_a_profile_must_not_be_taken_away_under_its_gateway() {
    let mut stage = WorldBuilder::healthy();
    let mut watch = stage.booted();
    let (who, _) = stage.command(&mut watch, HERMES_UID, "hermes profile delete coder -y");
    stage.lock(who, ".locks/coder");
    stage.world.disk.remove(HOME_NODE, std::path::Path::new("profiles/coder"));
    let hidden = Effect::Rename {
        from: Place::from("/opt/data/profiles/coder"),
        to: Place::from("/opt/data/profiles/.gone.coder.1"),
        over: OnExisting::Refuse,
    };
    assert_eq!(violated(watch.after_step(&stage.world, &acted(who, hidden), None)), Some(Name::L3));
}

#[test]
fn l4_a_stop_that_was_waited_for_has_ended_the_gateway() {
    let line = "hermes -p coder gateway stop";
    for (line, expected) in [(line.to_owned(), Some(Name::L4)), (format!("{line} --no-wait"), None)]
    {
        let mut stage = WorldBuilder::healthy();
        let mut watch = stage.booted();
        let stop = stage.command(&mut watch, HERMES_UID, &line);
        stage.intent("coder", "stopped");
        stage.scanned("gateway-coder/down", b"", 0o644);
        let ended = stage.exit(stop, 0);
        assert_eq!(violated(watch.after_step(&stage.world, &ended, None)), expected, "{line}");
    }
}

#[test]
fn l5_a_gateway_that_ended_for_good_is_not_started_again() {
    for (code, expected) in [(78, Some(Name::L5)), (1, None)] {
        let mut stage = WorldBuilder::healthy();
        let mut watch = stage.booted();
        let coder =
            stage.world.processes().find(|(_, it)| it.argv.iter().any(|word| word == "coder"));
        let (who, serial) = coder.map(|(who, it)| (who, it.serial)).expect("it lives");
        let moved = StepOutcome::Exited { who, serial, code };
        watch.after_step(&stage.world, &moved, None).expect("it may end");
        let again = stage.spawn(2, HERMES_UID, "/usr/local/bin/hermes -p coder gateway run");
        let begins = acted(again, Effect::Trap { signals: vec![Signal::TERM] });
        assert_eq!(violated(watch.after_step(&stage.world, &begins, None)), expected, "{code}");
        stage.command(&mut watch, HERMES_UID, "hermes -p coder gateway start");
        watch.after_step(&stage.world, &begins, None).expect("an operator said so");
    }
}
