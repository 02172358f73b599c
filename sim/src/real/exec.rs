//! A program in a container, as `docker exec` runs it, and what came of it.

use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::namespace_set::NamespaceSet;
use crate::scenario::values::User;

/// A command that takes longer than this hangs, and is killed.
const COMMAND_SECONDS: &str = "120";

/// The number of a user.
pub(crate) fn uid(user: User) -> u32 {
    match user {
        User::Hermes => crate::machine::image::HERMES_UID,
        User::Root => 0,
        User::Nobody => 65_534,
    }
}

/// What a program printed, and its exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExecOutput {
    /// `None`: a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

/// A program that was begun.
#[derive(Debug)]
pub(crate) struct RunningExec {
    child: Child,
    since: Instant,
}

/// Runs a program that sees the container's files and is none of its processes: it outlives their end.
pub(crate) fn beside(
    life: &NamespaceSet,
    user: User,
    env: &BTreeMap<String, String>,
    argv: &[&str],
) -> Result<ExecOutput, String> {
    spawn(life, &["--mount", "--net", "--ipc"], user, env, argv, Stdio::null())?.end()
}

/// Begins a program in a started container, or one that is only mounted, its environment what is given alone.
pub(crate) fn begin(
    life: &NamespaceSet,
    user: User,
    env: &BTreeMap<String, String>,
    argv: &[&str],
    stdin: Stdio,
) -> Result<RunningExec, String> {
    spawn(life, &["--pid", "--mount", "--net", "--ipc"], user, env, argv, stdin)
}

fn spawn(
    life: &NamespaceSet,
    namespaces: &[&str],
    user: User,
    env: &BTreeMap<String, String>,
    argv: &[&str],
    stdin: Stdio,
) -> Result<RunningExec, String> {
    let uid = uid(user).to_string();
    let mut command = Command::new("nsenter");
    command.args(["--target", &life.init().to_string()]).args(namespaces);
    if life.is_started() {
        command.args(["--root", "--wd", "-S", &uid, "-G", &uid, "--"]);
    } else {
        command.arg(format!("--root={}", life.path("").display())).args(["-S", &uid, "-G", &uid]);
        command.arg("--");
    }
    let child = command
        .args(["timeout", "--foreground", "-s", "KILL", COMMAND_SECONDS])
        .args(argv)
        .env_clear()
        .envs(env)
        .current_dir("/")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("failed to start nsenter: {error}"))?;
    Ok(RunningExec { child, since: Instant::now() })
}

impl RunningExec {
    /// Gives it this to read, and no more.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        use std::io::Write;
        let fed = self.child.stdin.take().map(|mut stdin| stdin.write_all(bytes));
        match fed {
            Some(Ok(())) => Ok(()),
            other => Err(format!("a program inside does not read: {other:?}")),
        }
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Result<ExecOutput, String> {
        let ended = self.child.wait_with_output();
        let Output { status, stdout, stderr } =
            ended.map_err(|error| format!("failed to wait for nsenter: {error}"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (out, err, took) = (text(stdout), text(stderr), self.since.elapsed());
        // `timeout` ends itself by the signal that it sent; a shell would say 137.
        let code = status.code().filter(|code| *code != 137);
        Ok(ExecOutput { code, out, err, took })
    }
}
