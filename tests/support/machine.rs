//! A machine with a real s6 tree: namespaces of its own, a home that outlives its restarts, commands as an operator.
//!
//! Needs root, s6, and util-linux. It ends with the test, pass or fail.

mod command;
mod look;
mod namespace;
pub(crate) mod poll;
mod processes;

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

pub(crate) use command::{CommandOutcome, User};
pub(crate) use look::names;
pub(crate) use namespace::{End, Tree, first_child, raw};
pub(crate) use poll::{expect_that, strike_after, wait_until};
pub(crate) use processes::MachineProcess;

use namespace::Namespace;

/// The owner of the home.
pub(crate) const UID: u32 = 10_000;

/// A command that takes longer than this hangs, and is killed.
const COMMAND_SECONDS: &str = "90";

/// One machine.
#[derive(Debug)]
pub(crate) struct Machine {
    scratch: tempfile::TempDir,
    program: PathBuf,
    tree: Tree,
    /// `None` only while the machine is down.
    namespace: Option<Namespace>,
}

impl Machine {
    /// Our image's kind of machine, booted.
    pub(crate) fn new(program: &Path) -> Self {
        let machine = Self::bare(program, Tree::Hermes);
        machine.hermes_ok("boot reconcile");
        machine
    }

    /// s6-svscan runs, and there are no slots yet.
    pub(crate) fn bare(program: &Path, tree: Tree) -> Self {
        let scratch = tempfile::Builder::new().prefix("hermes-machine-").tempdir().expect("a dir");
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(scratch.path(), open).expect("our own directory");
        let home = scratch.path().join("home");
        std::fs::create_dir(&home).expect("a home");
        chown(&home, Some(UID), Some(UID)).expect("we are root");
        let namespace = Namespace::start(tree, program, &home, &scratch.path().join("console"));
        Self { scratch, program: program.to_owned(), tree, namespace: Some(namespace) }
    }

    /// The home, inside and outside alike.
    pub(crate) fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    /// A profile's directory.
    pub(crate) fn profile_dir(&self, profile: &str) -> PathBuf {
        match profile {
            "default" => self.home(),
            name => self.home().join("profiles").join(name),
        }
    }

    /// Anything inside, seen from outside.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.live_namespace().path(inside)
    }

    /// A profile's slot, seen from outside.
    pub(crate) fn slot(&self, profile: &str) -> PathBuf {
        self.path(&format!("/run/service/gateway-{profile}"))
    }

    /// Puts a file into the home as its owner would.
    pub(crate) fn put(&self, path: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
        let path = self.home().join(path);
        let dir = path.parent().expect("below the home");
        self.put_dir(dir);
        std::fs::write(&path, contents).expect("a file in the home");
        chown(&path, Some(UID), Some(UID)).expect("we are root");
    }

    /// The same for a directory, with those above it.
    pub(crate) fn put_dir(&self, path: impl AsRef<Path>) {
        let path = self.home().join(path);
        let above: Vec<&Path> = path.ancestors().take_while(|dir| !dir.exists()).collect();
        std::fs::create_dir_all(&path).expect("a directory in the home");
        for dir in above {
            chown(dir, Some(UID), Some(UID)).expect("we are root");
        }
    }

    fn live_namespace(&self) -> &Namespace {
        self.namespace.as_ref().expect("only a restart is without")
    }

    /// `hermes …` as uid 10000.
    pub(crate) fn hermes(&self, line: &str) -> CommandOutcome {
        self.hermes_with(User::Hermes, &[], line)
    }

    /// `hermes …` as uid 10000, which must succeed.
    #[track_caller]
    pub(crate) fn hermes_ok(&self, line: &str) -> CommandOutcome {
        self.hermes(line).expect(0)
    }

    /// `hermes …` as this user, with variables.
    pub(crate) fn hermes_with(
        &self,
        user: User,
        env: &[(&str, &str)],
        line: &str,
    ) -> CommandOutcome {
        let argv: Vec<&str> = std::iter::once(command::HERMES).chain(line.split(' ')).collect();
        self.run(user, env, &argv)
    }

    /// Any program inside.
    pub(crate) fn run(&self, user: User, env: &[(&str, &str)], argv: &[&str]) -> CommandOutcome {
        let timed = [&["timeout", "--foreground", "-s", "KILL", COMMAND_SECONDS], argv].concat();
        let output = command::inside(self.live_namespace(), user, &self.home(), env, &timed)
            .output()
            .expect("nsenter of util-linux");
        CommandOutcome::of(argv.join(" ").replace(command::HERMES, "hermes"), output)
    }

    /// `hermes …` as uid 10000, begun and not waited for. The child is nsenter; hermes is its only child.
    pub(crate) fn begin(&self, line: &str) -> std::process::Child {
        let argv: Vec<&str> = std::iter::once(command::HERMES).chain(line.split(' ')).collect();
        command::inside(self.live_namespace(), User::Hermes, &self.home(), &[], &argv)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter of util-linux")
    }

    /// Waits for what was begun.
    pub(crate) fn finish(&self, line: &str, child: std::process::Child) -> CommandOutcome {
        CommandOutcome::of(
            format!("hermes {line}"),
            child.wait_with_output().expect("our own child"),
        )
    }

    /// The machine goes down and comes up again on the same home; then its image's boot hook runs. Returns how long the
    /// shutdown took.
    pub(crate) fn restart(&mut self, how: End) -> Duration {
        let took = self.restart_bare(how);
        self.hermes_ok("boot reconcile");
        took
    }

    /// The same without the boot hook.
    pub(crate) fn restart_bare(&mut self, how: End) -> Duration {
        let took = self.namespace.take().expect("only a restart is without").end(how);
        let console = self.scratch.path().join("console");
        self.namespace = Some(Namespace::start(self.tree, &self.program, &self.home(), &console));
        took
    }

    /// All live processes except the first.
    pub(crate) fn processes(&self) -> Vec<MachineProcess> {
        self.live_namespace().processes()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.dump();
        }
    }
}
