//! A container's stop: in order, waited for, and bounded in time whatever the services do.

use std::time::Duration;

use rstest::rstest;
use testcontainers::ImageExt;

use super::machine::{DockerMachine, image};

/// Far below any grace, far above what a shared machine needs.
const SOON: Duration = Duration::from_secs(4);

/// Publishes a service of this name and `run`, and waits until it says that it is up.
fn plant(machine: &DockerMachine, run: &str) {
    machine.must(&format!(
        "mkdir -p /run/service/.odd/log && cd /run/service/.odd && \
         printf '#!/bin/sh\\n%s\\n' '{run}' > run && \
         printf '#!/bin/sh\\nexec s6-log n3 /opt/data/odd-log\\n' > log/run && \
         chmod +x run log/run && mv /run/service/.odd /run/service/odd && s6-svscanctl -a /run/service"
    ));
    machine.eventually("the planted service", |machine| {
        machine.hermes("grep -q ready /opt/data/odd-log/current").code == 0
    });
}

#[tokio::test]
async fn an_idle_container_stops_at_once() {
    let machine = DockerMachine::supervising().await;
    let took = machine.docker_verb(&["stop"]);
    assert!(took < SOON, "{took:?}");
    assert_eq!(machine.exit_code(), 0);
}

#[tokio::test]
async fn a_drain_is_waited_for_and_its_last_words_are_logged() {
    let machine = DockerMachine::supervising().await;
    plant(
        &machine,
        "trap \"sleep 2; echo drained; exit 0\" TERM; echo ready; while :; do sleep 0.1; done",
    );
    let took = machine.docker_verb(&["stop"]);
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert_eq!(machine.exit_code(), 0);
    machine.restart();
    assert!(machine.must("cat /opt/data/odd-log/current").contains("drained"));
}

#[tokio::test]
async fn several_sigterms_are_one() {
    let machine = DockerMachine::supervising().await;
    plant(
        &machine,
        "trap \"sleep 1; echo drained; exit 0\" TERM; echo ready; while :; do sleep 0.1; done",
    );
    machine.docker_verb(&["kill", "-s", "TERM"]);
    machine.docker_verb(&["kill", "-s", "TERM"]);
    assert_eq!(machine.exit_code(), 0);
    machine.restart();
    assert_eq!(machine.must("grep -c drained /opt/data/odd-log/current"), "1\n");
}

#[rstest]
#[case::it_ignores_sigterm("trap \"\" TERM; echo ready; while :; do sleep 1; done")]
#[case::an_orphan_holds_the_log("setsid sleep 1000 & echo ready; exec sleep 1000")]
#[tokio::test]
async fn a_stop_ends_within_its_grace(#[case] run: &str) {
    let machine = DockerMachine::start(image().with_env_var("HERMES_STOP_GRACE", "5")).await;
    machine.wait_until_ready();
    plant(&machine, run);
    let took = machine.docker_verb(&["stop", "-t", "30"]);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(machine.exit_code(), 0);
}

#[rstest]
#[case::a_link_that_leads_nowhere(
    "ln -s nowhere /run/service/dangling; s6-svscanctl -a /run/service"
)]
#[case::a_scan_and_a_stop_at_once("s6-svscanctl -at /run/service")]
#[tokio::test]
async fn a_pending_scan_does_not_hang_the_stop(#[case] line: &str) {
    let machine = DockerMachine::start(image().with_env_var("HERMES_STOP_GRACE", "5")).await;
    machine.wait_until_ready();
    machine.must("hermes gateway start");
    machine.must(line);
    let took = machine.docker_verb(&["stop", "-t", "30"]);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(machine.exit_code(), 0);
}

#[tokio::test]
async fn a_command_is_told_to_stop_too() {
    let line = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done";
    let machine = DockerMachine::start(image().with_cmd(["sh", "-c", line])).await;
    machine.eventually("the command", |machine| machine.logs().contains("ready"));
    machine.docker_verb(&["stop"]);
    assert_eq!(machine.exit_code(), 9);
}
