//! The scripts of slots and of the image: an interpreter's name, comments, and one line that becomes a program or exits.
//!
//! ```text
//!   #!/bin/sh · #!/command/with-contenv sh ─► exec PROGRAM WORD… [2>&1] | exit N
//! ```
//!
//! A word is plain, in single quotes, `"$@"` or `"$PPID"`. Anything else is an error, never skipped: what a script decides
//! is to be decided by a command of ours. Source: what `hermes` renders in `backend/s6/slot.rs`, `ops/init/root_tree.rs`
//! and `ops/tree/scan_dir.rs`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use hermes::error::Errno;
use hermes::host::effect::{OpenMode, Program, Status};

use super::tools;
use crate::machine::kernel::processes;
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, World};

/// What a script comes to.
#[derive(Clone, Debug)]
pub enum Next {
    /// It becomes this program.
    Exec(Program),
    /// It exits.
    Exit(u8),
}

/// How `with-contenv` exits without its directory.
const UNPREPARED: u8 = 111;

/// A shell's own codes.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Reads a script. `script` is how it was called.
///
/// # Panics
///
/// If it does not understand a line.
pub fn read(
    world: &mut World,
    who: ProcessId,
    text: &str,
    script: &Program,
) -> Result<Next, Errno> {
    let mut env = script.env.clone();
    match text.lines().next() {
        Some("#!/bin/sh") => {}
        Some("#!/command/with-contenv sh") => {
            env.retain(|name, _| name == "PATH");
            let dir = Path::new("/run/s6/container_environment");
            if load_environment(world, who, dir, &mut env).is_err() {
                return Ok(Next::Exit(UNPREPARED));
            }
        }
        // Its interpreter is not there.
        _ => return Err(Errno::NOENT),
    }
    let mut lines = text.lines().skip(1).filter(|line| !(line.is_empty() || line.starts_with('#')));
    let Some(line) = lines.next() else { return Ok(Next::Exit(0)) };
    let words = words(world, who, script, line);
    let words: Vec<&OsStr> = words.iter().map(OsString::as_os_str).collect();
    let next = match words.as_slice() {
        [exit, code] if *exit == "exit" => {
            let code = code.to_str().and_then(|code| code.parse().ok());
            Next::Exit(code.unwrap_or_else(|| odd(script, line)))
        }
        [exec, name, args @ ..] if *exec == "exec" => exec_program(world, who, name, args, env),
        _ => odd(script, line),
    };
    match lines.next() {
        Some(line) => odd(script, line),
        None => Ok(next),
    }
}

/// A line that this interpreter does not know.
fn odd(script: &Program, line: &str) -> ! {
    panic!("{}: this line is not understood: {line}", script.path.display())
}

/// The words of a line, as a shell reads them.
fn words(world: &World, who: ProcessId, script: &Program, line: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (word, after) = word(script, line, rest);
        match word {
            // Streams only, which are not kept.
            Word::Plain(word) if word == "2>&1" => {}
            Word::Plain(word) => words.push(word.into()),
            Word::Arguments => words.extend(script.args.iter().cloned()),
            Word::Parent => {
                let parent = world.process(who).map_or(0, |own| own.parent);
                words.push(parent.to_string().into());
            }
        }
        rest = after;
    }
    words
}

enum Word {
    Plain(String),
    /// `"$@"`.
    Arguments,
    /// `"$PPID"`.
    Parent,
}

/// The first word, and what follows the blank after it.
fn word<'line>(script: &Program, line: &str, rest: &'line str) -> (Word, &'line str) {
    for (text, word) in [("\"$@\"", Word::Arguments), ("\"$PPID\"", Word::Parent)] {
        if let Some(after) = rest.strip_prefix(text) {
            return (word, after.strip_prefix(' ').unwrap_or(after));
        }
    }
    let mut word = String::new();
    let mut letters = rest.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            ' ' => return (Word::Plain(word), &rest[at + 1..]),
            '\'' => {
                let mut quoted = letters.by_ref().map(|(_, letter)| letter);
                let inside: String = quoted.by_ref().take_while(|&letter| letter != '\'').collect();
                word.push_str(&inside);
            }
            '\\' => word.extend(letters.next().map(|(_, letter)| letter)),
            '"' | '$' | '`' | ';' | '|' | '(' | '<' => odd(script, line),
            '&' | '>' if !rest.starts_with("2>&1") => odd(script, line),
            _ => word.push(letter),
        }
    }
    (Word::Plain(word), "")
}

fn exec_program(
    world: &mut World,
    who: ProcessId,
    name: &OsStr,
    args: &[&OsStr],
    env: BTreeMap<OsString, OsString>,
) -> Next {
    let path = PathBuf::from(name);
    let contents = match processes::executable(world, who, &path) {
        Ok(contents) => contents,
        Err(Errno::NOENT) => return Next::Exit(NOT_FOUND),
        Err(_) => return Next::Exit(NOT_EXECUTABLE),
    };
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    match run_tool(world, who, &contents, &args) {
        Some(code) => Next::Exit(code),
        None => Next::Exec(Program { path, args, env, ..Program::default() }),
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

/// `s6-envdir -Lf`: one variable a file, its last newline left out.
fn load_environment(
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
