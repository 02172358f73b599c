//! An s6 that is not as it should be: a foreign tree, no s6-svscan that listens, tools that are missing or hang.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{bare, machine, machine_with};
use crate::support::machine::{Machine, Tree, User, expect_that, names, wait_until};

/// The group of hermes.
const GID: u32 = 10_000;

/// root's tree, with the slots of this profile and of default supervised by root.
fn foreign_with(profile: &str) -> Machine {
    let machine = unseen_by_root(profile);
    machine.run(User::Root, &[], &["s6-svscanctl", "-a", "/run/service"]).expect(0);
    wait_until("root's s6-supervise", || {
        let found = machine.supervisors(profile);
        expect_that(found.len() == 1, || format!("{found:?}"))
    });
    machine
}

/// The same, before root's s6-svscan has been told of the slots.
fn unseen_by_root(profile: &str) -> Machine {
    let machine = bare(Tree::Root);
    machine.put(format!("profiles/{profile}/SOUL.md"), "x\n");
    // The slots are made; the failure is that root's s6-svscan cannot be told of them.
    machine.hermes("boot reconcile").expect(1).says(&["Permission denied"]);
    machine
}

#[test]
fn a_slot_of_roots_tree_is_handed_over_by_its_logger() {
    let machine = foreign_with("coder");
    machine.hermes_ok("-p coder gateway start");
    machine.wait_status("coder", "verdict", "up");
    assert_eq!(handed_over(&machine), Some(0o710));
}

#[test]
fn r4_a_command_waits_until_the_slot_is_handed_over() {
    let machine = unseen_by_root("coder");
    let script = machine.slot("coder").join("log/run");
    let text = std::fs::read_to_string(&script).expect("the slot is whole");
    // A logger on a busy machine: it hands the slot over while the command runs, which stores its intent before it
    // reads the slot.
    let word = machine.home().join("profiles/coder/gateway_intent.json");
    let late = format!("until test -e {}; do sleep 0.05; done\nexec ", path(&word));
    let slow = text.replacen("exec ", &late, 1);
    assert_ne!(slow, text);
    std::fs::write(&script, slow).expect("we are root");
    machine.run(User::Root, &[], &["s6-svscanctl", "-a", "/run/service"]).expect(0);
    wait_until("root's s6-supervise", || {
        let meta = std::fs::metadata(machine.slot("coder").join("supervise"));
        expect_that(meta.is_ok_and(|meta| meta.mode() & 0o777 == 0o700), || {
            "no supervise/".to_owned()
        })
    });
    machine.hermes_ok("-p coder gateway start");
    machine.wait_status("coder", "verdict", "up");
    assert_eq!(handed_over(&machine), Some(0o710));
}

/// The mode of `supervise/`, once hermes may look into it.
fn handed_over(machine: &Machine) -> Option<u32> {
    let meta = std::fs::metadata(machine.slot("coder").join("supervise")).ok()?;
    Some(meta.permissions().mode() & 0o777).filter(|_| meta.uid() == 0 && meta.gid() == GID)
}

#[test]
fn r4_a_fifo_of_roots_is_the_named_error_with_a_hint() {
    let machine = foreign_with("coder");
    wait_until("the logger to hand the slot over", || {
        expect_that(handed_over(&machine) == Some(0o710), || format!("{:?}", handed_over(&machine)))
    });
    let fifo = machine.slot("coder").join("supervise/control");
    std::fs::set_permissions(fifo, Permissions::from_mode(0o600)).expect("we are root");
    for verb in ["start", "stop", "restart"] {
        let outcome = machine.hermes(&format!("-p coder gateway {verb}")).expect(1);
        outcome.says(&["✗ ", "ermission denied", "hint: this scan directory belongs to another"]);
    }
    assert_eq!(machine.gateways("coder"), []);
}

#[test]
fn r6_create_that_cannot_rescan_leaves_nothing() {
    let machine = bare(Tree::Root);
    let outcome = machine.hermes("profile create coder").expect(1);
    outcome.says(&["✗ s6-svscanctl rescan on '/run/service' failed (rc=111)", "hint: "]);
    assert_eq!(names(&machine.home().join("profiles")), Vec::<String>::new());
    assert_eq!(machine.scan_dir(), Vec::<String>::new());
}

