//! A test of the observer itself: damage is done on purpose, one kind at a time, and the observer must report the violated
//! invariant; after the repair everything must hold again. A machine that does not run must be reported as not booted,
//! though no invariant is violated in it.

use super::super::setup;
use super::Testbed;
use super::monitor::{Checkpoint, NOT_SUPERVISED};
use super::run::GatedRun;
use crate::scenario::values::Span;
use crate::scenario::{ContainerName, Scenario, TaskAddress};

/// Damage by a shell script inside, its repair, and the invariant that it violates.
struct Damage {
    violates: &'static str,
    damage_script: &'static str,
    repair_script: &'static str,
}

/// In a home where `coder` is stopped.
const DAMAGES: [Damage; 8] = [
    Damage {
        violates: "S2",
        damage_script: "cd /opt/data/profiles/coder; cp -a gateway_intent.json /tmp/kept; echo '{' >gateway_intent.json",
        repair_script: "cp -a /tmp/kept /opt/data/profiles/coder/gateway_intent.json",
    },
    Damage {
        violates: "S3",
        damage_script: "sed -i s/stopped/running/ /opt/data/profiles/coder/gateway_intent.json",
        repair_script: "sed -i s/running/stopped/ /opt/data/profiles/coder/gateway_intent.json",
    },
    Damage {
        violates: "S6",
        damage_script: "mv /run/service/gateway-coder/finish /tmp/",
        repair_script: "mv /tmp/finish /run/service/gateway-coder/",
    },
    Damage {
        violates: "S7",
        damage_script: "rm /run/service/gateway-coder/down",
        repair_script: ": >/run/service/gateway-coder/down",
    },
    Damage {
        violates: "S13",
        damage_script: "cd /opt/data/logs; cp -a container-boot.log /tmp/; echo torn >>container-boot.log",
        repair_script: "cp -a /tmp/container-boot.log /opt/data/logs/",
    },
    Damage {
        violates: "L1",
        damage_script: "/command/s6-svc -u /run/service/gateway-coder",
        // No wait (`-w`): s6 2.11 does not let root wait for events of a supervisor of another user.
        repair_script: "/command/s6-svc -d /run/service/gateway-coder",
    },
    Damage {
        violates: "L2",
        damage_script: "cp -a /run/service/gateway-coder /run/service/gateway-ghost",
        repair_script: "rm -r /run/service/gateway-ghost",
    },
    Damage {
        violates: "L6",
        damage_script: "mkdir /opt/data/profiles/ghost; : >/opt/data/profiles/ghost/SOUL.md",
        repair_script: "rm -r /opt/data/profiles/ghost",
    },
];

/// A violation is printed with the name of its invariant first.
fn is_violation_of(invariant: &str, failure: &str) -> bool {
    failure.split(' ').next() == Some(invariant)
}

/// Tries every kind of damage; returns their number, or the one that was not reported.
pub fn self_test_observer(
    testbed: &Testbed,
    scenario: &Scenario,
    task: &TaskAddress,
) -> Result<usize, String> {
    let mut run = GatedRun::start(testbed, scenario, task, &[])?;
    let monitor = &mut run.monitor;
    for Damage { violates, damage_script: damage, repair_script: repair } in &DAMAGES {
        setup::run_script(monitor.machine.container(ContainerName(1))?, damage, &[], b"")?;
        monitor.settle_after_fault()?;
        match monitor.check_now(Checkpoint::Booted) {
            Err(failure) if is_violation_of(violates, &failure) => {}
            other => {
                return Err(format!("after `{damage}`: {other:?}, not a violation of {violates}"));
            }
        }
        setup::run_script(monitor.machine.container(ContainerName(1))?, repair, &[], b"")?;
        monitor
            .check_in_time(Checkpoint::Booted)
            .map_err(|failure| format!("after `{repair}`: {failure}"))?;
    }
    let machine = &mut monitor.machine;
    machine.stop(ContainerName(1), Span::seconds(10).0)?;
    match monitor.check_now(Checkpoint::Booted) {
        Err(failure) if failure == NOT_SUPERVISED => Ok(DAMAGES.len()),
        other => {
            Err(format!("a container that does not run: {other:?}, not that {NOT_SUPERVISED}"))
        }
    }
}
