//! What a container's restart keeps: each gateway as its operator left it.

use std::time::Duration;

use super::machine::{DockerMachine, image, volume};

#[tokio::test]
async fn a_live_gateway_returns_after_a_plain_restart() {
    let machine = DockerMachine::supervising().await;
    machine.must("hermes profile create coder && hermes -p coder gateway start");
    machine.restart();
    machine.eventually("gateway 'coder' up again", |machine| {
        machine.hermes("hermes -p coder gateway status").code == 0 && machine.pid("coder") > 1
    });
    let status = machine.must("hermes -p coder gateway status --json");
    assert!(status.contains(r#""schema": 1"#), "{status}");
}

#[tokio::test]
async fn a_stopped_gateway_stays_stopped_after_a_restart() {
    let machine = DockerMachine::supervising().await;
    machine.must("hermes profile create coder && hermes -p coder gateway start && hermes -p coder gateway stop");
    machine.restart();
    assert_eq!(machine.hermes("hermes -p coder gateway status").code, 3);
    assert_eq!(machine.pid("coder"), -1);
}

#[tokio::test]
async fn stop_all_stays_a_stop() {
    let machine = DockerMachine::supervising().await;
    machine
        .must("hermes profile create a && hermes profile create b && hermes gateway start --all");
    machine.must("hermes gateway stop --all");
    let wants = "for s in /run/service/gateway-*; do s6-svstat -o wantedup,normallyup $s; done";
    assert_eq!(machine.must(wants), "false false\n".repeat(3));
    machine.restart();
    assert_eq!(machine.must(wants), "false false\n".repeat(3));
    for profile in ["default", "a", "b"] {
        assert_eq!(machine.pid(profile), -1, "gateway '{profile}'");
    }
}

#[tokio::test]
async fn the_default_slot_is_always_there() {
    let machine = DockerMachine::supervising().await;
    machine.must("hermes gateway start");
    assert!(machine.pid("default") > 1);
    machine.must("hermes gateway stop");
    machine.restart();
    machine.must("test -d /run/service/gateway-default");
}

#[tokio::test]
async fn a_mistyped_profile_is_named() {
    let machine = DockerMachine::supervising().await;
    let said = machine.hermes("hermes -p typo gateway start");
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        "✗ no such gateway 'typo': register it with `hermes profile create typo` first, or pass an existing profile name via `-p <name>`\n"
    );
}

#[tokio::test]
async fn stale_pid_files_are_swept_at_boot() {
    let machine = DockerMachine::supervising().await;
    machine.must("hermes profile create coder");
    machine
        .must("cd /opt/data/profiles/coder && echo 1 > gateway.pid && echo '[1]' > processes.json");
    machine.restart();
    machine
        .must("cd /opt/data/profiles/coder && test ! -e gateway.pid && test ! -e processes.json");
}

#[tokio::test]
async fn what_a_boot_before_left_in_run_is_gone() {
    let machine = DockerMachine::supervising().await;
    machine
        .must("mkdir -p /run/service/stale /run/service/.gateway-x.1 && touch /run/service/file");
    machine.restart();
    machine.must("cd /run/service && test ! -e stale && test ! -e .gateway-x.1 && test ! -e file");
}

#[tokio::test]
async fn a_second_container_on_the_same_home_takes_over_when_the_first_ends() {
    let (name, mount) = volume("second");
    use testcontainers::ImageExt;
    {
        let first = DockerMachine::start(image().with_mount(mount.clone())).await;
        first.wait_until_ready();
        let second = DockerMachine::start(image().with_mount(mount)).await;
        second.eventually("the mark of one that waits", |machine| {
            machine.hermes("test -e /run/hermes/state/waiting").code == 0
        });
        let health = second.root("/usr/local/lib/hermes/healthcheck");
        assert_eq!((health.code, health.out.starts_with("waiting: ")), (0, true), "{health:?}");
        second.must("test ! -e /run/service/gateway-default");
        first.must("hermes gateway start");
        for line in ["hermes gateway stop --all", "hermes profile create other"] {
            let said = second.hermes(line);
            let named = said.err.contains("another container supervises this home");
            assert_eq!((said.code, named), (1, true), "{said:?}");
        }
        assert_eq!(first.must("hermes profile list").lines().count(), 1);
        assert_eq!(first.root("/usr/local/lib/hermes/healthcheck").code, 0);
        let took = second.docker_verb(&["stop", "-t", "30"]);
        assert!(took < Duration::from_secs(5), "one that waits ends at once: {took:?}");
        second.docker_verb(&["start"]);
        second.eventually("the note, once a boot", |machine| {
            machine.logs().matches("waiting for it to end").count() == 2
        });
        first.docker_verb(&["stop"]);
        second.wait_until_ready();
        second.eventually("the gateway, here now", |machine| machine.pid("default") > 1);
        second.must("test ! -e /run/hermes/state/waiting");
    }
    super::machine::docker(&["volume", "rm", "-f", &name]);
}

#[tokio::test]
async fn a_killed_scanner_comes_back_with_one_gateway_a_profile() {
    let machine = DockerMachine::supervising().await;
    machine.must("hermes gateway start");
    let before = machine.pid("default");
    // The s6-svscan of the gateways' tree: the one that is not PID 1.
    let find = "for p in /proc/[0-9]*; do \
        if test \"$(cat $p/comm)\" = s6-svscan && test ${p#/proc/} -gt 1; then echo ${p#/proc/}; fi; done";
    let scanner: i64 = machine.must(find).trim().parse().expect("one scanner");
    assert!(scanner > 1);
    machine.must(&format!("kill -9 {scanner}"));
    machine.eventually("another gateway than before", |machine| {
        let now = machine.pid("default");
        now > 1 && now != before && machine.hermes("hermes gateway status").code == 0
    });
    let gateways = "cat /proc/[0-9]*/comm | grep -cx hermes";
    assert_eq!(machine.must(gateways), "1\n");
}
