//! `exec`: the tools that change the user or the environment first, and the program at the end.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use hermes::error::Errno;
use hermes::host::effect::{OpenMode, Program, Status};
use hermes::record::users;

use super::{Next, UNPREPARED};
use crate::machine::disk::Credentials;
use crate::machine::kernel::processes;
use crate::machine::s6::tools;
use crate::machine::state::shell::Script;
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, World};

impl Script {
    /// What a script becomes by these words.
    pub(super) fn exec(&mut self, world: &mut World, who: ProcessId, words: &[String]) -> Next {
        let mut credentials = None;
        let mut words = words;
        loop {
            let tool = words.first().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
            let found = match tool {
                "s6-envdir" => {
                    let [_, options, dashes, dir, ..] = words else { self.odd() };
                    if (options.as_str(), dashes.as_str()) != ("-Lf", "--") {
                        self.odd();
                    }
                    let dir = PathBuf::from(dir);
                    let loaded = load_environment(world, who, &dir, &mut self.env);
                    words = &words[4..];
                    loaded.is_ok()
                }
                "s6-setuidgid" => {
                    let [_, name, ..] = words else { self.odd() };
                    credentials = user(world, who, name);
                    words = &words[2..];
                    credentials.is_some()
                }
                "s6-applyuidgid" => {
                    credentials = self.numbers(world, who, words);
                    words = &words[8..];
                    credentials.is_some()
                }
                _ => break,
            };
            if !found {
                return Next::Exit(UNPREPARED);
            }
        }
        self.program(world, who, words, credentials)
    }

    /// `-u U -g G -G G --`.
    fn numbers(&self, world: &mut World, who: ProcessId, words: &[String]) -> Option<Credentials> {
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        let [_, "-u", uid, "-g", gid, "-G", group, "--", ..] = texts.as_slice() else { self.odd() };
        let number = |text: &str| text.parse().unwrap_or_else(|_| self.odd());
        changed(world, who, number(uid), number(gid), number(group))
    }

    fn program(
        &self,
        world: &mut World,
        who: ProcessId,
        words: &[String],
        credentials: Option<Credentials>,
    ) -> Next {
        let [name, args @ ..] = words else { self.odd() };
        let before = syscalls::process(world, who).credentials.clone();
        if let Some(credentials) = &credentials {
            syscalls::process(world, who).credentials.clone_from(credentials);
        }
        let found = self.find(world, who, name);
        let next = match found {
            Ok((path, contents)) => {
                let args: Vec<OsString> = args.iter().map(OsString::from).collect();
                match run_tool(world, who, &contents, &args) {
                    Some(code) => Next::Exit(code),
                    None => {
                        let env = self.env.clone();
                        let program = Program { path, args, env, ..Program::default() };
                        Next::Exec { program, credentials }
                    }
                }
            }
            Err(Errno::NOENT) => Next::Exit(127),
            Err(_) => Next::Exit(126),
        };
        syscalls::process(world, who).credentials = before;
        next
    }

    /// The program of this name, by the `PATH` if it is no path.
    fn find(&self, world: &World, who: ProcessId, name: &str) -> Result<(PathBuf, Vec<u8>), Errno> {
        if name.contains('/') {
            let path = PathBuf::from(name);
            return Ok((path.clone(), processes::executable(world, who, &path)?));
        }
        let path = self.env.get(OsStr::new("PATH")).map(OsString::as_os_str).unwrap_or_default();
        for dir in path.as_bytes().split(|&byte| byte == b':') {
            let path = Path::new(OsStr::from_bytes(dir)).join(name);
            if let Ok(contents) = processes::executable(world, who, &path) {
                return Ok((path, contents));
            }
        }
        Err(Errno::NOENT)
    }
}

/// One of s6's tools, at once.
fn run_tool(world: &mut World, who: ProcessId, contents: &[u8], args: &[OsString]) -> Option<u8> {
    let name = std::str::from_utf8(contents.strip_prefix(b"sim:")?).ok()?;
    if name == "s6-svscan" {
        return None;
    }
    match tools::run(world, who, name, args)?.status {
        Status::Exited(code) => Some(code),
        Status::Signalled(_) => None,
    }
}

/// A user by name: its own group and no other.
pub(super) fn user(world: &mut World, who: ProcessId, name: &str) -> Option<Credentials> {
    let passwd = syscalls::read(world, who, Path::new("/etc/passwd")).ok()?;
    let ids = users::find_user(&passwd, name)?;
    changed(world, who, ids.uid, ids.gid, ids.gid)
}

/// Only root may change.
fn changed(
    world: &mut World,
    who: ProcessId,
    uid: u32,
    gid: u32,
    group: u32,
) -> Option<Credentials> {
    let own = &syscalls::process(world, who).credentials;
    let umask = own.umask;
    (own.uid == 0).then(|| Credentials { uid, gid, groups: vec![group], umask })
}

/// `s6-envdir -Lf`: one variable a file, its last newline left out.
pub(super) fn load_environment(
    world: &mut World,
    who: ProcessId,
    dir: &Path,
    env: &mut BTreeMap<OsString, OsString>,
) -> Result<(), Errno> {
    let node = syscalls::open(world, who, dir, OpenMode::Directory)?;
    for entry in world.disk.list(node)? {
        let mut value = syscalls::read(world, who, &dir.join(&entry.name))?;
        if value.last() == Some(&b'\n') {
            value.pop();
        }
        env.insert(entry.name, OsString::from_vec(value));
    }
    Ok(())
}
