//! Units for a systemd that is newer than the one that runs these tests, read by its own reader.

use std::path::Path;
use std::process::Command;

use hermes::backend::systemd::{UnitParams, render};
use hermes::detect::Scope;
use hermes::supervisor::ServiceSpec;
use rstest::rstest;

use super::machine::{ShellOutput, docker, made};
use crate::render::facts::plain;

/// The output of Debian trixie's systemd-analyze (257) for the unit.
fn verify(scope: Scope, change: fn(String) -> String) -> ShellOutput {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).expect("our own directory");
    let spec = ServiceSpec { program: "/bin/true".into(), ..plain() };
    let unit = change(render(&spec, UnitParams { scope, version: 257, owner: 10_000 }));
    std::fs::write(dir.path().join("hermes-gateway-coder.service"), unit).expect("a file");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/systemd.sh");
    made(Command::new(script).arg("trixie"));
    let mount = format!("{}:/units:ro", dir.path().display());
    let user = if scope == Scope::User { "--user" } else { "--system" };
    let image = "hermes-test-systemd:trixie";
    let run =
        ["run", "--rm", "--label", "hermes.test=1", "-e", "XDG_RUNTIME_DIR=/tmp", "-v", &mount];
    let verify = ["systemd-analyze", user, "verify", "/units/hermes-gateway-coder.service"];
    docker(&[&run[..], &[image], &verify[..]].concat())
}

#[rstest]
#[case(Scope::User)]
#[case(Scope::System)]
fn a_newer_systemd_reads_the_pauses_that_grow(#[case] scope: Scope) {
    let said = verify(scope, |unit| unit).expect(0);
    assert!(!said.err.contains("hermes-gateway-coder"), "{said:?}");
    let said = verify(scope, |unit| unit.replace("RestartSteps", "RestartStairs"));
    assert!(said.err.contains("Unknown key 'RestartStairs'"), "{said:?}");
}
