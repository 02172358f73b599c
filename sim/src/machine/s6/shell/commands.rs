//! What a line does: assignments, tests, small files, and its end.

use std::path::{Path, PathBuf};

use hermes::error::Errno;
use hermes::host::effect::OpenMode;

use super::words::{Token, is_assignment};
use super::{Next, exec};
use crate::machine::disk::Credentials;
use crate::machine::state::shell::Script;
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, World};

/// One command of a line.
#[derive(Default)]
struct Simple {
    words: Vec<String>,
    from: Option<PathBuf>,
    to: Option<PathBuf>,
}

impl Script {
    /// Does the condition of an `if` hold?
    pub(super) fn holds(&mut self, world: &mut World, who: ProcessId, condition: &str) -> bool {
        match self.list(world, who, condition) {
            Ok(code) => code == 0,
            Err(_) => self.odd(),
        }
    }

    /// A whole line; `Err` if the script ends with it.
    pub(super) fn command_line(
        &mut self,
        world: &mut World,
        who: ProcessId,
        line: &str,
    ) -> Result<u8, Box<Next>> {
        self.list(world, who, line)
    }

    /// Commands between `&&` and `||`, from left to right.
    fn list(&mut self, world: &mut World, who: ProcessId, line: &str) -> Result<u8, Box<Next>> {
        let uid = syscalls::process(world, who).credentials.uid;
        let mut code = 0;
        let mut before = "&&";
        for (command, after) in self.split(self.words(uid, line)) {
            let is_run = match before {
                "&&" => code == 0,
                "||" => code != 0,
                _ => true,
            };
            if is_run {
                code = self.simple(world, who, command)?;
            }
            before = after;
        }
        Ok(code)
    }

    /// Each command and the operator that follows it.
    fn split(&self, tokens: Vec<Token>) -> Vec<(Simple, &'static str)> {
        let mut commands = Vec::new();
        let mut simple = Simple::default();
        let mut tokens = tokens.into_iter();
        while let Some(token) = tokens.next() {
            match token {
                Token::Word(word) => simple.words.push(word),
                Token::Operator(">&2" | "2>/dev/null" | "2>&1") => {}
                Token::Operator(operator @ (">" | "<")) => {
                    let Some(Token::Word(path)) = tokens.next() else { self.odd() };
                    let place = if operator == ">" { &mut simple.to } else { &mut simple.from };
                    *place = Some(PathBuf::from(path));
                }
                Token::Operator(operator) => {
                    commands.push((std::mem::take(&mut simple), operator));
                }
            }
        }
        commands.push((simple, ";"));
        commands
    }

