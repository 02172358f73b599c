//! The image under test, built once: the program is compiled here, statically, and handed to the Dockerfile.
//!
//! `HERMES_TEST_SUITE` names the Debian it is based on (trixie). Starts no container.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, flock};

/// The image's name.
pub(super) const NAME: &str = "hermes-test";

/// The image's tag: the Debian suite. The first call builds it.
pub(super) fn tag() -> &'static str {
    static BUILT: OnceLock<String> = OnceLock::new();
    BUILT.get_or_init(|| {
        let suite = std::env::var("HERMES_TEST_SUITE").unwrap_or_else(|_| "trixie".to_owned());
        build(&suite);
        suite
    })
}

fn build(suite: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A runner with a process for each test calls this in each process: they take turns.
    let lock = std::fs::File::create(root.join("target").join(".image-lock")).expect("a lock file");
    flock(&lock, FlockOperation::LockExclusive).expect("the lock");
    run(Command::new("docker").arg("info"));
    run(Command::new(root.join("docker/base.sh")).arg(suite));
    let program = compile(root);
    let prebuilt = root.join("docker/prebuilt");
    std::fs::create_dir_all(&prebuilt).expect("a directory for the program");
    std::fs::copy(program, prebuilt.join("hermes")).expect("the program is copied");
    run(Command::new("docker").current_dir(root).args([
        "build",
        "--quiet",
        "--label=hermes.test=1",
        "--build-arg=BINARY=prebuilt",
        &format!("--build-arg=BUILDER=debian:{suite}-slim"),
        &format!("--build-arg=BASE=debian:{suite}-slim"),
        &format!("--tag={NAME}:{suite}"),
        ".",
    ]));
}

/// In a target directory of its own: other flags, and never in the way of the cargo that runs this test.
pub(crate) fn compile(root: &Path) -> PathBuf {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let dir = root.join("target/static");
    run(Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--locked", "--bin", "hermes", "--target", &target])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_TARGET_DIR", &dir));
    dir.join(target).join("debug/hermes")
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
