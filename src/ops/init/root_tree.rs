//! PID 1's own tree as data, and how it is written: root's alone, so that hermes can neither change nor start anything in it.
//!
//! Rendering is pure. Each script is one `exec` line: what it comes to is in `command.rs`, or a file of its own in `cli/boot`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::InitInputs;
use super::settings::Settings;
use crate::backend::s6::OWN_TREE;
use crate::environment;
use crate::error::{Errno, HostError};
use crate::host::Host;
use crate::host::effect::{FileKind, OpenMode, Program};
use crate::host::{fs, proc};
use crate::record::file;
use crate::record::users::Ids;
use crate::role::Role;

/// Root's own directory below `/run`.
pub(super) const ABOVE: &str = "/run/hermes";

/// Where PID 1 looks.
pub(super) const DIR: &str = OWN_TREE;

/// PID 1's last script. Before there is an exit code it only says 0.
const FINISH: &str = ".s6-svscan/finish";

/// A script that only says 0 takes a few milliseconds, on a machine with much to do longer.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The words that `hermes` itself understands: a command that begins with one is hermes' own.
const SUBCOMMANDS: [&str; 6] = ["profile", "gateway", "boot", "doctor", "completions", "man"];

/// How `boot tree` says that another container supervises the home; s6-svscan never exits with it by itself.
pub const GUEST_EXIT_CODE: u8 = 3;

/// The container's command: a program, its arguments, and where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Main {
    words: Vec<OsString>,
    cwd: PathBuf,
}

impl Main {
    /// `None` without a command. A word that is neither ours nor a program in the `PATH` goes to `hermes`, which says so.
    pub(super) async fn of(
        host: &impl Host,
        facts: &InitInputs,
        env: &BTreeMap<OsString, OsString>,
    ) -> Result<Option<Self>, HostError> {
        let Some(first) = facts.command.first() else { return Ok(None) };
        let cwd = fs::read_link(host, "/proc/self/cwd").await?;
        let path = environment::search_path(env);
        let mut words = Vec::new();
        if is_ours(first) || !is_program(host, first, path, &cwd).await {
            words.push(facts.program.clone().into_os_string());
        }
        words.extend(facts.command.iter().cloned());
        Ok(Some(Self { words, cwd }))
    }
}

fn is_ours(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"-") || SUBCOMMANDS.iter().any(|ours| word == *ours)
}

async fn is_program(host: &impl Host, word: &OsStr, path: &OsStr, cwd: &Path) -> bool {
    if word.as_encoded_bytes().contains(&b'/') {
        return is_executable(host, &cwd.join(word)).await;
    }
    for dir in std::env::split_paths(path) {
        if is_executable(host, &dir.join(word)).await {
            return true;
        }
    }
    false
}

pub(super) async fn is_executable(host: &impl Host, path: &Path) -> bool {
    matches!(fs::meta(host, path).await, Ok(meta) if meta.kind == FileKind::File && meta.mode & 0o111 != 0)
}

/// Everything that PID 1's tree depends on.
#[derive(Debug)]
pub(super) struct RootTreeSpec<'a> {
    pub(super) settings: &'a Settings,
    pub(super) program: &'a Path,
    /// Whom the command becomes; `None` where PID 1 is not root.
    pub(super) user: Option<Ids>,
    pub(super) role: Role,
    pub(super) main: Option<Main>,
}

/// One file of the tree, by its path below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TreeFile {
    pub(super) path: &'static str,
    pub(super) mode: u32,
    pub(super) contents: Vec<u8>,
}

/// All files of the tree.
pub(super) fn entries(plan: &RootTreeSpec<'_>) -> Vec<TreeFile> {
    let limit = format!("{}\n", plan.settings.stop_limit().as_millis());
    let mut entries = vec![script(FINISH, finish(plan))];
    if plan.role == Role::Supervisor {
        entries.push(script("gateways/run", gateways_run(plan)));
        entries.push(script("gateways/finish", gateways_finish(plan)));
        entries.push(text("gateways/notification-fd", "3\n"));
        entries.push(text("gateways/timeout-kill", &limit));
    }
    if let Some(main) = &plan.main {
        entries.push(script("main/run", main_run(plan, main)));
        entries.push(script("main/finish", main_finish(plan)));
        entries.push(text("main/timeout-kill", &limit));
    }
    entries
}

fn script(path: &'static str, contents: impl Into<Vec<u8>>) -> TreeFile {
    TreeFile { path, mode: 0o755, contents: contents.into() }
}

