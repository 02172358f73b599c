//! What the automata do to files, with the permissions of their own process. No handle is used up by looking, so that two
//! machines whose automata looked a different number of times are still equal.

use std::ffi::OsString;
use std::path::Path;

use hermes::error::Errno;
use hermes::host::Outcome;
use hermes::host::effect::{
    Effect, FileKind, Handle, LinkPolicy, Meta, OnExisting, OpenMode, Place,
};

use crate::machine::disk::NodeId;
use crate::machine::footprint::{self, Resource};
use crate::machine::kernel::{self, OwnedView, Reply, all_open_files, files};
use crate::machine::process::{OpenFile, OpenKind, Process};
use crate::machine::world::{ProcessId, World};

/// The longest file that anybody here reads.
const BYTES_MAX: usize = 1 << 20;

/// The process that moves.
pub(crate) fn process(world: &mut World, who: ProcessId) -> &mut Process {
    world.process_mut(who).expect("the process that moves exists")
}

/// Alive and not stopped by SIGSTOP.
pub(crate) fn can_move(world: &World, who: ProcessId) -> bool {
    world.process(who).is_some_and(|process| process.is_alive() && !process.stopped)
}

/// Finds a node, or makes a file, as `open` does.
pub(crate) fn open(
    world: &mut World,
    who: ProcessId,
    path: &Path,
    how: OpenMode,
) -> Result<NodeId, Errno> {
    let stand = OwnedView::for_process(world, who);
    world.disk.open(&stand.view(), None, path, how, LinkPolicy::Follow)
}

/// The whole of a file.
pub(crate) fn read(world: &mut World, who: ProcessId, path: &Path) -> Result<Vec<u8>, Errno> {
    let node = open(world, who, path, OpenMode::Read)?;
    Ok(world.disk.read(node, 0, BYTES_MAX))
}

