//! Does the observer see anything at all? Damage is done on purpose, one at a time, and the promise it breaks must be
//! named; undone, everything holds again. And a machine that does not run has not booted, though nothing is wrong in it.

use super::super::setup;
use super::Testbed;
use super::monitor::{Checkpoint, NOT_SUPERVISED};
use super::run::GatedRun;
use crate::scenario::values::Span;
use crate::scenario::{ContainerName, Scenario, TaskAddress};

/// What is done and undone by a shell inside, and what it breaks.
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
        // Not waited for: s6 2.11 lets root hear nothing of a supervisor that is not root's.
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

/// Looks at all of them; gives how many there were, or what was not seen.
pub fn self_test_observer(
    ground: &Testbed,
    scenario: &Scenario,
    task: &TaskAddress,
) -> Result<usize, String> {
    let mut stage = GatedRun::start(ground, scenario, task, &[])?;
    let watched = &mut stage.monitor;
    for Damage { violates: breaks, damage_script: done, repair_script: undone } in &DAMAGES {
        setup::run_script(watched.machine.container(ContainerName(1))?, done, &[], b"")?;
        watched.settle_after_fault()?;
        let broken = format!("{breaks} is broken");
        match watched.check_now(Checkpoint::Booted) {
            Err(what) if what.starts_with(&broken) => {}
            other => return Err(format!("after `{done}`: {other:?}, not that {broken}")),
        }
        setup::run_script(watched.machine.container(ContainerName(1))?, undone, &[], b"")?;
        watched
            .check_in_time(Checkpoint::Booted)
            .map_err(|what| format!("after `{undone}`: {what}"))?;
    }
    let machine = &mut watched.machine;
    machine.stop(ContainerName(1), Span::seconds(10).0)?;
    match watched.check_now(Checkpoint::Booted) {
        Err(what) if what == NOT_SUPERVISED => Ok(DAMAGES.len()),
        other => {
            Err(format!("a container that does not run: {other:?}, not that {NOT_SUPERVISED}"))
        }
    }
}