fn text(path: &'static str, contents: &str) -> TreeFile {
    TreeFile { path, mode: 0o644, contents: contents.as_bytes().to_vec() }
}

/// The container's exit code is its command's.
fn finish(plan: &RootTreeSpec<'_>) -> Vec<u8> {
    command(plan, "How the container exits.", &[b"boot", b"exit-code"])
}

fn gateways_run(plan: &RootTreeSpec<'_>) -> Vec<u8> {
    command(
        plan,
        "Becomes hermes, then the s6-svscan that supervises the gateways.",
        &[b"boot", b"tree"],
    )
}

fn gateways_finish(plan: &RootTreeSpec<'_>) -> Vec<u8> {
    command(plan, "How that ended.", &[b"boot", b"gateways-finish", ARGUMENTS])
}

fn main_run(plan: &RootTreeSpec<'_>, main: &Main) -> Vec<u8> {
    let mut words = vec![b"boot".to_vec(), b"main".to_vec()];
    if plan.role == Role::Supervisor {
        words.push(b"--wait".to_vec());
    }
    words.extend([b"--cwd".to_vec(), quote(main.cwd.as_os_str())]);
    if let Some(Ids { uid, gid }) = plan.user {
        words.extend([b"--user".to_vec(), format!("{uid}:{gid}").into_bytes()]);
    }
    words.push(b"--".to_vec());
    words.extend(main.words.iter().map(|word| quote(word)));
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    command(plan, "The container's command.", &words)
}

fn main_finish(plan: &RootTreeSpec<'_>) -> Vec<u8> {
    command(plan, "The command's end is the container's.", &[b"boot", b"main-finish", ARGUMENTS])
}

/// How a script hands on what it was called with.
const ARGUMENTS: &[u8] = b"\"$@\"";

/// A script that becomes a command of ours. It runs as root and names nothing that hermes can change.
fn command(plan: &RootTreeSpec<'_>, comment: &str, words: &[&[u8]]) -> Vec<u8> {
    let mut script = format!("#!/bin/sh\n# {comment}\nexec ").into_bytes();
    script.extend(quote(plan.program.as_os_str()));
    for word in words {
        script.push(b' ');
        script.extend_from_slice(word);
    }
    script.push(b'\n');
    script
}

/// A word as the shell reads it back unchanged, whatever its bytes.
pub(crate) fn quote(word: &OsStr) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+:,@%".contains(byte);
    if !word.is_empty() && word.as_encoded_bytes().iter().all(plain) {
        return word.as_encoded_bytes().to_vec();
    }
    let parts: Vec<&[u8]> = word.as_encoded_bytes().split(|&byte| byte == b'\'').collect();
    [b"'", parts.join(&br"'\''"[..]).as_slice(), b"'"].concat()
}

/// Writes the tree where nothing is yet: a directory that another process made is refused.
pub(super) async fn write(
    host: &impl Host,
    dir: &Path,
    entries: &[TreeFile],
) -> Result<(), HostError> {
    fs::make_dir(host, dir, 0o755).await?;
    let mut made = BTreeSet::new();
    for entry in entries {
        let path = dir.join(entry.path);
        let service = file::parent(&path);
        if made.insert(service.to_owned()) {
            fs::make_dir(host, service, 0o755).await?;
        }
        let open = fs::open_no_link(host, &path, OpenMode::Create { mode: entry.mode }).await?;
        let written = file::write_all(host, &open, &entry.contents).await;
        fs::close(host, open).await?;
        written?;
    }
    Ok(())
}

/// Runs a script of the tree that does nothing yet: root is refused that only where nothing can be executed. Whatever
/// else goes wrong with it says nothing about the place.
pub(super) async fn try_script(host: &impl Host) -> Result<(), HostError> {
    let path = Path::new(DIR).join(FINISH);
    match proc::run(host, Program { path, ..Program::default() }, SCRIPT_TIMEOUT).await {
        Err(error) if error.errno == Errno::ACCESS => Err(error),
        _ => Ok(()),
    }
}

/// What PID 1 becomes. It gets the path and nothing else: services take the environment from its files.
pub(super) fn svscan(path: PathBuf, env: &BTreeMap<OsString, OsString>) -> Program {
    let path_variable = OsString::from("PATH");
    let env = env.get_key_value(&path_variable).map(|(name, value)| (name.clone(), value.clone()));
    Program {
        path,
        args: vec!["--".into(), DIR.into()],
        env: env.into_iter().collect(),
        ..Program::default()
    }
}

#[cfg(all(test, unix))]
mod tests;
