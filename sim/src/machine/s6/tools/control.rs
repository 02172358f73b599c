//! `s6-svc` and `s6-svscanctl`: letters into a FIFO, in one write. Exit 0 says that the bytes are in it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use hermes::error::Errno;
use hermes::host::effect::{Finished, OpenMode};

use super::finished;
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, S6Version, World};

/// More letters than this are refused: `s6-svc` and `s6-svscanctl`.
const SVC_LETTERS_MAX: usize = 62;
const SVSCANCTL_LETTERS_MAX: usize = 64;

fn svc_usage(version: S6Version) -> Finished {
    let letters = match version {
        S6Version::V2_11 => "[ -abqhkti12pcyroduDUxOQ ] servicedir",
        S6Version::V2_13 => "[ -s signal | -abqhkti12pcyrPCK ] [ -oduDUxOQ ] servicedir",
        S6Version::V2_15 => "[ -s signal | -abqhkti12pcyrlPCK ] [ -oduDUxOQ ] servicedirs...",
    };
    let waits = "[ -wu | -wU | -wd | -wD | -wr | -wR ] [ -T timeout ]";
    finished(100, "", &format!("s6-svc: usage: s6-svc {waits} {letters}"))
}

const SVSCANCTL_USAGE: &str = "s6-svscanctl: usage: s6-svscanctl [ -zabhitqnN ] svscandir";

/// Why no control letter was sent.
enum ControlError {
    NotListening,
    Unable(Errno),
    /// The directory is there, and what is in it is not as it should be.
    Wrong(Errno),
}

/// Letters of options, and what is left.
fn split<'args>(args: &'args [OsString], known: &str) -> Option<(Vec<u8>, Vec<&'args OsStr>)> {
    let mut letters = Vec::new();
    let mut args = args.iter().map(OsString::as_os_str).peekable();
    while let Some(arg) = args.peek() {
        let Some(options) = arg.to_str().and_then(|arg| arg.strip_prefix('-')) else { break };
        args.next();
        if options == "-" {
            break;
        }
        if !options.chars().all(|letter| known.contains(letter)) {
            return None;
        }
        letters.extend(options.bytes());
    }
    Some((letters, args.collect()))
}

/// `s6-svc`; `None` where it would wait.
pub(super) fn svc(world: &mut World, who: ProcessId, args: &[OsString]) -> Option<Finished> {
    let known = match world.s6_version {
        S6Version::V2_11 => "abqhkti12pcyroduDUxOQ",
        S6Version::V2_13 => "abqhkti12pcyroduDUxOQPCK",
        S6Version::V2_15 => "abqhkti12pcyroduDUxOQPCKl",
    };
    let waits = |arg: &OsString| arg.to_str().is_some_and(|arg| arg.starts_with("-w"));
    if args.iter().any(|arg| waits(arg) && arg != "-wZ") {
        return None;
    }
    let Some((letters, dirs)) = split(args, known) else {
        return Some(svc_usage(world.s6_version));
    };
    if dirs.is_empty() {
        return Some(svc_usage(world.s6_version));
    }
    if letters.len() > SVC_LETTERS_MAX {
        return Some(finished(100, "", "s6-svc: fatal: too many commands"));
    }
    if dirs.iter().any(|dir| dir.is_empty()) {
        return Some(finished(100, "", "s6-svc: fatal: invalid service path"));
    }
    Some(send_control_to_all(world, who, &letters, &dirs))
}

/// Before 2.14 only the first directory counts (V12).
fn send_control_to_all(
    world: &mut World,
    who: ProcessId,
    letters: &[u8],
    dirs: &[&OsStr],
) -> Finished {
    let is_new = world.s6_version == S6Version::V2_15;
    let (mut code, mut lines) = (0, Vec::new());
    let count = if is_new { dirs.len() } else { 1 };
    if count < dirs.len() {
        lines.push("s6-svc: warning: ignoring extra arguments".to_owned());
    }
    for dir in &dirs[..count] {
        if let Err(refused) = send_control(world, who, Path::new(dir), "supervise", letters) {
            let (failed, line) = svc_failure(refused, &dir.to_string_lossy(), world.s6_version);
            code = failed;
            lines.push(line);
        }
    }
    finished(code, "", &lines.join("\n"))
}

