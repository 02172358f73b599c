//! Effects on files, directories, FIFOs and pipes. Pipes live as long as somebody has an end of them open.

use std::path::Path;

use hermes::error::Errno;
use hermes::host::effect::{Entry, Handle, How, Kind, Links, Meta, Over, Place};
use hermes::host::{Answer, Outcome};

use super::{PERM, Stand, all_open, process, procfs};
use crate::disk::NodeId;
use crate::process::{Open, What};
use crate::touched::{self, Thing};
use crate::world::{Who, World};

/// Anonymous pipes are nodes of no disk.
const PIPES: u16 = u16::MAX;

/// What a pipe holds before it is full.
const PIPE_BYTES_MAX: usize = 64 << 10;

/// A pipe's own mode and size mean nothing to anybody.
const PIPE_META: Meta =
    Meta { kind: Kind::Fifo, mode: 0o600, uid: 0, gid: 0, size: 0, identity: (0, 0), links: 1 };

/// The directory that a place starts from.
fn start(world: &World, who: Who, place: &Place) -> Result<Option<NodeId>, Errno> {
    match place.dir {
        None => Ok(None),
        Some(handle) => match opened(world, who, handle)?.what {
            What::Node(node) => Ok(Some(node)),
            _ => Err(Errno::NOTDIR),
        },
    }
}

/// What a process has under this handle.
pub(super) fn opened(world: &World, who: Who, handle: Handle) -> Result<&Open, Errno> {
    world.process(who).and_then(|process| process.open.get(&handle.0)).ok_or(Errno::BADF)
}

fn node_of(world: &World, who: Who, handle: Handle) -> Result<NodeId, Errno> {
    match opened(world, who, handle)?.what {
        What::Node(node) => Ok(node),
        _ => Err(Errno::INVAL),
    }
}

fn is_proc(place: &Place) -> Option<&Path> {
    place.path.strip_prefix("/proc").ok()
}

pub(super) fn open(world: &mut World, who: Who, place: &Place, how: How, links: Links) -> Outcome {
    if let Some(below) = is_proc(place) {
        let what = procfs::open(world, who, below, how)?;
        return Ok(Answer::Handle(Handle(
            process(world, who).insert(Open::new(what, true, false)),
        )));
    }
    let dir = start(world, who, place)?;
    let stand = Stand::of(world, who);
    let node = world.disk.open(&stand.view(), dir, &place.path, how, links)?;
    let (reads, writes) = match how {
        How::Read | How::Directory => (true, false),
        How::Lock { .. } => (true, true),
        How::Create { .. } | How::Append { .. } | How::Write => (false, true),
    };
    let mut open = Open::new(What::Node(node), reads, writes);
    open.appends = matches!(how, How::Append { .. });
    if world.disk.meta(node).kind == Kind::Fifo {
        if writes && !reads && !has_reader(world, node) {
            return Err(Errno::NXIO);
        }
        touched::changed(Thing::Pipe(node));
        open.what = What::Pipe(node);
        world.pipes.entry(node).or_default();
    }
    Ok(Answer::Handle(Handle(process(world, who).insert(open))))
}

/// Does anybody read this pipe?
pub(crate) fn has_reader(world: &World, pipe: NodeId) -> bool {
    touched::seen(Thing::Pipe(pipe));
    all_open(world).any(|open| open.reads && open.what == What::Pipe(pipe))
}

fn has_writer(world: &World, pipe: NodeId) -> bool {
    all_open(world).any(|open| open.writes && open.what == What::Pipe(pipe))
}

pub(super) fn read(world: &mut World, who: Who, handle: Handle, max: usize) -> Outcome {
    let open = opened(world, who, handle)?;
    if !open.reads {
        return Err(Errno::BADF);
    }
    let at = open.at;
    let bytes = match open.what.clone() {
        What::Node(node) if world.disk.meta(node).kind == Kind::Directory => {
            return Err(Errno::ISDIR);
        }
        What::Node(node) => world.disk.read(node, at, max),
        What::Text(text) => {
            let rest = text.get(usize::try_from(at).unwrap_or(usize::MAX)..).unwrap_or_default();
            rest[..rest.len().min(max)].to_vec()
        }
        What::Pipe(pipe) => return read_pipe(world, pipe, max),
        What::Connection(_) => return super::net::read(world, who, handle, max),
        What::Proc => return Err(Errno::ISDIR),
        What::Process(..) | What::Listener(_) | What::Notify => return Err(Errno::INVAL),
    };
    let own = process(world, who).open.get_mut(&handle.0).expect("looked at above");
    own.at += bytes.len() as u64;
    Ok(Answer::Bytes(bytes))
}

