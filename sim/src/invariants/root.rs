//! S10: what root touches. The user hermes can plant anything under the home and the gateways' scan directory.
//!
//! Reading data is no violation; running a program, following a link and writing into a file are. A command that is told
//! to stay root (`HERMES_DOCKER_EXEC_AS_ROOT`) is exempt.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use hermes::host::effect::{Effect, OpenMode, Place};

use super::Violation;
use super::violation::violation;
use crate::machine::disk::{NodeBody, NodeId};
use crate::machine::process::{OpenKind, Process};
use crate::machine::world::{ProcessId, World};
use crate::observe::process::{is_scanner, is_supervisor};
use crate::observe::volume::{entry, names};
use crate::scenario::Invariant;

/// S10, of one effect that succeeded: the owner of the link, file or directory would decide what root does.
pub fn check_root_effect(world: &World, who: ProcessId, effect: &Effect) -> Result<(), Violation> {
    let Some(process) = world.process(who).filter(|process| is_root(process)) else {
        return Ok(());
    };
    if is_told_to_stay_root(process) {
        return Ok(());
    }
    match effect {
        Effect::Open { place, how, .. } => {
            check_root_follows_no_link(world, who, process, place)?;
            check_root_writes_own_file(world, who, process, place, *how)
        }
        Effect::MakeDir { place, .. }
        | Effect::MakeFifo { place, .. }
        | Effect::Unlink { place }
        | Effect::RemoveDir { place } => check_root_follows_no_link(world, who, process, place),
        Effect::SetOwner { place, uid, .. } => {
            check_root_follows_no_link(world, who, process, place)?;
            check_root_chowns_single_name(world, who, process, place, *uid)
        }
        Effect::Rename { from, to, .. } => {
            check_root_follows_no_link(world, who, process, from)?;
            check_root_follows_no_link(world, who, process, to)
        }
        Effect::Run { program, .. } | Effect::Spawn { program } | Effect::Exec { program } => {
            check_root_follows_no_link(world, who, process, &Place::from(&program.path))?;
            check_root_runs_own_program(world, who, &program.path)
        }
        _ => Ok(()),
    }
}

fn is_told_to_stay_root(process: &Process) -> bool {
    let word = process.env.get(OsStr::new("HERMES_DOCKER_EXEC_AS_ROOT"));
    let word = word.map(|word| word.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    matches!(word.as_str(), "1" | "true" | "yes")
}

fn is_root(process: &Process) -> bool {
    process.credentials.uid == 0
}

/// No link on the path belongs to another user.
fn check_root_follows_no_link(
    world: &World,
    who: ProcessId,
    process: &Process,
    place: &Place,
) -> Result<(), Violation> {
    let start =
        match place.dir.and_then(|dir| process.open_files.get(&dir.0)).map(|open| &open.kind) {
            Some(OpenKind::Node(node)) => *node,
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
        if matches!(node.body, NodeBody::Link(_)) && node.status.uid != 0 {
            return violation(
                Invariant::S10,
                format!("root follows `{}`, a link of user {}", at.display(), node.status.uid),
            );
        }
    }
    Ok(())
}

fn check_root_writes_own_file(
    world: &World,
    who: ProcessId,
    process: &Process,
    place: &Place,
    how: OpenMode,
) -> Result<(), Violation> {
    if !matches!(how, OpenMode::Append { .. } | OpenMode::Lock { .. } | OpenMode::Write) {
        return Ok(());
    }
    match node_at_place(world, who, process, place).map(|node| node.status.uid) {
        Some(uid) if uid != 0 => violation(
            Invariant::S10,
            format!("root writes into `{}`, which is user {uid}'s", place.path.display()),
        ),
        _ => Ok(()),
    }
}

/// A file with a second name is not given away: the user who made that name would get what the file holds.
fn check_root_chowns_single_name(
    world: &World,
    who: ProcessId,
    process: &Process,
    place: &Place,
    uid: u32,
) -> Result<(), Violation> {
    let chowned = node_at_place(world, who, process, place);
    match chowned
        .filter(|node| matches!(node.body, NodeBody::File(_)) && node.links > 1 && uid != 0)
    {
        Some(_) => violation(
            Invariant::S10,
            format!("root gives `{}` to user {uid}, and it has another name", place.path.display()),
        ),
        None => Ok(()),
    }
}

/// The node at a place.
fn node_at_place<'a>(
    world: &'a World,
    who: ProcessId,
    process: &Process,
    place: &Place,
) -> Option<&'a crate::machine::disk::Node> {
    let container = world.container(who.container);
    let node = match (
        place.path.is_absolute(),
        place.dir.and_then(|dir| process.open_files.get(&dir.0)),
    ) {
        (true, _) => world.disk.peek(container.root, &container.mounts, &place.path),
        (false, Some(open)) => match open.kind {
            OpenKind::Node(dir) => place.path.to_str().and_then(|name| entry(world, dir, name)),
            _ => None,
        },
        (false, None) => None,
    };
    node.and_then(|node| world.disk.node(node))
}

/// Neither the program nor a directory above it belongs to another user.
fn check_root_runs_own_program(
    world: &World,
    who: ProcessId,
    program: &Path,
) -> Result<(), Violation> {
    let container = world.container(who.container);
    for path in program.ancestors() {
        let node = world.disk.peek(container.root, &container.mounts, path);
        match node.and_then(|node| world.disk.node(node)).map(|node| node.status.uid) {
            Some(uid) if uid != 0 => {
                return violation(
                    Invariant::S10,
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

/// S10, of a process of s6 that root runs: in a service directory of hermes it would run a script of hermes as root.
pub fn check_root_supervises_own_dirs(world: &World, who: ProcessId) -> Result<(), Violation> {
    let Some(process) = world.process(who).filter(|process| is_root(process)) else {
        return Ok(());
    };
    if is_supervisor(process) {
        return check_service_owner(world, process.cwd, "its service");
    }
    if is_scanner(process) {
        for name in names(world, process.cwd).iter().filter(|name| !name.starts_with('.')) {
            if let Some(dir) = entry(world, process.cwd, name) {
                check_service_owner(world, dir, name)?;
            }
        }
    }
    Ok(())
}

fn check_service_owner(world: &World, dir: NodeId, name: &str) -> Result<(), Violation> {
    let run = entry(world, dir, "run");
    let owners = [Some(dir), run].into_iter().flatten().filter_map(|node| world.disk.node(node));
    // A supervisor that has not changed to its service directory yet is where no `run` is.
    match owners.map(|node| node.status.uid).find(|uid| *uid != 0).filter(|_| run.is_some()) {
        Some(uid) => {
            violation(Invariant::S10, format!("root supervises `{name}`, which is user {uid}'s"))
        }
        None => Ok(()),
    }
}
