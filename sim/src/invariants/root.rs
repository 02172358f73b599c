//! S10: what root touches. Everything under the home and the gateways' scan directory is hermes's to plant in.
//!
//! Reading data is no breach; running, following a link and writing into a file are. A command told to stay root
//! (`HERMES_DOCKER_EXEC_AS_ROOT`) was told so.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use hermes::host::effect::{Effect, How, Place};

use super::name::breach;
use super::{Breach, Name};
use crate::machine::disk::{Body, NodeId};
use crate::machine::process::{Process, What};
use crate::machine::world::{Who, World};
use crate::observe::process::{is_scanner, is_supervisor};
use crate::observe::volume::{entry, names};

/// S10, of one effect that succeeded: whoever owns the link, file or directory would decide what root does.
pub fn keeps_to_itself(world: &World, who: Who, effect: &Effect) -> Result<(), Breach> {
    let Some(process) = world.process(who).filter(|process| is_root(process)) else {
        return Ok(());
    };
    if process.env.contains_key(OsStr::new("HERMES_DOCKER_EXEC_AS_ROOT")) {
        return Ok(());
    }
    match effect {
        Effect::Open { place, how, .. } => {
            follows_nobody(world, who, process, place)?;
            writes_its_own(world, who, process, place, *how)
        }
        Effect::MakeDir { place, .. }
        | Effect::MakeFifo { place, .. }
        | Effect::Unlink { place }
        | Effect::RemoveDir { place } => follows_nobody(world, who, process, place),
        Effect::SetOwner { place, uid, .. } => {
            follows_nobody(world, who, process, place)?;
            gives_away_one_name(world, who, process, place, *uid)
        }
        Effect::Rename { from, to, .. } => {
            follows_nobody(world, who, process, from)?;
            follows_nobody(world, who, process, to)
        }
        Effect::Run { program, .. } | Effect::Spawn { program } | Effect::Exec { program } => {
            follows_nobody(world, who, process, &Place::from(&program.path))?;
            runs_its_own(world, who, &program.path)
        }
        _ => Ok(()),
    }
}

fn is_root(process: &Process) -> bool {
    process.credentials.uid == 0
}

/// No link on the way belongs to anybody else. The last part of what is removed is a name, never followed.
fn follows_nobody(world: &World, who: Who, process: &Process, place: &Place) -> Result<(), Breach> {
    let start = match place.dir.and_then(|dir| process.open.get(&dir.0)).map(|open| &open.what) {
        Some(What::Node(node)) => *node,
        _ => process.cwd,
    };
    let container = world.container(who.container);
    let mut at = PathBuf::new();
    for part in place.path.iter() {
        at.push(part);
        let node = match place.path.is_absolute() {
            true => world.disk.peek(container.root, &container.mounts, &at),
            false => at.iter().try_fold(start, |dir, name| entry(world, dir, name.to_str()?)),
        };
        let Some(node) = node.and_then(|node| world.disk.node(node)) else { return Ok(()) };
        if matches!(node.body, Body::Link(_)) && node.status.uid != 0 {
            return breach(
                Name::S10,
                format!("root follows `{}`, a link of user {}", at.display(), node.status.uid),
            );
        }
    }
    Ok(())
}

fn writes_its_own(
    world: &World,
    who: Who,
    process: &Process,
    place: &Place,
    how: How,
) -> Result<(), Breach> {
    if !matches!(how, How::Append { .. } | How::Lock { .. } | How::Write) {
        return Ok(());
    }
    match meant(world, who, process, place).map(|node| node.status.uid) {
        Some(uid) if uid != 0 => breach(
            Name::S10,
            format!("root writes into `{}`, which is user {uid}'s", place.path.display()),
        ),
        _ => Ok(()),
    }
}

/// A file with another name may be anybody's: whoever made that name would get what it holds.
fn gives_away_one_name(
    world: &World,
    who: Who,
    process: &Process,
    place: &Place,
    uid: u32,
) -> Result<(), Breach> {
    let given = meant(world, who, process, place);
    match given.filter(|node| matches!(node.body, Body::File(_)) && node.links > 1 && uid != 0) {
        Some(_) => breach(
            Name::S10,
            format!("root gives `{}` to user {uid}, and it has another name", place.path.display()),
        ),
        None => Ok(()),
    }
}

/// What lies at a place.
fn meant<'a>(
    world: &'a World,
    who: Who,
    process: &Process,
    place: &Place,
) -> Option<&'a crate::machine::disk::Node> {
    let container = world.container(who.container);
    let node = match (place.path.is_absolute(), place.dir.and_then(|it| process.open.get(&it.0))) {
        (true, _) => world.disk.peek(container.root, &container.mounts, &place.path),
        (false, Some(open)) => match open.what {
            What::Node(dir) => place.path.to_str().and_then(|name| entry(world, dir, name)),
            _ => None,
        },
        (false, None) => None,
    };
    node.and_then(|node| world.disk.node(node))
}

/// Neither the program nor a directory above it is anybody else's.
fn runs_its_own(world: &World, who: Who, program: &Path) -> Result<(), Breach> {
    let container = world.container(who.container);
    for path in program.ancestors() {
        let node = world.disk.peek(container.root, &container.mounts, path);
        match node.and_then(|node| world.disk.node(node)).map(|node| node.status.uid) {
            Some(uid) if uid != 0 => {
                return breach(
                    Name::S10,
                    format!(
                        "root runs `{}`, and `{}` is user {uid}'s",
                        program.display(),
                        path.display()
                    ),
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// S10, of a process of s6's that root runs: a service directory of hermes's would be a script that root runs.
pub fn supervises_its_own(world: &World, who: Who) -> Result<(), Breach> {
    let Some(process) = world.process(who).filter(|process| is_root(process)) else {
        return Ok(());
    };
    if is_supervisor(process) {
        return service_is_roots(world, process.cwd, "its service");
    }
    if is_scanner(process) {
        for name in names(world, process.cwd).iter().filter(|name| !name.starts_with('.')) {
            if let Some(dir) = entry(world, process.cwd, name) {
                service_is_roots(world, dir, name)?;
            }
        }
    }
    Ok(())
}

fn service_is_roots(world: &World, dir: NodeId, name: &str) -> Result<(), Breach> {
    let run = entry(world, dir, "run");
    let owners = [Some(dir), run].into_iter().flatten().filter_map(|it| world.disk.node(it));
    // A supervisor that has not gone to its service yet stands where no `run` is.
    match owners.map(|node| node.status.uid).find(|uid| *uid != 0).filter(|_| run.is_some()) {
        Some(uid) => breach(Name::S10, format!("root supervises `{name}`, which is user {uid}'s")),
        None => Ok(()),
    }
}