fn read_pipe(world: &mut World, pipe: NodeId, max: usize) -> Outcome {
    touched::changed(Thing::Pipe(pipe));
    let has_writer = has_writer(world, pipe);
    let inside = world.pipes.entry(pipe).or_default();
    if inside.is_empty() && has_writer {
        return Err(Errno::AGAIN);
    }
    let count = inside.len().min(max);
    Ok(Answer::Bytes(inside.drain(..count).collect()))
}

pub(super) fn write(world: &mut World, who: Who, handle: Handle, bytes: &[u8]) -> Outcome {
    let open = opened(world, who, handle)?;
    if !open.writes {
        return Err(Errno::BADF);
    }
    let (at, appends) = (open.at, open.appends);
    match open.what.clone() {
        What::Node(node) => {
            let at = world.disk.write(node, (!appends).then_some(at), bytes)?;
            process(world, who).open.get_mut(&handle.0).expect("looked at above").at = at;
        }
        What::Pipe(pipe) => return write_pipe(world, pipe, bytes),
        What::Connection(_) => {}
        What::Notify => {
            touched::everything();
            if bytes.starts_with(b"READY=1") {
                crate::hosts::manager::hear(world, who);
            }
        }
        _ => return Err(Errno::INVAL),
    }
    Ok(Answer::Count(bytes.len()))
}

/// A full pipe takes nothing: nobody here writes so much that it would have to wait.
pub(crate) fn write_pipe(world: &mut World, pipe: NodeId, bytes: &[u8]) -> Outcome {
    touched::changed(Thing::Pipe(pipe));
    if !has_reader(world, pipe) {
        return Err(Errno::PIPE);
    }
    let inside = world.pipes.entry(pipe).or_default();
    if inside.len() + bytes.len() > PIPE_BYTES_MAX {
        return Err(Errno::AGAIN);
    }
    inside.extend_from_slice(bytes);
    Ok(Answer::Count(bytes.len()))
}

pub(super) fn sync(world: &mut World, who: Who, handle: Handle) -> Outcome {
    let node = node_of(world, who, handle)?;
    world.disk.sync(node)?;
    Ok(Answer::Done)
}

pub(super) fn close(world: &mut World, who: Who, handle: Handle) -> Outcome {
    let own = process(world, who);
    let closed = own.open.remove(&handle.0).ok_or(Errno::BADF)?;
    if let What::Node(node) = closed.what {
        // A POSIX lock goes with the first close of any handle of its file.
        if own.record_locks.remove(&node) {
            touched::changed(Thing::Lock(node));
        }
    }
    let_go(world, &[closed]);
    Ok(Answer::Done)
}

/// Drops what nobody has open any more: the bytes of pipes, nodes without a name.
pub(crate) fn let_go(world: &mut World, closed: &[Open]) {
    for open in closed {
        match open.what {
            What::Pipe(pipe) => touched::changed(Thing::Pipe(pipe)),
            What::Node(node) if open.flock => touched::changed(Thing::Lock(node)),
            _ => {}
        }
        if all_open(world).any(|other| other.what == open.what) {
            continue;
        }
        match open.what {
            What::Node(node) => world.disk.forget(node),
            What::Pipe(pipe) => {
                world.pipes.remove(&pipe);
                if pipe.device != PIPES {
                    world.disk.forget(pipe);
                }
            }
            _ => {}
        }
    }
}

pub(super) fn handle_meta(world: &World, who: Who, handle: Handle) -> Outcome {
    let open = opened(world, who, handle)?;
    Ok(Answer::Meta(match &open.what {
        What::Node(node) => world.disk.meta(*node),
        What::Pipe(pipe) if pipe.device != PIPES => world.disk.meta(*pipe),
        What::Text(_) => Meta { kind: Kind::File, mode: 0o444, ..PIPE_META },
        What::Proc => Meta { kind: Kind::Directory, mode: 0o555, ..PIPE_META },
        _ => PIPE_META,
    }))
}

pub(super) fn meta(world: &World, who: Who, place: &Place, links: Links) -> Outcome {
    if let Some(below) = is_proc(place) {
        return procfs::meta(world, who, below).map(Answer::Meta);
    }
    let dir = start(world, who, place)?;
    let stand = Stand::of(world, who);
    let node = world.disk.resolve(&stand.view(), dir, &place.path, links)?;
    Ok(Answer::Meta(world.disk.meta(node)))
}

