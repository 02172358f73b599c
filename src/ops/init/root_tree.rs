//! PID 1's own tree as data, and how it is written: root's alone, so that hermes can neither change nor start anything in it.
//!
//! Rendering is pure. Every wait in the scripts has an end, so that the container has one.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::settings::Settings;
use super::{InitInputs, environment, runtime};
use crate::backend::s6::Tools;
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
pub(super) const DIR: &str = "/run/hermes/init";
const EXIT_CODE: &str = "/run/hermes/exitcode";

/// PID 1's last script. Before there is an exit code it only says 0.
const FINISH: &str = ".s6-svscan/finish";

/// A shell that reads six lines takes a few milliseconds, on a machine with much to do longer.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The words that `hermes` itself understands: a command that begins with one is hermes' own.
const SUBCOMMANDS: [&str; 6] = ["profile", "gateway", "boot", "doctor", "completions", "man"];

/// How `boot tree` says that another container supervises the home; s6-svscan never exits with it by itself.
pub const GUEST_EXIT_CODE: u8 = 3;

/// How many times a second the command looks whether the gateways are looked after, before it starts all the same.
const READY_SECONDS_MAX: u32 = 60;

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
        let path = env.get(OsStr::new("PATH")).map(OsString::as_os_str).unwrap_or_default();
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

async fn is_executable(host: &impl Host, path: &Path) -> bool {
    matches!(fs::meta(host, path).await, Ok(meta) if meta.kind == FileKind::File && meta.mode & 0o111 != 0)
}

/// Everything that PID 1's tree depends on.
#[derive(Debug)]
pub(super) struct RootTreeSpec<'a> {
    pub(super) settings: &'a Settings,
    pub(super) tools: &'a Tools,
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
    let mut entries = vec![script(FINISH, finish())];
    if plan.role == Role::Supervisor {
        entries.push(script("gateways/run", gateways_run(plan)));
        entries.push(script("gateways/finish", gateways_finish()));
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

fn finish() -> String {
    format!(
        "#!/bin/sh\n\
         # The container's exit code is its command's; 0 if it had none.\n\
         code=0\n\
         if test -r {EXIT_CODE}; then\n\
         \x20 read -r code < {EXIT_CODE}\n\
         fi\n\
         exit \"$code\"\n"
    )
}

fn gateways_run(plan: &RootTreeSpec<'_>) -> Vec<u8> {
    let mut run = b"#!/bin/sh\n\
        # Becomes hermes, then the s6-svscan that supervises the gateways.\n\
        exec "
        .to_vec();
    run.extend(with_environment(plan));
    run.extend(quote(plan.program.as_os_str()));
    run.extend_from_slice(b" boot tree\n");
    run
}

fn gateways_finish() -> String {
    format!(
        "#!/bin/sh\n\
         # Another container supervises this home: stay down. Whatever else it ended with, it comes back.\n\
         if test \"$1\" = {GUEST_EXIT_CODE}; then\n\
         \x20 : > {mark}\n\
         \x20 exit 125\n\
         fi\n\
         exit 0\n",
        mark = runtime::GUEST_FLAG,
    )
}

/// The lines before the last one run as root: they name nothing that hermes can change.
fn main_run(plan: &RootTreeSpec<'_>, main: &Main) -> Vec<u8> {
    let mut run = b"#!/bin/sh\n# The container's command.\n".to_vec();
    if plan.role == Role::Supervisor {
        let svwait = tool(plan, "s6-svwait");
        let svwait = String::from_utf8_lossy(&svwait);
        run.extend_from_slice(wait_for_gateways(&svwait, "/bin/sleep").as_bytes());
    }
    run.extend_from_slice(b"cd ");
    run.extend(quote(main.cwd.as_os_str()));
    run.extend_from_slice(b" || exit 111\nexec ");
    run.extend(with_environment(plan));
    if let Some(Ids { uid, gid }) = plan.user {
        run.extend(tool(plan, "s6-applyuidgid"));
        run.extend_from_slice(format!(" -u {uid} -g {gid} -G {gid} -- ").as_bytes());
    }
    run.extend(main.words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(&b' '));
    run.push(b'\n');
    run
}

/// `sleep` by an absolute path: the `PATH` may name a directory of hermes'.
fn wait_for_gateways(svwait: &str, sleep: &str) -> String {
    format!(
        "# It starts once the gateways are looked after, here or in another container.\n\
         seconds=0\n\
         until {svwait} -U -t 1000 ../gateways 2>/dev/null; do\n\
         \x20 code=$?\n\
         \x20 if test -e {guest} || test -e {waiting}; then\n\
         \x20\x20\x20 break\n\
         \x20 fi\n\
         \x20 seconds=$((seconds + 1))\n\
         \x20 if test \"$seconds\" -ge {READY_SECONDS_MAX}; then\n\
         \x20\x20\x20 echo 'hermes: the gateways are not looked after yet; the command starts all the same' >&2\n\
         \x20\x20\x20 break\n\
         \x20 fi\n\
         \x20 # 99 says that it waited its second. Whatever else it ended with, it did not.\n\
         \x20 if test \"$code\" != 99; then\n\
         \x20\x20\x20 {sleep} 1\n\
         \x20 fi\n\
         done\n",
        guest = runtime::GUEST_FLAG,
        waiting = runtime::WAITING_FLAG,
    )
}

fn main_finish(plan: &RootTreeSpec<'_>) -> Vec<u8> {
    let mut finish = format!(
        "#!/bin/sh\n\
         # The command's end is the container's. 256 says that a signal ended it.\n\
         code=$1\n\
         if test \"$code\" = 256; then\n\
         \x20 code=$((128 + $2))\n\
         fi\n\
         echo \"$code\" > {EXIT_CODE}\n\
         exec "
    )
    .into_bytes();
    finish.extend(tool(plan, "s6-svscanctl"));
    finish.extend_from_slice(format!(" -t {DIR}\n").as_bytes());
    finish
}

fn with_environment(plan: &RootTreeSpec<'_>) -> Vec<u8> {
    let mut words = tool(plan, "s6-envdir");
    words.extend_from_slice(format!(" -Lf -- {} ", environment::DIR).as_bytes());
    words
}

fn tool(plan: &RootTreeSpec<'_>, name: &str) -> Vec<u8> {
    quote(plan.tools.dir_for_scripts().join(name).as_os_str())
}

/// A word as the shell reads it back unchanged, whatever its bytes.
fn quote(word: &OsStr) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+:,@%".contains(byte);
    if !word.is_empty() && word.as_encoded_bytes().iter().all(plain) {
        return word.as_encoded_bytes().to_vec();
    }
    let parts: Vec<&[u8]> = word.as_encoded_bytes().split(|&byte| byte == b'\'').collect();
    [b"'", parts.join(&br"'\''"[..]).as_slice(), b"'"].concat()
}

/// Writes the tree where nothing is yet: a directory that somebody else made is refused.
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
