//! One container with systemd as PID 1, and an operator who types at it as uid 10000.
//!
//! Waits for observables, with a deadline and a text for the unmet condition. The container is removed with its test;
//! one that a killed test leaves is removed by `just docker-clean`.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use crate::docker::image;
use crate::support::machine::{expect_that, wait_until};

/// Options that let systemd be PID 1 in a container, on a machine with a separate hierarchy for systemd (cgroup v1).
const FLAGS: [&str; 17] = [
    "--stop-signal",
    "SIGRTMIN+3",
    "--cap-add",
    "SYS_ADMIN",
    "--security-opt",
    "seccomp=unconfined",
    "--security-opt",
    "apparmor=unconfined",
    "--cgroupns=host",
    "--tmpfs",
    "/run",
    "--tmpfs",
    "/run/lock",
    "-v",
    "/sys/fs/cgroup:/sys/fs/cgroup:ro",
    "-v",
    "/sys/fs/cgroup/systemd:/sys/fs/cgroup/systemd:rw",
];

/// Where `systemctl` of uid 10000 finds its systemd; `docker exec` sets no such variable.
const AS_IN_A_SESSION: &str = "export XDG_RUNTIME_DIR=/run/user/10000; ";

/// A container; removed when it goes out of scope.
pub(super) struct SystemdMachine {
    id: String,
}

/// What a command printed, and its exit code.
#[derive(Debug)]
pub(super) struct ShellOutput {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl ShellOutput {
    /// It ended with this code.
    #[track_caller]
    pub(super) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

impl SystemdMachine {
    /// The machine, once the systemd of hermes answers.
    pub(super) fn booted() -> Self {
        let program = image();
        let mount = format!("{}:/usr/local/bin/hermes:ro", program.display());
        let image = format!("hermes-test-systemd:{}", suite());
        let words = ["run", "--detach", "--label", "hermes.test=1", "--volume", &mount];
        let said = docker(&[&words[..], &FLAGS, &[&image]].concat()).expect(0);
        let machine = Self { id: said.out.trim().to_owned() };
        machine.wait_until_booted();
        machine
    }

    fn wait_until_booted(&self) {
        wait_until("the systemd of hermes", || {
            let said = self.sh("systemctl --user is-system-running");
            // Degraded: some unit of Debian's own fails in a container.
            expect_that(matches!(said.out.trim(), "running" | "degraded"), || format!("{said:?}"))
        });
    }

    /// The machine shuts down orderly and comes up again.
    pub(super) fn reboot(&self) {
        docker(&["restart", "--time", "60", &self.id]).expect(0);
        self.wait_until_booted();
    }

    /// The machine is cut off and comes up again.
    pub(super) fn crash(&self) {
        docker(&["kill", &self.id]).expect(0);
        docker(&["start", &self.id]).expect(0);
        self.wait_until_booted();
    }

    /// A shell line as hermes.
    pub(super) fn sh(&self, line: &str) -> ShellOutput {
        self.sh_as("hermes", &format!("{AS_IN_A_SESSION}{line}"))
    }

    /// A shell line as this user, with nothing in the environment that `docker exec` does not set.
    pub(super) fn sh_as(&self, user: &str, line: &str) -> ShellOutput {
        docker(&["exec", "-u", user, &self.id, "sh", "-c", line])
    }

    /// `hermes …` as hermes, in the bare environment of `docker exec`.
    pub(super) fn hermes(&self, line: &str) -> ShellOutput {
        self.sh_as("hermes", &format!("hermes {line}"))
    }

    /// `hermes …` as hermes, which must succeed.
    #[track_caller]
    pub(super) fn ok(&self, line: &str) -> ShellOutput {
        self.hermes(line).expect(0)
    }

    /// A profile's object in `gateway status --json`.
    pub(super) fn status(&self, profile: &str) -> Value {
        let said = self.hermes(&format!("--json -p {profile} gateway status"));
        let document: Value =
            serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        document["gateways"][0].clone()
    }

    /// Waits until a key of the status has this value; the whole status then.
    #[track_caller]
    pub(super) fn wait_status(&self, profile: &str, key: &str, value: impl Into<Value>) -> Value {
        let value = value.into();
        wait_until(&format!("{key} of '{profile}' is {value}"), || {
            let status = self.status(profile);
            if status[key] == value { Ok(status) } else { Err(status.to_string()) }
        })
    }

    /// A property of the profile's unit, as systemd itself tells it.
    pub(super) fn property(&self, profile: &str, name: &str) -> String {
        let said = self.sh(&format!(
            "systemctl --user show --property={name} --value hermes-gateway-{profile}.service"
        ));
        said.expect(0).out.trim().to_owned()
    }

    /// How many processes have these words in their command line, without those that search for them.
    pub(super) fn count(&self, words: &str) -> usize {
        let each =
            "for file in /proc/[0-9]*/cmdline; do tr '\\0\\n' '  ' <$file; echo; done 2>/dev/null";
        let line = format!("{each} | grep -v -e grep -e /cmdline | grep -cF -- '{words}'");
        let said = self.sh_as("root", &line);
        said.out.trim().parse().unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// Puts a file below the home of hermes.
    pub(super) fn put(&self, path: &str, contents: &str) {
        let quoted = contents.replace('\'', r"'\''");
        self.sh(&format!("mkdir -p \"$(dirname ~/{path})\" && printf %s '{quoted}' >~/{path}.new && mv ~/{path}.new ~/{path}"))
            .expect(0);
    }
}

#[expect(clippy::print_stderr, reason = "diagnostics of a failed test")]
impl Drop for SystemdMachine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let units = self.sh("systemctl --user --no-pager status 'hermes-*'; tail -n 50 ~/.hermes/logs/gateways/*/current");
            eprintln!("--- units and logs\n{}{}", units.out, units.err);
        }
        docker(&["rm", "--force", "--volumes", &self.id]);
    }
}

/// `HERMES_TEST_SYSTEMD_SUITE` names the Debian whose systemd it is.
fn suite() -> String {
    std::env::var("HERMES_TEST_SYSTEMD_SUITE").unwrap_or_else(|_| "bookworm".to_owned())
}

/// Ensures that the image and its program are there; the first call builds both.
fn image() -> &'static Path {
    static MADE: OnceLock<std::path::PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        made(Command::new(root.join("docker/systemd.sh")).arg(suite()));
        image::compile(root)
    })
}

/// Builds an image; processes take turns, because a runner with a process for each test calls this in each.
pub(super) fn made(command: &mut Command) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lock = std::fs::File::create(root.join("target/.systemd-lock")).expect("a lock file");
    flock(&lock, FlockOperation::LockExclusive).expect("the lock");
    image::run(command);
}

/// `docker WORDS…`.
pub(super) fn docker(words: &[&str]) -> ShellOutput {
    let Output { status, stdout, stderr } =
        Command::new("docker").args(words).output().expect("the docker client");
    ShellOutput {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
