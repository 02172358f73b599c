//! `docker run` with other options: what a container may lack, who may own its home, and another PID 1.

use std::os::unix::fs::{MetadataExt, chown};

use testcontainers::ImageExt;
use testcontainers::core::Mount;

use super::machine::{DockerMachine, image};

#[tokio::test]
async fn a_read_only_container_works() {
    let request = image().with_readonly_rootfs(true).with_host_config_modifier(|config| {
        config.tmpfs = Some([("/run".to_owned(), "exec".to_owned())].into());
    });
    let machine = DockerMachine::start(request).await;
    machine.wait_until_ready();
    machine.must("hermes profile create coder && hermes -p coder gateway start");
    machine.restart();
    machine.eventually("gateway 'coder' up again", |machine| {
        machine.hermes("hermes -p coder gateway status").code == 0
    });
}

#[tokio::test]
async fn a_run_that_executes_nothing_is_named() {
    let request = image().with_readonly_rootfs(true).with_host_config_modifier(|config| {
        config.tmpfs = Some([("/run".to_owned(), String::new())].into());
    });
    let machine = DockerMachine::start(request).await;
    assert_eq!(machine.exit_code(), 1);
    let logs = machine.logs();
    let named = logs.starts_with("✗ failed to run `/run/hermes/init/.s6-svscan/finish`");
    assert!(named && logs.contains("`docker run --tmpfs /run:exec`"), "{logs}");
}

#[tokio::test]
async fn under_an_init_of_the_engines_it_says_what_is_wrong() {
    let request = image().with_host_config_modifier(|config| config.init = Some(true));
    let machine = DockerMachine::start(request).await;
    assert_eq!(machine.exit_code(), 1);
    let logs = machine.logs();
    assert!(logs.starts_with("✗ boot init is what a container starts as its PID 1"), "{logs}");
}

#[tokio::test]
async fn a_home_of_somebody_elses_is_handed_over() {
    let home = tempfile::tempdir().expect("a directory on the host");
    std::fs::write(home.path().join("notes"), "theirs\n").expect("a file of theirs");
    for path in [home.path().to_owned(), home.path().join("notes")] {
        chown(path, Some(4242), Some(4242)).expect("root gives away");
    }
    let mount = Mount::bind_mount(home.path().display().to_string(), "/opt/data");
    let machine = DockerMachine::start(image().with_mount(mount)).await;
    machine.wait_until_ready();
    machine.must("hermes gateway start");
    assert_eq!(machine.must("cat notes && stat -c %u . notes"), "theirs\n10000\n10000\n");
    let owner = std::fs::metadata(home.path().join("notes")).expect("it is there").uid();
    assert_eq!(owner, 10_000, "as the host sees it");
}

#[tokio::test]
async fn a_gateway_killed_at_the_memory_limit_comes_back() {
    const LIMIT: i64 = 64 << 20;
    // The first start takes more memory than there is; the second one finds the record of that.
    let eater = "#!/usr/bin/perl\nmy $much = 300_000_000;\n\
        if (mkdir \"/opt/data/ate\") { my $x = \"a\" x $much; print length $x }\nsleep 1 while 1;\n";
    let request = image().with_host_config_modifier(|config| {
        config.memory = Some(LIMIT);
        config.memory_swap = Some(LIMIT);
    });
    let machine = DockerMachine::start(request).await;
    machine.wait_until_ready();
    machine.must("hermes profile create coder && hermes profile create hungry");
    machine.must(&format!("cat > eater <<'END'\n{eater}END\nchmod +x eater"));
    machine.must("echo 'command = [\"/opt/data/eater\"]' > profiles/hungry/gateway.toml");
    machine.must("hermes -p coder gateway start");
    let before = machine.pid("coder");
    machine.must("hermes -p hungry gateway start --no-wait");
    machine.eventually("the word that it was killed", |machine| {
        machine.logs().contains("SIGKILL ended the command")
    });
    machine.eventually("gateway 'hungry' up after all", |machine| {
        machine.hermes("hermes -p hungry gateway status").code == 0
    });
    assert_eq!(machine.pid("coder"), before, "its neighbour did not notice");
}
