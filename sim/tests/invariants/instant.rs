//! Invariants that hold at every instant, S1 to S8, and the monitor itself.

use super::world_builder::*;
use hermes::host::effect::{Effect, Handle, LinkPolicy, OnExisting, OpenMode, Place, Signal};
use hermes_sim::machine::StepOutcome;
use hermes_sim::machine::image::{self, HERMES_UID};
use hermes_sim::machine::process::{OpenFile, OpenKind};
use hermes_sim::observe::recorded_intent::ObservedIntent;
use hermes_sim::observe::volume::{self, HOME_NODE};
use hermes_sim::scenario::Invariant;

#[test]
fn a_healthy_world_violates_no_invariant() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    monitor.check_at_rest(&builder.world).expect("still healthy");
    let status = builder.command(&mut monitor, HERMES_UID, "hermes gateway status --all");
    let open = Effect::Open {
        place: Place::from("/opt/data/gateway_intent.json"),
        how: OpenMode::Read,
        links: LinkPolicy::Follow,
    };
    monitor.after_step(&builder.world, &acted(status.0, open), None).expect("it only reads");
    let ended = builder.exit(status, 4);
    monitor.after_step(&builder.world, &ended, None).expect("status may exit 4");
    let stop = builder.command(&mut monitor, HERMES_UID, "hermes gateway stop");
    let ended = builder.exit(stop, 0);
    monitor.after_step(&builder.world, &ended, None).expect("it was stopped before");
    monitor.check_at_rest(&builder.world).expect("healthy to the end");
}

#[test]
fn s1_an_acknowledged_intent_must_be_durable() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let start = builder.command(&mut monitor, HERMES_UID, "hermes gateway start");
    let running = b"{\"intent\":\"running\"}\n";
    builder.replace_unsynced(HOME_NODE, "gateway_intent.json", running);
    let node = volume::intent_node(&builder.world, &profile("default")).expect("there");
    builder.world.disk.sync(node).expect("synced");
    builder.unscan("gateway-default/down");
    let ended = builder.exit(start, 0);
    assert_eq!(violated(monitor.after_step(&builder.world, &ended, None)), Some(Invariant::S1));
}

#[test]
fn s1_a_power_cut_must_not_undo_an_acknowledged_intent() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    builder.intent("coder", "stopped");
    monitor.power_cut(&builder.world);
    let who = builder.spawn(0, HERMES_UID, "/bin/true");
    let outcome = StepOutcome::Automaton { who };
    assert_eq!(violated(monitor.after_step(&builder.world, &outcome, None)), Some(Invariant::S1));
}

#[test]
fn s2_a_file_that_a_power_cut_would_tear_is_not_whole() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let (who, _) = builder.command(&mut monitor, HERMES_UID, "hermes -p coder gateway stop");
    let dir = volume::profile_dir(&builder.world, &profile("coder")).expect("there");
    let stopped = b"{\"intent\":\"stopped\"}\n";
    builder.replace_unsynced(dir, "gateway_intent.json", stopped);
    assert_eq!(
        violated(monitor.after_step(&builder.world, &wrote_intent(who), None)),
        Some(Invariant::S2)
    );
}

#[test]
fn s2_every_possible_content_of_an_unsynced_file_is_considered() {
    let mut builder = WorldBuilder::healthy();
    let dir = volume::profile_dir(&builder.world, &profile("coder")).expect("there");
    builder.replace_unsynced(dir, "gateway_intent.json", b"{\"intent\":\"stopped\"}\n");
    let possible = volume::intents_after_power_cut(&builder.world, &profile("coder"));
    let all = [ObservedIntent::Running, ObservedIntent::Stopped, ObservedIntent::Unreadable];
    assert_eq!(possible, all.into_iter().collect());
    let mut after = std::collections::BTreeSet::new();
    for choice in 0..builder.world.disk.cut_count(image::VOLUME) {
        let mut world = builder.world.clone();
        world.disk.power_cut(image::VOLUME, choice);
        after.insert(volume::observed_intent(&world, &profile("coder")));
    }
    assert_eq!(possible, after, "what a power cut leaves on the disk");
}

#[test]
fn s3_a_gateway_must_not_change_its_intent() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let who = builder.spawn(1, HERMES_UID, "/usr/local/bin/hermes gateway status");
    builder.intent("coder", "running");
    assert_eq!(
        violated(monitor.after_step(&builder.world, &wrote_intent(who), None)),
        Some(Invariant::S3)
    );
    let mut monitor = builder.booted();
    let run = builder.spawn(1, HERMES_UID, "/usr/local/bin/hermes -p coder gateway run");
    builder.intent("coder", "stopped");
    assert_eq!(
        violated(monitor.after_step(&builder.world, &wrote_intent(run), None)),
        Some(Invariant::S3)
    );
}

