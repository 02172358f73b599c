//! create, delete and rename carry the slot with them.

use std::process::Command;

use super::{machine, machine_with};
use crate::support::machine::{expect_that, names, wait_until};

const SCRIPTS: [&str; 3] = ["run", "finish", "log/run"];

#[test]
fn create_makes_a_live_slot_that_is_down() {
    let machine = machine_with(&["coder"]);
    assert_eq!(machine.supervisors("coder").len(), 1);
    assert_eq!(machine.gateways("coder"), []);
    assert_eq!(machine.scan_dir(), ["gateway-coder", "gateway-default"]);
    let status = machine.status("coder");
    assert_eq!((&status["verdict"], &status["presence"]), (&"down".into(), &"supervised".into()));
    machine.hermes("profile create coder").expect(1).says(&["'coder' exists already"]);
}

#[test]
fn the_scripts_of_a_slot_are_read_by_sh() {
    check_scripts(|script| Command::new("sh").arg("-n").arg(script).status());
}

#[test]
fn the_scripts_of_a_slot_pass_shellcheck() {
    check_scripts(|script| Command::new("shellcheck").arg(script).status());
}

fn check_scripts(check: impl Fn(&std::path::Path) -> std::io::Result<std::process::ExitStatus>) {
    let machine = machine_with(&["coder"]);
    for profile in ["default", "coder"] {
        for script in SCRIPTS {
            let path = machine.slot(profile).join(script);
            assert!(check(&path).expect("the checker").success(), "{}", path.display());
        }
    }
}

#[test]
fn h20_delete_leaves_no_process_and_create_makes_one_of_each() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    wait_until("the logger runs", || {
        let all = machine.everything_of("coder");
        expect_that(all.len() == 4, || format!("{all:?}"))
    });
    machine.hermes_ok("profile delete coder -y");
    assert_eq!(machine.everything_of("coder"), []);
    assert_eq!(machine.scan_dir(), ["gateway-default"]);
    assert_eq!(names(&machine.home().join("profiles")), Vec::<String>::new());
    assert_eq!(names(&machine.home().join("logs/gateways")), ["default"]);
    machine.hermes("-p coder gateway start").expect(1).says(&["no such gateway 'coder'"]);
    machine.hermes("profile delete coder -y").expect(1).says(&["no such profile 'coder'"]);
    machine.hermes_ok("profile create coder");
    machine.hermes_ok("-p coder gateway start");
    wait_until("one gateway, one logger, a supervisor for each", || {
        let all = machine.everything_of("coder");
        expect_that(all.len() == 4, || format!("{all:?}"))
    });
}

#[test]
fn h21_delete_does_not_take_a_profile_from_under_a_live_gateway() {
    let machine = machine_with(&["coder"]);
    let command = "command = ['sh', '-c', 'trap \"\" TERM; while :; do sleep 0.1; done']\ndrain_timeout = 20\n";
    machine.put("profiles/coder/gateway.toml", command);
    machine.hermes_ok("boot reconcile");
    machine.hermes_ok("-p coder gateway start");
    machine.hermes("profile delete coder -y --timeout 1").expect(1).says(&["was not down"]);
    assert!(machine.profile_dir("coder").join("SOUL.md").exists());
    assert_eq!(machine.gateways("coder").len(), 1);
}

#[test]
fn h24_rename_of_a_running_gateway_comes_up_under_the_new_name() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    machine.hermes_ok("profile rename coder writer");
    machine.wait_status("writer", "verdict", "up");
    assert_eq!(machine.everything_of("coder"), []);
    assert_eq!(machine.scan_dir(), ["gateway-default", "gateway-writer"]);
    assert_eq!(names(&machine.home().join("profiles")), ["writer"]);
    machine.hermes("-p coder gateway status").expect(1).says(&["no such gateway 'coder'"]);
    assert_eq!(machine.gateways("writer").len(), 1);
}

#[test]
fn rename_of_a_stopped_gateway_keeps_it_stopped() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    machine.hermes_ok("-p coder gateway stop");
    machine.hermes_ok("profile rename coder writer");
    machine.hermes("-p writer gateway status").expect(3);
    assert_eq!(machine.gateways("writer"), []);
}

#[test]
fn default_can_be_neither_deleted_nor_renamed() {
    let machine = machine();
    machine.hermes("profile delete default -y").expect(1).says(&["cannot be deleted"]);
    machine.hermes("profile rename default x").expect(1).says(&["cannot be renamed"]);
    assert_eq!(machine.scan_dir(), ["gateway-default"]);
}
