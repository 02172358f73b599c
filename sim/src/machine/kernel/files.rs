//! Effects on files, directories, FIFOs and pipes. A pipe exists as long as an end of it is open.

use std::path::Path;

use hermes::error::Errno;
use hermes::host::effect::{
    DirEntry, FileKind, Handle, LinkPolicy, Meta, OnExisting, OpenMode, Place,
};
use hermes::host::{Answer, Outcome};

use super::{OwnedView, PERM, all_open_files, open_file, process, procfs};
use crate::machine::disk::NodeId;
use crate::machine::footprint::{self, Resource};
use crate::machine::process::{OpenFile, OpenKind};
use crate::machine::world::{ProcessId, World};

/// Anonymous pipes are nodes of no disk.
const PIPES: u16 = u16::MAX;

/// The capacity of a pipe.
const PIPE_BYTES_MAX: usize = 64 << 10;

/// The mode and size of a pipe have no meaning.
const PIPE_META: Meta =
    Meta { kind: FileKind::Fifo, mode: 0o600, uid: 0, gid: 0, size: 0, identity: (0, 0), links: 1 };

/// The directory that a place starts from.
fn start_dir(world: &World, who: ProcessId, place: &Place) -> Result<Option<NodeId>, Errno> {
    match place.dir {
        None => Ok(None),
        Some(handle) => match open_file(world, who, handle)?.kind {
            OpenKind::Node(node) => Ok(Some(node)),
            _ => Err(Errno::NOTDIR),
        },
    }
}

fn node_of(world: &World, who: ProcessId, handle: Handle) -> Result<NodeId, Errno> {
    match open_file(world, who, handle)?.kind {
        OpenKind::Node(node) => Ok(node),
        _ => Err(Errno::INVAL),
    }
}

fn proc_path(place: &Place) -> Option<&Path> {
    place.path.strip_prefix("/proc").ok()
}

pub(super) fn open(
    world: &mut World,
    who: ProcessId,
    place: &Place,
    how: OpenMode,
    links: LinkPolicy,
) -> Outcome {
    if let Some(below) = proc_path(place) {
        let what = procfs::open(world, who, below, how)?;
        return Ok(Answer::Handle(Handle(
            process(world, who).insert_open_file(OpenFile::new(what, true, false)),
        )));
    }
    let dir = start_dir(world, who, place)?;
    let stand = OwnedView::for_process(world, who);
    let node = world.disk.open(&stand.view(), dir, &place.path, how, links)?;
    let (reads, writes) = match how {
        OpenMode::Read | OpenMode::Directory => (true, false),
        OpenMode::Lock { .. } => (true, true),
        OpenMode::Create { .. } | OpenMode::Append { .. } | OpenMode::Write => (false, true),
    };
    let mut open = OpenFile::new(OpenKind::Node(node), reads, writes);
    open.appends = matches!(how, OpenMode::Append { .. });
    if world.disk.meta(node).kind == FileKind::Fifo {
        if writes && !reads && !has_reader(world, node) {
            return Err(Errno::NXIO);
        }
        footprint::record_write(Resource::Pipe(node));
        open.kind = OpenKind::Pipe(node);
        world.pipes.entry(node).or_default();
    }
    Ok(Answer::Handle(Handle(process(world, who).insert_open_file(open))))
}

/// Does any process read this pipe?
pub(crate) fn has_reader(world: &World, pipe: NodeId) -> bool {
    footprint::record_read(Resource::Pipe(pipe));
    all_open_files(world).any(|open| open.reads && open.kind == OpenKind::Pipe(pipe))
}

fn has_writer(world: &World, pipe: NodeId) -> bool {
    all_open_files(world).any(|open| open.writes && open.kind == OpenKind::Pipe(pipe))
}

pub(super) fn read(world: &mut World, who: ProcessId, handle: Handle, max: usize) -> Outcome {
    let open = open_file(world, who, handle)?;
    if !open.reads {
        return Err(Errno::BADF);
    }
    let at = open.offset;
    let bytes = match open.kind.clone() {
        OpenKind::Node(node) if world.disk.meta(node).kind == FileKind::Directory => {
            return Err(Errno::ISDIR);
        }
        OpenKind::Node(node) => world.disk.read(node, at, max),
        OpenKind::Text(text) => {
            let rest = text.get(usize::try_from(at).unwrap_or(usize::MAX)..).unwrap_or_default();
            rest[..rest.len().min(max)].to_vec()
        }
        OpenKind::Pipe(pipe) => return read_pipe(world, pipe, max),
        OpenKind::Connection(_) => return super::net::read(world, who, handle, max),
        OpenKind::Proc => return Err(Errno::ISDIR),
        OpenKind::Process(..) | OpenKind::Listener(_) | OpenKind::Notify => {
            return Err(Errno::INVAL);
        }
    };
    let own = process(world, who).open_files.get_mut(&handle.0).expect("looked at above");
    own.offset += bytes.len() as u64;
    Ok(Answer::Bytes(bytes))
}