fn svc_failure(refused: ControlError, dir: &str, version: S6Version) -> (u8, String) {
    let is_new = version == S6Version::V2_15;
    let stray = stray(version);
    let unable = format!("unable to control {dir}");
    let wrong = format!("something is wrong with the {dir}/supervise directory");
    let not_listening = "supervisor not listening";
    match (refused, is_new) {
        (ControlError::NotListening, false) => {
            (100, format!("s6-svc: fatal: {stray}{unable}: {not_listening}"))
        }
        (ControlError::NotListening, true) => {
            (102, format!("s6-svc: warning: {unable}: {not_listening}"))
        }
        (ControlError::Unable(errno), false) => {
            (111, format!("s6-svc: fatal: {unable}: {}", syscalls::strerror(errno)))
        }
        (ControlError::Unable(errno), true) => {
            (111, format!("s6-svc: warning: {unable}: {}", syscalls::strerror(errno)))
        }
        (ControlError::Wrong(errno), false) => {
            (100, format!("s6-svc: fatal: {wrong}: {}", syscalls::strerror(errno)))
        }
        (ControlError::Wrong(errno), true) => {
            (1, format!("s6-svc: warning: {wrong}: {}", syscalls::strerror(errno)))
        }
    }
}

/// 2.11 says something before the text that is empty.
pub(super) fn stray(version: S6Version) -> &'static str {
    if version == S6Version::V2_11 { ": " } else { "" }
}

/// `s6-svscanctl`.
pub(super) fn svscanctl(world: &mut World, who: ProcessId, args: &[OsString]) -> Finished {
    let Some((letters, dirs)) = split(args, "zabhitqnN") else {
        return finished(100, "", SVSCANCTL_USAGE);
    };
    let [dir, ..] = dirs.as_slice() else { return finished(100, "", SVSCANCTL_USAGE) };
    if letters.len() > SVSCANCTL_LETTERS_MAX {
        return finished(100, "", "s6-svscanctl: fatal: too many commands");
    }
    let told = send_control(world, who, Path::new(dir), ".s6-svscan", &letters);
    let dir = dir.to_string_lossy();
    let stray = stray(world.s6_version);
    let (code, text) = match told {
        Ok(()) => return finished(0, "", ""),
        Err(ControlError::NotListening) => {
            (100, format!("{stray}unable to control {dir}: supervisor not listening"))
        }
        Err(ControlError::Unable(errno)) => {
            (111, format!("unable to control {dir}: {}", syscalls::strerror(errno)))
        }
        Err(ControlError::Wrong(errno)) => {
            let errno = syscalls::strerror(errno);
            let what = format!("something is wrong with the {dir}/.s6-svscan directory");
            (100, format!("{what}. errno reported: {errno}"))
        }
    };
    finished(code, "", &format!("s6-svscanctl: fatal: {text}"))
}

/// One write; afterwards the look at what is wrong needs to read the directory.
fn send_control(
    world: &mut World,
    who: ProcessId,
    dir: &Path,
    sub: &str,
    letters: &[u8],
) -> Result<(), ControlError> {
    let sub = dir.join(sub);
    match syscalls::write_existing(world, who, &sub.join("control"), letters) {
        Ok(()) => Ok(()),
        Err(Errno::NXIO) => Err(ControlError::NotListening),
        Err(errno @ (Errno::NOENT | Errno::NOTDIR | Errno::ISDIR)) => {
            syscalls::open(world, who, dir, OpenMode::Directory).map_err(ControlError::Unable)?;
            match syscalls::stat(world, who, &sub) {
                Err(Errno::NOENT) => Err(ControlError::NotListening),
                _ => Err(ControlError::Wrong(errno)),
            }
        }
        Err(errno) => Err(ControlError::Unable(errno)),
    }
}