#[test]
fn s4_a_failure_prints_its_cause_and_leaves_the_old_intent_or_the_new() {
    for (code, text, expected) in [
        (1, "", Some(Invariant::S4)),
        (1, "it did not work\n", Some(Invariant::S4)),
        (1, "✗ s6-svc failed\n", None),
        (2, "error: unexpected argument\n\nUsage: hermes\n", None),
    ] {
        let mut builder = WorldBuilder::healthy();
        let mut monitor = builder.booted();
        let start = builder.command(&mut monitor, HERMES_UID, "hermes gateway start");
        let ended = builder.exit(start, code);
        let checked = monitor.after_step(&builder.world, &ended, Some(&printed(text)));
        assert_eq!(violated(checked), expected, "{text:?}");
    }
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let start = builder.command(&mut monitor, HERMES_UID, "hermes gateway start");
    builder.intent("default", "runing");
    let ended = builder.exit(start, 1);
    let checked = monitor.after_step(&builder.world, &ended, Some(&printed("✗ no\n")));
    assert_eq!(violated(checked), Some(Invariant::S4));
}

#[test]
fn s5_two_gateways_of_a_profile_are_one_too_many() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let second = builder.gateway("coder", 1);
    let process = builder.world.process_mut(second).expect("made");
    process.record_locks.clear();
    let waits = acted(second, Effect::Listen { port: 9200 });
    monitor.after_step(&builder.world, &waits, None).expect("one that waits does no work");
    let process = builder.world.process_mut(second).expect("made");
    process.insert_open_file(OpenFile::new(OpenKind::Listener(9200), true, false));
    assert_eq!(violated(monitor.after_step(&builder.world, &waits, None)), Some(Invariant::S5));
}

#[test]
fn s6_a_slot_without_a_file_must_not_be_visible() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let (who, _) = builder.command(&mut monitor, HERMES_UID, "hermes -p coder gateway start");
    builder.unscan("gateway-coder/finish");
    let gone = Effect::Unlink { place: Place::from("/run/service/gateway-coder/finish") };
    assert_eq!(
        violated(monitor.after_step(&builder.world, &acted(who, gone), None)),
        Some(Invariant::S6)
    );
}

#[test]
fn s7_the_down_file_agrees_with_the_intent_while_no_command_runs() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let stop = builder.command(&mut monitor, HERMES_UID, "hermes -p coder gateway stop");
    builder.intent("coder", "stopped");
    monitor.after_step(&builder.world, &wrote_intent(stop.0), None).expect("it still runs");
    let ended = builder.exit(stop, 0);
    assert_eq!(violated(monitor.after_step(&builder.world, &ended, None)), Some(Invariant::S7));
}

#[test]
fn s8_a_signal_must_not_reach_another_process() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let (who, _) = builder.command(&mut monitor, HERMES_UID, "hermes -p other gateway stop");
    let found = builder
        .world
        .processes()
        .find(|(_, process)| process.argv.iter().any(|word| word == "coder"));
    let (target, serial) = found.map(|(who, process)| (who, process.serial)).expect("it lives");
    let open = OpenFile::new(OpenKind::Process(target, serial), false, false);
    let handle = Handle(builder.world.process_mut(who).expect("made").insert_open_file(open));
    let sent = acted(who, Effect::SignalProcess { process: handle, signal: Signal::TERM });
    assert_eq!(violated(monitor.after_step(&builder.world, &sent, None)), Some(Invariant::S8));
    let (own, _) = builder.command(&mut monitor, HERMES_UID, "hermes -p coder gateway stop");
    let open = OpenFile::new(OpenKind::Process(target, serial), false, false);
    let handle = Handle(builder.world.process_mut(own).expect("made").insert_open_file(open));
    let sent = acted(own, Effect::SignalProcess { process: handle, signal: Signal::TERM });
    monitor.after_step(&builder.world, &sent, None).expect("its own gateway");
}

#[test]
fn s3_a_gateway_that_was_not_stopped_must_not_record_a_stop() {
    for (word, expected) in [("stopped", Some(Invariant::S3)), ("running", None)] {
        let mut builder = WorldBuilder::healthy();
        let mut monitor = builder.booted();
        let coder = builder
            .world
            .processes()
            .find(|(_, process)| process.argv.iter().any(|word| word == "coder"));
        let (who, serial) = coder.map(|(who, process)| (who, process.serial)).expect("it lives");
        let text = format!("{{\"gateway_state\":\"{word}\"}}");
        builder.file("profiles/coder/gateway_state.json", &text);
        let outcome = StepOutcome::Exited { who, serial, code: 143 };
        assert_eq!(
            violated(monitor.after_step(&builder.world, &outcome, None)),
            expected,
            "{word}"
        );
    }
}