fn read_pipe(world: &mut World, pipe: NodeId, max: usize) -> Outcome {
    footprint::record_write(Resource::Pipe(pipe));
    let has_writer = has_writer(world, pipe);
    let inside = world.pipes.entry(pipe).or_default();
    if inside.is_empty() && has_writer {
        return Err(Errno::AGAIN);
    }
    let count = inside.len().min(max);
    Ok(Answer::Bytes(inside.drain(..count).collect()))
}

pub(super) fn write(world: &mut World, who: ProcessId, handle: Handle, bytes: &[u8]) -> Outcome {
    let open = open_file(world, who, handle)?;
    if !open.writes {
        return Err(Errno::BADF);
    }
    let (at, appends) = (open.offset, open.appends);
    match open.kind.clone() {
        OpenKind::Node(node) => {
            let at = world.disk.write(node, (!appends).then_some(at), bytes)?;
            process(world, who).open_files.get_mut(&handle.0).expect("looked at above").offset = at;
        }
        OpenKind::Pipe(pipe) => return write_pipe(world, pipe, bytes),
        OpenKind::Connection(_) => {}
        OpenKind::Notify => {
            footprint::record_everything();
            if bytes.starts_with(b"READY=1") {
                super::net::notify_ready(world, who);
            }
        }
        _ => return Err(Errno::INVAL),
    }
    Ok(Answer::Count(bytes.len()))
}