    fn simple(
        &mut self,
        world: &mut World,
        who: ProcessId,
        command: Simple,
    ) -> Result<u8, Box<Next>> {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [word] if is_assignment(word) => self.assign(word),
            ["export", word] if is_assignment(word) => {
                let (name, value) = word.split_once('=').unwrap_or_else(|| self.odd());
                self.env.insert(name.into(), value.into());
            }
            ["exit"] => return Err(Box::new(Next::Exit(0))),
            ["exit", code] => {
                let code: i64 = code.parse().unwrap_or_else(|_| self.odd());
                return Err(Box::new(Next::Exit(code.to_le_bytes()[0])));
            }
            // Streams only, which nobody keeps.
            ["exec"] => {}
            ["exec", ..] => return Err(Box::new(self.exec(world, who, &command.words[1..]))),
            [":"] => return Ok(redirect(world, who, &command, "")),
            ["echo", words @ ..] => {
                let line = format!("{}\n", words.join(" "));
                return Ok(redirect(world, who, &command, &line));
            }
            ["read", "-r", name] => return Ok(self.read_line(world, who, &command, name)),
            ["cd", dir] => {
                let found = syscalls::open(world, who, Path::new(dir), OpenMode::Directory);
                let Ok(node) = found else { return Ok(2) };
                syscalls::process(world, who).cwd = node;
            }
            [name, args @ ..] => {
                let Some(body) = self.function(name) else {
                    return Ok(self.as_user(world, who, &command.words));
                };
                let args = args.iter().map(|&arg| arg.to_owned()).collect();
                let own = std::mem::replace(&mut self.args, args);
                let code = self.list(world, who, &body);
                self.args = own;
                return code;
            }
            [] => self.odd(),
        }
        Ok(0)
    }

    fn assign(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap_or_else(|| self.odd());
        let exported = self.env.get_mut(std::ffi::OsStr::new(name));
        if let Some(exported) = exported {
            *exported = value.into();
        }
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    fn read_line(&mut self, world: &mut World, who: ProcessId, command: &Simple, name: &str) -> u8 {
        let path = command.from.as_deref().unwrap_or_else(|| self.odd());
        let Ok(bytes) = syscalls::read(world, who, path) else { return 2 };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.variables
            .insert(name.to_owned(), text.lines().next().unwrap_or_default().trim().to_owned());
        u8::from(!text.contains('\n'))
    }

    /// What is between the braces of a function of that name: one list of commands.
    fn function(&self, name: &str) -> Option<String> {
        let head = format!("{name}() {{");
        let begin = self.lines.iter().position(|line| line.trim() == head)?;
        let body = self.lines[begin + 1..].iter().map(|line| line.trim());
        Some(body.take_while(|line| *line != "}").collect::<Vec<_>>().join(" "))
    }

    /// `test`, `mkdir` and their like, perhaps after `s6-setuidgid USER`.
    fn as_user(&mut self, world: &mut World, who: ProcessId, words: &[String]) -> u8 {
        let mut credentials = None;
        let mut words = words;
        if let [tool, user, rest @ ..] = words {
            if tool.ends_with("/s6-setuidgid") {
                match exec::user(world, who, user) {
                    Some(found) => credentials = Some(found),
                    None => return super::UNPREPARED,
                }
                words = rest;
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        with(world, who, credentials, |world| match words.as_slice() {
            ["test", rest @ ..] => u8::from(!self.test(world, who, rest)),
            ["mkdir", "-p", "--", dir] => u8::from(make_dirs(world, who, Path::new(dir)).is_err()),
            ["chgrp", gid, paths @ ..] => {
                let gid = gid.parse().unwrap_or_else(|_| self.odd());
                each(paths, |path| syscalls::set_group(world, who, path, gid))
            }
            ["chmod", mode, paths @ ..] => {
                let mode = u32::from_str_radix(mode, 8).unwrap_or_else(|_| self.odd());
                each(paths, |path| syscalls::set_mode(world, who, path, mode))
            }
            _ => self.odd(),
        })
    }

    fn test(&self, world: &mut World, who: ProcessId, words: &[&str]) -> bool {
        match words {
            [left, "=", right] => left == right,
            [left, "!=", right] => left != right,
            ["-e", path] => syscalls::exists(world, who, Path::new(path)),
            ["-r", path] => syscalls::open(world, who, Path::new(path), OpenMode::Read).is_ok(),
            ["-w", path] => may_write(world, who, Path::new(path)),
            _ => self.odd(),
        }
    }
}

/// Does something as another user.
fn with<T>(
    world: &mut World,
    who: ProcessId,
    credentials: Option<Credentials>,
    act: impl FnOnce(&mut World) -> T,
) -> T {
    let own = syscalls::process(world, who);
    let before = own.credentials.clone();
    own.credentials = credentials.unwrap_or_else(|| before.clone());
    let result = act(world);
    syscalls::process(world, who).credentials = before;
    result
}

/// A tool that does the same to each path; 1 if one was refused.
fn each(paths: &[&str], mut act: impl FnMut(&Path) -> Result<(), Errno>) -> u8 {
    let refused = paths.iter().filter(|path| act(Path::new(path)).is_err()).count();
    u8::from(refused > 0)
}

/// What goes to a file; what goes to a stream is kept by nobody.
fn redirect(world: &mut World, who: ProcessId, command: &Simple, text: &str) -> u8 {
    match &command.to {
        Some(path) => {
            u8::from(syscalls::write(world, who, path, 0o666, text.as_bytes()).is_err()) * 2
        }
        None => 0,
    }
}

fn may_write(world: &mut World, who: ProcessId, path: &Path) -> bool {
    let own = syscalls::process(world, who).credentials.clone();
    let Ok(meta) = syscalls::stat(world, who, path) else { return false };
    let shift = if own.uid == meta.uid {
        6
    } else if own.gid == meta.gid || own.groups.contains(&meta.gid) {
        3
    } else {
        0
    };
    own.uid == 0 || (meta.mode >> shift) & 2 != 0
}

fn make_dirs(world: &mut World, who: ProcessId, path: &Path) -> Result<(), Errno> {
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        if !syscalls::exists(world, who, above) {
            make_dirs(world, who, above)?;
        }
    }
    syscalls::make_dir(world, who, &path.to_string_lossy(), 0o777).map(drop)
}
