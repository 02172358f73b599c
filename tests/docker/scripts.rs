//! The scripts that hermes wrote into a live container, read by shellcheck; `sh` itself has run them in every other test.

use std::io::Write;
use std::process::{Command, Stdio};

use rstest::rstest;
use testcontainers::ImageExt;

use super::machine::{DockerMachine, image};

const SCRIPTS: [&str; 9] = [
    "/run/hermes/init/.s6-svscan/finish",
    "/run/hermes/init/gateways/run",
    "/run/hermes/init/gateways/finish",
    "/run/hermes/init/main/run",
    "/run/hermes/init/main/finish",
    "/run/service/.s6-svscan/SIGTERM",
    "/run/service/.s6-svscan/finish",
    "/command/with-contenv",
    "/usr/local/lib/hermes/healthcheck",
];

#[rstest]
#[case::root(None)]
#[case::hermes(Some("10000:10000"))]
#[tokio::test]
async fn shellcheck_has_nothing_to_say(#[case] user: Option<&str>) {
    let mut request = image().with_env_var("HERMES_ROLE", "supervisor").with_cmd([
        "sh",
        "-c",
        "it='s odd'; exec sleep 1000",
    ]);
    if let Some(user) = user {
        request = request.with_user(user);
    }
    let machine = DockerMachine::start(request).await;
    machine.wait_until_ready();
    for script in SCRIPTS {
        shellcheck(script, &machine.must_as_root(&format!("cat {script}")));
    }
}

fn shellcheck(name: &str, contents: &str) {
    let mut child = Command::new("shellcheck")
        .args(["--shell=sh", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("shellcheck is installed");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(contents.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{name}:\n{}", String::from_utf8_lossy(&output.stdout));
}