#[test]
fn s6_a_visible_slot_under_construction_must_be_complete() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let (who, _) = builder.command(&mut monitor, HERMES_UID, "hermes -p coder gateway start");
    builder.scanned("gateway-coder.c81/type", b"longrun\n", 0o644);
    let made = Effect::Open {
        place: Place::from("/run/service/gateway-coder.c81/type"),
        how: OpenMode::Create { mode: 0o644 },
        links: LinkPolicy::Refuse,
    };
    assert_eq!(
        violated(monitor.after_step(&builder.world, &acted(who, made), None)),
        Some(Invariant::S6)
    );
}

#[test]
fn s14_a_command_that_writes_an_intent_holds_the_lock_of_that_profile() {
    for (locked, expected) in [
        (".locks/coder", None),
        (".locks/default", Some(Invariant::S14)),
        ("x", Some(Invariant::S14)),
    ] {
        let mut builder = WorldBuilder::healthy();
        let mut monitor = builder.booted();
        let (who, _) = builder.command(&mut monitor, HERMES_UID, "hermes -p coder gateway start");
        builder.world.process_mut(who).expect("made").open_files.clear();
        builder.lock(who, locked);
        let checked = monitor.after_step(&builder.world, &wrote_intent(who), None);
        assert_eq!(violated(checked), expected, "{locked}");
    }
    // A lock on a removed file protects nothing.
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let (who, _) = builder.command(&mut monitor, HERMES_UID, "hermes -p coder gateway start");
    builder.world.disk.remove(HOME_NODE, std::path::Path::new(".locks/coder"));
    builder.file(".locks/coder", "");
    assert_eq!(
        violated(monitor.after_step(&builder.world, &wrote_intent(who), None)),
        Some(Invariant::S14)
    );
}

#[test]
fn l3_a_profile_must_not_be_removed_while_its_gateway_runs() {
    let mut builder = WorldBuilder::healthy();
    let mut monitor = builder.booted();
    let (who, _) = builder.command(&mut monitor, HERMES_UID, "hermes profile delete coder -y");
    builder.lock(who, ".locks/coder");
    builder.world.disk.remove(HOME_NODE, std::path::Path::new("profiles/coder"));
    let hidden = Effect::Rename {
        from: Place::from("/opt/data/profiles/coder"),
        to: Place::from("/opt/data/profiles/.gone.coder.1"),
        over: OnExisting::Refuse,
    };
    assert_eq!(
        violated(monitor.after_step(&builder.world, &acted(who, hidden), None)),
        Some(Invariant::L3)
    );
}

#[test]
fn l4_a_stop_that_waits_has_ended_the_gateway() {
    let line = "hermes -p coder gateway stop";
    for (line, expected) in
        [(line.to_owned(), Some(Invariant::L4)), (format!("{line} --no-wait"), None)]
    {
        let mut builder = WorldBuilder::healthy();
        let mut monitor = builder.booted();
        let stop = builder.command(&mut monitor, HERMES_UID, &line);
        builder.intent("coder", "stopped");
        builder.scanned("gateway-coder/down", b"", 0o644);
        let ended = builder.exit(stop, 0);
        assert_eq!(violated(monitor.after_step(&builder.world, &ended, None)), expected, "{line}");
    }
}

#[test]
fn l5_a_gateway_that_ended_for_good_is_not_started_again() {
    for (code, expected) in [(78, Some(Invariant::L5)), (1, None)] {
        let mut builder = WorldBuilder::healthy();
        let mut monitor = builder.booted();
        let coder = builder
            .world
            .processes()
            .find(|(_, process)| process.argv.iter().any(|word| word == "coder"));
        let (who, serial) = coder.map(|(who, process)| (who, process.serial)).expect("it lives");
        let outcome = StepOutcome::Exited { who, serial, code };
        monitor.after_step(&builder.world, &outcome, None).expect("it may end");
        let again = builder.spawn(2, HERMES_UID, "/usr/local/bin/hermes -p coder gateway run");
        let begins = acted(again, Effect::Trap { signals: vec![Signal::TERM] });
        assert_eq!(violated(monitor.after_step(&builder.world, &begins, None)), expected, "{code}");
        builder.command(&mut monitor, HERMES_UID, "hermes -p coder gateway start");
        monitor.after_step(&builder.world, &begins, None).expect("an operator asked for it");
    }
}
