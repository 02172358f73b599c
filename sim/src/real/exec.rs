//! Runs a program in a namespace container, as `docker exec` does, and collects its output.

use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::namespace_set::NamespaceSet;
use crate::scenario::values::User;

/// A command that takes longer than this hangs, and is killed.
const COMMAND_SECONDS: &str = "120";

/// The uid of a user.
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
    /// `None`: a signal ended the program.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) elapsed: Duration,
}

/// A program that was started.
#[derive(Debug)]
pub(crate) struct RunningExec {
    child: Child,
    start: Instant,
}

/// Runs a program on the container's files, outside its PID namespace: the program outlives the container's processes.
pub(crate) fn beside(
    namespace_set: &NamespaceSet,
    user: User,
    env: &BTreeMap<String, String>,
    argv: &[&str],
) -> Result<ExecOutput, String> {
    spawn(namespace_set, &["--mount", "--net", "--ipc"], user, env, argv, Stdio::null())?.end()
}

/// Starts a program in a container that is started or only mounted, with exactly this environment.
pub(crate) fn begin(
    namespace_set: &NamespaceSet,
    user: User,
    env: &BTreeMap<String, String>,
    argv: &[&str],
    stdin: Stdio,
) -> Result<RunningExec, String> {
    spawn(namespace_set, &["--pid", "--mount", "--net", "--ipc"], user, env, argv, stdin)
}

fn spawn(
    namespace_set: &NamespaceSet,
    namespaces: &[&str],
    user: User,
    env: &BTreeMap<String, String>,
    argv: &[&str],
    stdin: Stdio,
) -> Result<RunningExec, String> {
    let uid = uid(user).to_string();
    let mut command = Command::new("nsenter");
    command.args(["--target", &namespace_set.init().to_string()]).args(namespaces);
    if namespace_set.is_started() {
        command.args(["--root", "--wd", "-S", &uid, "-G", &uid, "--"]);
    } else {
        command
            .arg(format!("--root={}", namespace_set.path("").display()))
            .args(["-S", &uid, "-G", &uid]);
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
    Ok(RunningExec { child, start: Instant::now() })
}

impl RunningExec {
    /// Writes the program's standard input and closes it.
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
        let output = self.child.wait_with_output();
        let Output { status, stdout, stderr } =
            output.map_err(|error| format!("failed to wait for nsenter: {error}"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (out, err, elapsed) = (text(stdout), text(stderr), self.start.elapsed());
        // `timeout` ends itself by the signal that it sent; a shell reports this as 137.
        let code = status.code().filter(|code| *code != 137);
        Ok(ExecOutput { code, out, err, elapsed })
    }
}
