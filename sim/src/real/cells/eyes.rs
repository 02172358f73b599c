//! Does the observer see anything at all? Damage is done on purpose, one at a time, and the promise it breaks must be
//! named; undone, everything holds again. And a machine that does not run has not booted, though nothing is wrong in it.

use super::super::setup;
use super::Testbed;
use super::cell::GatedRun;
use super::held::{Checkpoint, NOBODY};
use crate::scenario::words::Span;
use crate::scenario::{ContainerName, Scenario, TaskAddress};

/// What is done and undone by a shell inside, and what it breaks.
struct Damage {
    breaks: &'static str,
    done: &'static str,
    undone: &'static str,
}

/// In a home where `coder` is stopped.
const DAMAGES: [Damage; 8] = [
    Damage {
        breaks: "S2",
        done: "cd /opt/data/profiles/coder; cp -a gateway_intent.json /tmp/kept; echo '{' >gateway_intent.json",
        undone: "cp -a /tmp/kept /opt/data/profiles/coder/gateway_intent.json",
    },
    Damage {
        breaks: "S3",
        done: "sed -i s/stopped/running/ /opt/data/profiles/coder/gateway_intent.json",
        undone: "sed -i s/running/stopped/ /opt/data/profiles/coder/gateway_intent.json",
    },
    Damage {
        breaks: "S6",
        done: "mv /run/service/gateway-coder/finish /tmp/",
        undone: "mv /tmp/finish /run/service/gateway-coder/",
    },
    Damage {
        breaks: "S7",
        done: "rm /run/service/gateway-coder/down",
        undone: ": >/run/service/gateway-coder/down",
    },
    Damage {
        breaks: "S13",
        done: "cd /opt/data/logs; cp -a container-boot.log /tmp/; echo torn >>container-boot.log",
        undone: "cp -a /tmp/container-boot.log /opt/data/logs/",
    },
    Damage {
        breaks: "L1",
        done: "/command/s6-svc -u /run/service/gateway-coder",
        // Not waited for: s6 2.11 lets root hear nothing of a supervisor that is not root's.
        undone: "/command/s6-svc -d /run/service/gateway-coder",
    },
    Damage {
        breaks: "L2",
        done: "cp -a /run/service/gateway-coder /run/service/gateway-ghost",
        undone: "rm -r /run/service/gateway-ghost",
    },
    Damage {
        breaks: "L6",
        done: "mkdir /opt/data/profiles/ghost; : >/opt/data/profiles/ghost/SOUL.md",
        undone: "rm -r /opt/data/profiles/ghost",
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
    for Damage { breaks, done, undone } in &DAMAGES {
        setup::sh(watched.machine.vessel(ContainerName(1))?, done, &[], b"")?;
        watched.calms_down()?;
        let broken = format!("{breaks} is broken");
        match watched.check_now(Checkpoint::Booted) {
            Err(what) if what.starts_with(&broken) => {}
            other => return Err(format!("after `{done}`: {other:?}, not that {broken}")),
        }
        setup::sh(watched.machine.vessel(ContainerName(1))?, undone, &[], b"")?;
        watched
            .check_in_time(Checkpoint::Booted)
            .map_err(|what| format!("after `{undone}`: {what}"))?;
    }
    let machine = &mut watched.machine;
    machine.stop(ContainerName(1), Span::seconds(10).0)?;
    match watched.check_now(Checkpoint::Booted) {
        Err(what) if what == NOBODY => Ok(DAMAGES.len()),
        other => Err(format!("a container that does not run: {other:?}, not that {NOBODY}")),
    }
}