/// A full pipe takes nothing: no process here writes so much that it would have to wait.
pub(crate) fn write_pipe(world: &mut World, pipe: NodeId, bytes: &[u8]) -> Outcome {
    footprint::record_write(Resource::Pipe(pipe));
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

pub(super) fn sync(world: &mut World, who: ProcessId, handle: Handle) -> Outcome {
    let node = node_of(world, who, handle)?;
    world.disk.sync(node)?;
    Ok(Answer::Done)
}

pub(super) fn close(world: &mut World, who: ProcessId, handle: Handle) -> Outcome {
    let own = process(world, who);
    let closed = own.open_files.remove(&handle.0).ok_or(Errno::BADF)?;
    if let OpenKind::Node(node) = closed.kind {
        // A POSIX lock is released by the first close of any handle of its file.
        if own.record_locks.remove(&node) {
            footprint::record_write(Resource::Lock(node));
        }
    }
    release_open_files(world, &[closed]);
    Ok(Answer::Done)
}

/// Drops everything that is not open any more: the bytes of pipes, nodes without a name.
pub(crate) fn release_open_files(world: &mut World, closed: &[OpenFile]) {
    for open in closed {
        match open.kind {
            OpenKind::Pipe(pipe) => footprint::record_write(Resource::Pipe(pipe)),
            OpenKind::Node(node) if open.flock => footprint::record_write(Resource::Lock(node)),
            _ => {}
        }
        if all_open_files(world).any(|other| other.kind == open.kind) {
            continue;
        }
        match open.kind {
            OpenKind::Node(node) => world.disk.release_node(node),
            OpenKind::Pipe(pipe) => {
                world.pipes.remove(&pipe);
                if pipe.device != PIPES {
                    world.disk.release_node(pipe);
                }
            }
            _ => {}
        }
    }
}

pub(super) fn handle_meta(world: &World, who: ProcessId, handle: Handle) -> Outcome {
    let open = open_file(world, who, handle)?;
    Ok(Answer::Meta(match &open.kind {
        OpenKind::Node(node) => world.disk.meta(*node),
        OpenKind::Pipe(pipe) if pipe.device != PIPES => world.disk.meta(*pipe),
        OpenKind::Text(_) => Meta { kind: FileKind::File, mode: 0o444, ..PIPE_META },
        OpenKind::Proc => Meta { kind: FileKind::Directory, mode: 0o555, ..PIPE_META },
        _ => PIPE_META,
    }))
}

pub(super) fn meta(world: &World, who: ProcessId, place: &Place, links: LinkPolicy) -> Outcome {
    if let Some(below) = proc_path(place) {
        return procfs::meta(world, who, below).map(Answer::Meta);
    }
    let dir = start_dir(world, who, place)?;
    let stand = OwnedView::for_process(world, who);
    let node = world.disk.resolve(&stand.view(), dir, &place.path, links)?;
    Ok(Answer::Meta(world.disk.meta(node)))
}

pub(super) fn list(world: &World, who: ProcessId, handle: Handle) -> Outcome {
    let open = open_file(world, who, handle)?;
    let entries = match open.kind {
        OpenKind::Node(node) => world.disk.list(node)?,
        OpenKind::Proc => {
            footprint::record_all_processes(who.container);
            let pids = world.container(who.container).processes.keys();
            pids.map(|pid| DirEntry { name: pid.to_string().into() }).collect()
        }
        _ => return Err(Errno::NOTDIR),
    };
    Ok(Answer::Entries(entries))
}

pub(super) fn read_link(world: &World, who: ProcessId, place: &Place) -> Outcome {
    if let Some(below) = proc_path(place) {
        return procfs::read_link(world, who, below).map(Answer::Path);
    }
    let dir = start_dir(world, who, place)?;
    let stand = OwnedView::for_process(world, who);
    world.disk.read_link(&stand.view(), dir, &place.path).map(Answer::Path)
}

pub(super) fn make_dir(world: &mut World, who: ProcessId, place: &Place, mode: u32) -> Outcome {
    let dir = start_dir(world, who, place)?;
    let stand = OwnedView::for_process(world, who);
    world.disk.make_dir(&stand.view(), dir, &place.path, mode)?;
    Ok(Answer::Done)
}

pub(super) fn make_fifo(world: &mut World, who: ProcessId, place: &Place, mode: u32) -> Outcome {
    let dir = start_dir(world, who, place)?;
    let stand = OwnedView::for_process(world, who);
    world.disk.make_fifo(&stand.view(), dir, &place.path, mode)?;
    Ok(Answer::Done)
}

pub(super) fn rename(
    world: &mut World,
    who: ProcessId,
    from: &Place,
    to: &Place,
    over: OnExisting,
) -> Outcome {
    let (from_dir, to_dir) = (start_dir(world, who, from)?, start_dir(world, who, to)?);
    let stand = OwnedView::for_process(world, who);
    world.disk.rename(&stand.view(), (from_dir, &from.path), (to_dir, &to.path), over)?;
    release_unnamed(world);
    Ok(Answer::Done)
}

pub(super) fn unlink(world: &mut World, who: ProcessId, place: &Place) -> Outcome {
    let dir = start_dir(world, who, place)?;
    let stand = OwnedView::for_process(world, who);
    world.disk.unlink(&stand.view(), dir, &place.path)?;
    release_unnamed(world);
    Ok(Answer::Done)
}

pub(super) fn remove_dir(world: &mut World, who: ProcessId, place: &Place) -> Outcome {
    let dir = start_dir(world, who, place)?;
    let stand = OwnedView::for_process(world, who);
    world.disk.remove_dir(&stand.view(), dir, &place.path)?;
    release_unnamed(world);
    Ok(Answer::Done)
}

/// Nodes that lost their last name and are not open.
fn release_unnamed(world: &mut World) {
    for node in world.disk.unnamed_nodes() {
        let in_use = all_open_files(world).any(
            |open| matches!(open.kind, OpenKind::Node(other) | OpenKind::Pipe(other) if other == node),
        ) || world.processes().any(|(_, process)| process.cwd == node);
        if !in_use {
            world.disk.release_node(node);
        }
    }
}

pub(super) fn set_mode(world: &mut World, who: ProcessId, handle: Handle, mode: u32) -> Outcome {
    let node = match open_file(world, who, handle)?.kind {
        OpenKind::Node(node) | OpenKind::Pipe(node) if node.device != PIPES => node,
        _ => return Err(PERM),
    };
    let stand = OwnedView::for_process(world, who);
    world.disk.set_mode(stand.view().credentials, node, mode)?;
    Ok(Answer::Done)
}

pub(super) fn change_dir(world: &mut World, who: ProcessId, handle: Handle) -> Outcome {
    let OpenKind::Node(node) = open_file(world, who, handle)?.kind else {
        return Err(Errno::NOTDIR);
    };
    if world.disk.meta(node).kind != FileKind::Directory {
        return Err(Errno::NOTDIR);
    }
    process(world, who).cwd = node;
    Ok(Answer::Done)
}

pub(super) fn set_owner(
    world: &mut World,
    who: ProcessId,
    place: &Place,
    uid: u32,
    gid: u32,
) -> Outcome {
    let dir = start_dir(world, who, place)?;
    let stand = OwnedView::for_process(world, who);
    world.disk.set_owner(&stand.view(), dir, &place.path, uid, gid)?;
    Ok(Answer::Done)
}

pub(super) fn pipe(world: &mut World, who: ProcessId) -> Outcome {
    let own = process(world, who);
    let pipe = NodeId { device: PIPES, number: own.next_unique_number() };
    let read = own.insert_open_file(OpenFile::new(OpenKind::Pipe(pipe), true, false));
    let write = own.insert_open_file(OpenFile::new(OpenKind::Pipe(pipe), false, true));
    world.pipes.insert(pipe, Vec::new());
    Ok(Answer::Pair(Handle(read), Handle(write)))
}

pub(super) fn inherited(world: &mut World, who: ProcessId, descriptor: i32) -> Outcome {
    let own = process(world, who);
    let open = own.inherited.remove(&descriptor).ok_or(Errno::BADF)?;
    Ok(Answer::Handle(Handle(own.insert_open_file(open))))
}