#[test]
fn h28_a_slot_that_nobody_was_told_of_is_named_so_and_reconcile_mends_it() {
    let machine = machine_with(&["coder"]);
    let copy = "cp -r /run/service/gateway-coder /run/service/.x && rm -rf /run/service/.x/supervise \
                /run/service/.x/event /run/service/.x/log/supervise /run/service/.x/log/event && \
                mv /run/service/.x /run/service/gateway-$0";
    for name in ["writer", "reader"] {
        machine.run(User::Hermes, &[], &["sh", "-c", copy, name]).expect(0);
        machine.put(format!("profiles/{name}/SOUL.md"), "soul\n");
        let line = format!("--json -p {name} gateway status");
        let status = machine.hermes(&line).expect(4).json();
        assert_eq!(status["gateways"][0]["presence"], "unsupervised");
    }
    // A start makes its own slot live; a reconcile all of them.
    machine.hermes_ok("-p writer gateway start");
    machine.put("profiles/reader/gateway_intent.json", "{\"intent\":\"running\"}");
    machine.hermes_ok("boot reconcile");
    machine.wait_status("reader", "verdict", "up");
}

#[test]
fn h28_start_right_after_create_works() {
    let machine = machine();
    for round in 0..5 {
        machine.hermes_ok(&format!("profile create p{round}"));
        machine.hermes_ok(&format!("-p p{round} gateway start"));
    }
}

#[test]
fn h29_missing_tools_are_named_with_where_we_looked() {
    let machine = machine_with(&["coder"]);
    let nowhere = [("HERMES_S6_BIN_DIR", "/nowhere")];
    for line in ["-p coder gateway start", "profile create writer", "profile delete coder -y"] {
        let outcome = machine.hermes_with(User::Hermes, &nowhere, line).expect(1);
        outcome.says(&["✗ no s6-sv", " in /nowhere", "hint: install s6"]);
    }
    assert_eq!(machine.scan_dir(), ["gateway-coder", "gateway-default"]);
    assert_eq!(names(&machine.home().join("profiles")), ["coder"]);
}

#[test]
fn h29_a_tool_that_hangs_is_killed_and_named() {
    let machine = machine_with(&["coder"]);
    let dir = machine.home().join("bin");
    let fake = "mkdir bin && cd bin && ln -s /usr/bin/s6-* . && rm s6-svc && \
                printf '#!/bin/sh\\nexec sleep 54321\\n' > s6-svc && chmod 755 s6-svc";
    let fake = format!("cd {} && {fake}", machine.home().display());
    machine.run(User::Hermes, &[], &["sh", "-c", &fake]).expect(0);
    let began = Instant::now();
    let env = [("HERMES_S6_BIN_DIR", path(&dir))];
    let outcome = machine.hermes_with(User::Hermes, &env, "-p coder gateway start").expect(1);
    outcome.says(&["✗ s6-svc start on 'gateway-coder' did not end within 10 s", "hint: "]);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    let left = machine.processes();
    assert!(!left.iter().any(|process| process.line.contains("54321")), "{left:?}");
}

#[test]
fn h29_an_unreadable_scan_directory_is_named() {
    let machine = machine_with(&["coder"]);
    machine.run(User::Root, &[], &["chmod", "0", "/run/service"]).expect(0);
    for line in ["-p coder gateway start", "-p coder gateway status", "boot reconcile"] {
        machine.hermes(line).expect(1).says(&["✗ ", "/run/service", "ermission denied"]);
    }
}

#[test]
fn as_root_in_the_image_a_command_becomes_hermes() {
    let machine = machine();
    machine.hermes_with(User::Root, &[], "profile create coder").expect(0);
    machine.hermes_with(User::Root, &[], "-p coder gateway start").expect(0);
    let home = machine.home();
    let owned = machine.run(
        User::Root,
        &[],
        &["find", path(&home), "/run/service", "!", "-user", "hermes"],
    );
    assert_eq!(owned.expect(0).out, "");
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