pub(super) fn list(world: &World, who: Who, handle: Handle) -> Outcome {
    let open = opened(world, who, handle)?;
    let entries = match open.what {
        What::Node(node) => world.disk.list(node)?,
        What::Proc => {
            touched::seen(Thing::Processes(who.container));
            let pids = world.container(who.container).processes.keys();
            pids.map(|pid| Entry { name: pid.to_string().into() }).collect()
        }
        _ => return Err(Errno::NOTDIR),
    };
    Ok(Answer::Entries(entries))
}

pub(super) fn read_link(world: &World, who: Who, place: &Place) -> Outcome {
    if let Some(below) = is_proc(place) {
        return procfs::read_link(world, who, below).map(Answer::Path);
    }
    let dir = start(world, who, place)?;
    let stand = Stand::of(world, who);
    world.disk.read_link(&stand.view(), dir, &place.path).map(Answer::Path)
}

pub(super) fn make_dir(world: &mut World, who: Who, place: &Place, mode: u32) -> Outcome {
    let dir = start(world, who, place)?;
    let stand = Stand::of(world, who);
    world.disk.make_dir(&stand.view(), dir, &place.path, mode)?;
    Ok(Answer::Done)
}

pub(super) fn make_fifo(world: &mut World, who: Who, place: &Place, mode: u32) -> Outcome {
    let dir = start(world, who, place)?;
    let stand = Stand::of(world, who);
    world.disk.make_fifo(&stand.view(), dir, &place.path, mode)?;
    Ok(Answer::Done)
}

pub(super) fn rename(world: &mut World, who: Who, from: &Place, to: &Place, over: Over) -> Outcome {
    let (from_dir, to_dir) = (start(world, who, from)?, start(world, who, to)?);
    let stand = Stand::of(world, who);
    world.disk.rename(&stand.view(), (from_dir, &from.path), (to_dir, &to.path), over)?;
    forget_unnamed(world);
    Ok(Answer::Done)
}

pub(super) fn unlink(world: &mut World, who: Who, place: &Place) -> Outcome {
    let dir = start(world, who, place)?;
    let stand = Stand::of(world, who);
    world.disk.unlink(&stand.view(), dir, &place.path)?;
    forget_unnamed(world);
    Ok(Answer::Done)
}

pub(super) fn remove_dir(world: &mut World, who: Who, place: &Place) -> Outcome {
    let dir = start(world, who, place)?;
    let stand = Stand::of(world, who);
    world.disk.remove_dir(&stand.view(), dir, &place.path)?;
    forget_unnamed(world);
    Ok(Answer::Done)
}

/// Nodes that lost their last name and that nobody has open.
fn forget_unnamed(world: &mut World) {
    for node in world.disk.unnamed() {
        let in_use = all_open(world).any(
            |open| matches!(open.what, What::Node(other) | What::Pipe(other) if other == node),
        ) || world.everybody().any(|(_, process)| process.cwd == node);
        if !in_use {
            world.disk.forget(node);
        }
    }
}

pub(super) fn set_mode(world: &mut World, who: Who, handle: Handle, mode: u32) -> Outcome {
    let node = match opened(world, who, handle)?.what {
        What::Node(node) | What::Pipe(node) if node.device != PIPES => node,
        _ => return Err(PERM),
    };
    let stand = Stand::of(world, who);
    world.disk.set_mode(stand.view().credentials, node, mode)?;
    Ok(Answer::Done)
}

pub(super) fn change_dir(world: &mut World, who: Who, handle: Handle) -> Outcome {
    let What::Node(node) = opened(world, who, handle)?.what else { return Err(Errno::NOTDIR) };
    if world.disk.meta(node).kind != Kind::Directory {
        return Err(Errno::NOTDIR);
    }
    process(world, who).cwd = node;
    Ok(Answer::Done)
}

pub(super) fn set_owner(world: &mut World, who: Who, place: &Place, uid: u32, gid: u32) -> Outcome {
    let dir = start(world, who, place)?;
    let stand = Stand::of(world, who);
    world.disk.set_owner(&stand.view(), dir, &place.path, uid, gid)?;
    Ok(Answer::Done)
}

pub(super) fn pipe(world: &mut World, who: Who) -> Outcome {
    let own = process(world, who);
    let pipe = NodeId { device: PIPES, number: own.fresh() };
    let read = own.insert(Open::new(What::Pipe(pipe), true, false));
    let write = own.insert(Open::new(What::Pipe(pipe), false, true));
    world.pipes.insert(pipe, Vec::new());
    Ok(Answer::Pair(Handle(read), Handle(write)))
}

pub(super) fn inherited(world: &mut World, who: Who, descriptor: i32) -> Outcome {
    let own = process(world, who);
    let open = own.inherited.remove(&descriptor).ok_or(Errno::BADF)?;
    Ok(Answer::Handle(Handle(own.insert(open))))
}
