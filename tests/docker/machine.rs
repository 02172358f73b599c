//! One container of the image, and an operator who types `docker` at it.
//!
//! Waits for observables, with a deadline and a text for the unmet condition. A container is removed with its test,
//! pass or fail; a test that fails prints the container's log and every slot's status first.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use testcontainers::core::Mount;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};

use super::image;

const PATIENCE: Duration = Duration::from_secs(20);

/// A container; removed when it goes out of scope.
pub(super) struct DockerMachine {
    container: ContainerAsync<GenericImage>,
}

/// What a program printed, and its exit code.
#[derive(Debug)]
pub(super) struct DockerOutput {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// A container that is still to be started.
pub(super) fn image() -> ContainerRequest<GenericImage> {
    GenericImage::new(image::NAME, image::tag()).with_label("hermes.test", "1")
}

/// A name that no other test uses, for a volume.
pub(super) fn volume(name: &str) -> (String, Mount) {
    let volume = format!("hermes-test-{name}-{}", std::process::id());
    let mount = Mount::volume_mount(&volume, "/opt/data");
    (volume, mount)
}

impl DockerMachine {
    /// A container without a command, once its gateways are supervised.
    pub(super) async fn supervising() -> Self {
        let machine = Self::start(image()).await;
        machine.wait_until_ready();
        machine
    }

    /// The container as configured.
    pub(super) async fn start(request: ContainerRequest<GenericImage>) -> Self {
        Self { container: request.start().await.expect("the container starts") }
    }

    pub(super) fn wait_until_ready(&self) {
        self.eventually("the default gateway's supervisor", |machine| {
            machine.hermes("test -p /run/service/gateway-default/supervise/control").code == 0
                && machine.hermes("s6-svstat /run/service/gateway-default").code == 0
        });
    }

    /// A shell line as hermes, as `docker exec -u hermes` gives it.
    pub(super) fn hermes(&self, line: &str) -> DockerOutput {
        self.docker(&["exec", "-u", "hermes", self.container.id(), "sh", "-c", line])
    }

    /// A shell line as root, as a bare `docker exec` gives it.
    pub(super) fn root(&self, line: &str) -> DockerOutput {
        self.docker(&["exec", self.container.id(), "sh", "-c", line])
    }

    /// A shell line as hermes that must succeed; its output.
    pub(super) fn must(&self, line: &str) -> String {
        let said = self.hermes(line);
        assert_eq!(said.code, 0, "`{line}`: {said:?}");
        said.out
    }

    /// A shell line as root that must succeed; its output.
    pub(super) fn must_as_root(&self, line: &str) -> String {
        let said = self.root(line);
        assert_eq!(said.code, 0, "`{line}` as root: {said:?}");
        said.out
    }

    /// `docker VERB WORDS… CONTAINER`, which must succeed; how long it took.
    pub(super) fn docker_verb(&self, words: &[&str]) -> Duration {
        let began = Instant::now();
        let said = self.docker(&[words, &[self.container.id()]].concat());
        assert_eq!(said.code, 0, "docker {words:?}: {said:?}");
        began.elapsed()
    }

    /// A plain `docker restart`, until the gateways are supervised again.
    pub(super) fn restart(&self) {
        self.docker_verb(&["restart"]);
        self.wait_until_ready();
    }

    /// Waits for the container's end; its exit code.
    pub(super) fn exit_code(&self) -> i32 {
        let said = self.docker(&["wait", self.container.id()]);
        said.out.trim().parse().unwrap_or_else(|_| panic!("docker wait: {said:?}"))
    }

    /// Everything the container has printed.
    pub(super) fn logs(&self) -> String {
        let said = self.docker(&["logs", self.container.id()]);
        said.out + &said.err
    }

    /// What the container has printed to its standard output alone.
    pub(super) fn printed(&self) -> String {
        self.docker(&["logs", self.container.id()]).out
    }

    /// The gateway's process, or -1.
    pub(super) fn pid(&self, profile: &str) -> i64 {
        let said = self.hermes(&format!("s6-svstat -o pid /run/service/gateway-{profile}"));
        said.out.trim().parse().unwrap_or(-1)
    }

    /// Polls until the condition holds.
    pub(super) fn eventually(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < PATIENCE, "did not come in {PATIENCE:?}: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn docker(&self, words: &[&str]) -> DockerOutput {
        docker(words)
    }
}

#[expect(clippy::print_stderr, reason = "diagnostics of a failed test")]
impl Drop for DockerMachine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let slots =
                self.root("for s in /run/service/*/; do echo \"$s\"; s6-svstat \"$s\"; done");
            eprintln!("--- log of the container\n{}--- slots\n{}", self.logs(), slots.out);
        }
    }
}

/// `docker WORDS…`.
pub(super) fn docker(words: &[&str]) -> DockerOutput {
    let Output { status, stdout, stderr } =
        Command::new("docker").args(words).output().expect("the docker client");
    DockerOutput {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
