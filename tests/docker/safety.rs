//! Root never runs, follows or gives away anything that hermes could have planted; hermes keeps its own files.

use testcontainers::ImageExt;

use super::machine::{DockerMachine, image};

#[tokio::test]
async fn everything_below_the_home_belongs_to_hermes() {
    let machine = DockerMachine::supervising().await;
    machine.must_as_root("hermes profile create coder && hermes -p coder gateway start");
    let strangers = "find /opt/data /run/service ! -user hermes -o ! -group hermes";
    assert_eq!(machine.must_as_root(strangers), "");
    machine.must_as_root("mkdir -m 0700 /opt/data/profiles/byroot && cd /opt/data/profiles/byroot && echo hi > SOUL.md && ln -s SOUL.md link");
    machine.restart();
    assert_eq!(machine.must_as_root(strangers), "");
    machine.must("test -d /run/service/gateway-byroot");
}

#[tokio::test]
async fn what_is_linked_from_the_home_keeps_its_owner() {
    let machine = DockerMachine::supervising().await;
    machine.must("ln -s /etc/shadow shadow && ln -s /etc etc && mkdir d && ln -s ../../.. d/up");
    // A second name of one of root's files, on the home's own file system.
    machine.must_as_root("echo secret > kept && ln kept d/planted && chmod 600 kept");
    machine.restart();
    assert_eq!(machine.must_as_root("stat -c %U kept d/planted"), "root\nroot\n");
    assert_eq!(
        machine.must_as_root("stat -Lc %U /etc /etc/shadow /etc/passwd /"),
        "root\n".repeat(4)
    );
    assert_eq!(machine.must_as_root("stat -c %U shadow etc d/up"), "hermes\n".repeat(3));
}

#[tokio::test]
async fn a_home_behind_a_link_is_not_walked() {
    let machine =
        DockerMachine::start(image().with_env_var("HERMES_HOME", "/opt/data/inner")).await;
    machine.wait_until_ready();
    machine.must_as_root("mkdir /srv/treasure");
    machine.must("mv /opt/data/inner /opt/data/moved && ln -s /srv /opt/data/inner");
    machine.docker_verb(&["restart"]);
    machine.eventually("the note", |machine| {
        machine.logs().contains("the owner of the home was not looked at")
    });
    assert_eq!(machine.must_as_root("stat -c %U /srv /srv/treasure"), "root\nroot\n");
}

#[tokio::test]
async fn hermes_cannot_make_root_run_anything() {
    let machine = DockerMachine::supervising().await;
    machine.must(
        "mkdir -p /run/service/.evil/log && cd /run/service/.evil && \
         printf '#!/bin/sh\\nid -u >> /tmp/ran\\nexec sleep 1000\\n' > run && \
         printf '#!/bin/sh\\nid -u >> /tmp/ran\\n' > finish && \
         printf '#!/bin/sh\\nid -u >> /tmp/ran\\nexec cat\\n' > log/run && \
         chmod +x run finish log/run && mv /run/service/.evil /run/service/evil && \
         printf '#!/bin/sh\\nid -u >> /tmp/ran\\nexit 1\\n' > /run/service/.s6-svscan/finish && \
         s6-svscanctl -a /run/service",
    );
    machine.eventually("the planted service", |machine| {
        machine.hermes("test \"$(grep -c . /tmp/ran)\" -ge 2").code == 0
    });
    machine.must("s6-svscanctl -t /run/service");
    machine.eventually("the planted finish scripts", |machine| {
        machine.hermes("test \"$(grep -c . /tmp/ran)\" -ge 4").code == 0
    });
    machine.wait_until_ready();
    assert_eq!(machine.must("sort -u /tmp/ran"), "10000\n");
}

#[tokio::test]
async fn roots_tree_is_closed_to_hermes() {
    let machine = DockerMachine::supervising().await;
    assert_eq!(
        machine.must("find /run/hermes /run/s6 /command -writable ! -type l ! -path /run/hermes/state 2>/dev/null || :"),
        ""
    );
    assert_ne!(machine.hermes("s6-svscanctl -t /run/hermes/init").code, 0);
    assert_ne!(machine.hermes("s6-svc -d /run/hermes/init/gateways").code, 0);
    // The only place that belongs to hermes: root's scripts only test whether something is there.
    let hers = machine.must_as_root("find /run/hermes /run/s6 ! -user root");
    assert_eq!(hers, "/run/hermes/state\n");
}

#[tokio::test]
async fn secrets_of_the_environment_are_for_hermes_alone() {
    let machine = DockerMachine::start(image().with_env_var("TOKEN", "secret")).await;
    machine.wait_until_ready();
    let stat = machine.must("stat -c '%a %U:%G' /run/s6/container_environment/TOKEN");
    assert_eq!(stat, "640 root:hermes\n");
    assert_eq!(machine.must("/command/with-contenv sh -c 'echo $TOKEN'"), "secret\n");
}

#[tokio::test]
async fn root_becomes_the_recorded_user_and_not_the_owner_of_the_scan_directory() {
    let machine = DockerMachine::start(image().with_env_var("PUID", "1234")).await;
    machine.wait_until_ready();
    let record =
        machine.must_as_root("stat -c '%u %a' /run/hermes-identity; cat /run/hermes-identity");
    assert_eq!(record, "0 644\n1234 10000\n");
    machine.must_as_root("chown root /run/service");
    for words in ["gateway status", "profile list", "man /tmp/pages", "doctor"] {
        machine.root(&format!("mkdir -p -m 0777 /tmp/pages; hermes {words}"));
    }
    assert_eq!(machine.must_as_root("find /tmp/pages -type f -user root"), "");
    machine.must_as_root("hermes -p default gateway stop --no-wait || :");
    assert_eq!(machine.must_as_root("find /opt/data -user root"), "");
}