/// A file made anew with these contents.
pub(crate) fn write(
    world: &mut World,
    who: ProcessId,
    path: &Path,
    mode: u32,
    bytes: &[u8],
) -> Result<(), Errno> {
    match perform(world, who, &Effect::Unlink { place: Place::from(path) }) {
        Ok(_) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let node = open(world, who, path, OpenMode::Create { mode })?;
    world.disk.write(node, Some(0), bytes).map(drop)
}

/// What a path leads to, through links.
pub(crate) fn stat(world: &World, who: ProcessId, path: &Path) -> Result<Meta, Errno> {
    let stand = OwnedView::for_process(world, who);
    let node = world.disk.resolve(&stand.view(), None, path, LinkPolicy::Follow)?;
    Ok(world.disk.meta(node))
}

/// Is something there?
pub(crate) fn exists(world: &World, who: ProcessId, path: &Path) -> bool {
    stat(world, who, path).is_ok()
}

/// The names in the working directory; none if it is gone.
pub(crate) fn names_here(world: &World, who: ProcessId) -> Vec<OsString> {
    let cwd = world.process(who).map(|process| process.cwd);
    let listed = cwd.map(|cwd| world.disk.list(cwd).unwrap_or_default()).unwrap_or_default();
    listed.into_iter().map(|entry| entry.name).collect()
}

/// Any act of the kernel that ends at once.
pub(crate) fn perform(world: &mut World, who: ProcessId, effect: &Effect) -> Outcome {
    match kernel::perform(world, who, effect) {
        Reply::Done(outcome) => outcome,
        Reply::Blocked | Reply::Replaced => Err(Errno::INVAL),
    }
}

/// `mkdir`; whether it was there already.
pub(crate) fn make_dir(
    world: &mut World,
    who: ProcessId,
    path: &str,
    mode: u32,
) -> Result<bool, Errno> {
    let place = Place::from(Path::new(path));
    match perform(world, who, &Effect::MakeDir { place, mode }) {
        Ok(_) => Ok(false),
        Err(Errno::EXIST) => match stat(world, who, Path::new(path))?.kind {
            FileKind::Directory => Ok(true),
            _ => Err(Errno::NOTDIR),
        },
        Err(errno) => Err(errno),
    }
}

/// `chmod`, through links.
pub(crate) fn set_mode(
    world: &mut World,
    who: ProcessId,
    path: &Path,
    mode: u32,
) -> Result<(), Errno> {
    let stand = OwnedView::for_process(world, who);
    let node = world.disk.resolve(&stand.view(), None, path, LinkPolicy::Follow)?;
    let handle = keep_open(world, who, OpenFile::new(OpenKind::Node(node), true, false));
    let result = perform(world, who, &Effect::SetMode { handle: Handle(handle), mode });
    close_handle(world, who, handle);
    result.map(drop)
}

/// Makes a FIFO or takes the one that is there, and holds it open for reading and writing: its read handle.
pub(crate) fn listen(world: &mut World, who: ProcessId, path: &str) -> Result<u32, Errno> {
    let path = Path::new(path);
    let made = perform(world, who, &Effect::MakeFifo { place: Place::from(path), mode: 0o600 });
    match made {
        Ok(_) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    if stat(world, who, path)?.kind != FileKind::Fifo {
        return Err(Errno::EXIST);
    }
    let node = open(world, who, path, OpenMode::Read)?;
    open(world, who, path, OpenMode::Write)?;
    Ok(keep_open(world, who, OpenFile::new(OpenKind::Pipe(node), true, true)))
}

/// Takes a file's record lock for life; `EAGAIN` if another has it.
pub(crate) fn lock(world: &mut World, who: ProcessId, path: &str, mode: u32) -> Result<(), Errno> {
    let node = open(world, who, Path::new(path), OpenMode::Lock { mode })?;
    footprint::record_write(Resource::Lock(node));
    if is_locked_by_other(world, who, node) {
        return Err(Errno::AGAIN);
    }
    process(world, who).record_locks.insert(node);
    keep_open(world, who, OpenFile::new(OpenKind::Node(node), true, true));
    Ok(())
}

/// Does anybody else hold a record lock on it?
pub(crate) fn is_locked_by_other(world: &World, but: ProcessId, node: NodeId) -> bool {
    footprint::record_read(Resource::Lock(node));
    world.processes().any(|(who, process)| who != but && process.record_locks.contains(&node))
}

/// Keeps something open.
pub(crate) fn keep_open(world: &mut World, who: ProcessId, open: OpenFile) -> u32 {
    if let OpenKind::Pipe(pipe) = open.kind {
        footprint::record_write(Resource::Pipe(pipe));
        world.pipes.entry(pipe).or_default();
    }
    process(world, who).insert_open_file(open)
}

/// A new pipe: read end, write end.
pub(crate) fn pipe(world: &mut World, who: ProcessId) -> (u32, u32) {
    match perform(world, who, &Effect::Pipe) {
        Ok(hermes::host::Answer::Pair(read, write)) => (read.0, write.0),
        other => panic!("a pipe can always be made: {other:?}"),
    }
}

/// Lets go of what is open under this handle.
pub(crate) fn close_handle(world: &mut World, who: ProcessId, handle: u32) {
    let own = process(world, who);
    let closed = own.open_files.remove(&handle);
    files::release_open_files(world, closed.as_slice());
}

/// Lets go of a descriptor that the process was started with.
pub(crate) fn close_inherited(world: &mut World, who: ProcessId, descriptor: i32) {
    let closed = process(world, who).inherited.remove(&descriptor);
    files::release_open_files(world, closed.as_slice());
}

/// The pipe under a handle.
pub(crate) fn pipe_of(world: &World, who: ProcessId, handle: u32) -> Option<NodeId> {
    match world.process(who)?.open_files.get(&handle)?.kind {
        OpenKind::Pipe(pipe) => Some(pipe),
        _ => None,
    }
}

/// Are there bytes to read under this handle?
pub(crate) fn has_bytes(world: &World, who: ProcessId, handle: u32) -> bool {
    let pipe = pipe_of(world, who, handle);
    pipe.into_iter().for_each(|pipe| footprint::record_read(Resource::Pipe(pipe)));
    pipe.and_then(|pipe| world.pipes.get(&pipe)).is_some_and(|inside| !inside.is_empty())
}

/// All bytes that are there.
pub(crate) fn take_bytes(world: &mut World, who: ProcessId, handle: u32) -> Vec<u8> {
    let pipe = pipe_of(world, who, handle);
    pipe.into_iter().for_each(|pipe| footprint::record_write(Resource::Pipe(pipe)));
    let inside = pipe.and_then(|pipe| world.pipes.get_mut(&pipe));
    inside.map(std::mem::take).unwrap_or_default()
}

/// Is a pipe open for writing anywhere?
pub(crate) fn has_writer(world: &World, pipe: NodeId) -> bool {
    footprint::record_read(Resource::Pipe(pipe));
    all_open_files(world).any(|open| open.writes && open.kind == OpenKind::Pipe(pipe))
}

/// Writes into an existing FIFO or file, as the tools do: `ENXIO` if no process reads the FIFO.
pub(crate) fn write_existing(
    world: &mut World,
    who: ProcessId,
    path: &Path,
    bytes: &[u8],
) -> Result<(), Errno> {
    let node = open(world, who, path, OpenMode::Write)?;
    if world.disk.meta(node).kind != FileKind::Fifo {
        return world.disk.write(node, Some(0), bytes).map(drop);
    }
    if !files::has_reader(world, node) {
        return Err(Errno::NXIO);
    }
    files::write_pipe(world, node, bytes).map(drop)
}

/// A name taken over by another.
pub(crate) fn rename(world: &mut World, who: ProcessId, from: &str, to: &str) -> Result<(), Errno> {
    let (from, to) = (Place::from(Path::new(from)), Place::from(Path::new(to)));
    perform(world, who, &Effect::Rename { from, to, over: OnExisting::Replace }).map(drop)
}

/// Does something with no bit of a mode cleared.
pub(crate) fn without_umask<T>(
    world: &mut World,
    who: ProcessId,
    act: impl FnOnce(&mut World) -> T,
) -> T {
    let before = std::mem::take(&mut process(world, who).credentials.umask);
    let result = act(world);
    process(world, who).credentials.umask = before;
    result
}

/// What `strerror` says.
pub(crate) fn strerror(errno: Errno) -> String {
    let text = std::io::Error::from_raw_os_error(errno.0).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
