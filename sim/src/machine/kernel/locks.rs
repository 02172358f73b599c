//! `flock` and POSIX record locks. A lock is stored at its holder, so that the holder's death releases it.

use hermes::error::Errno;
use hermes::host::effect::Handle;
use hermes::host::{Answer, Outcome};

use super::{all_open_files, open_file, process};
use crate::machine::disk::NodeId;
use crate::machine::footprint::{self, Resource};
use crate::machine::process::OpenKind;
use crate::machine::world::{ProcessId, World};

fn lockable_node(world: &World, who: ProcessId, handle: Handle) -> Result<NodeId, Errno> {
    match open_file(world, who, handle)?.kind {
        OpenKind::Node(node) => Ok(node),
        _ => Err(Errno::BADF),
    }
}

pub(super) fn lock(world: &mut World, who: ProcessId, handle: Handle) -> Outcome {
    let node = lockable_node(world, who, handle)?;
    footprint::record_write(Resource::Lock(node));
    let own = open_file(world, who, handle)?;
    if own.flock {
        return Ok(Answer::Done);
    }
    if all_open_files(world).any(|open| open.flock && open.kind == OpenKind::Node(node)) {
        return Err(Errno::AGAIN);
    }
    process(world, who).open_files.get_mut(&handle.0).expect("looked at above").flock = true;
    Ok(Answer::Done)
}

pub(super) fn lock_record(world: &mut World, who: ProcessId, handle: Handle) -> Outcome {
    let node = lockable_node(world, who, handle)?;
    footprint::record_write(Resource::Lock(node));
    if !open_file(world, who, handle)?.writes {
        return Err(Errno::BADF);
    }
    if is_locked_by_other(world, who, node) {
        return Err(Errno::AGAIN);
    }
    process(world, who).record_locks.insert(node);
    Ok(Answer::Done)
}

pub(super) fn is_locked(world: &World, who: ProcessId, handle: Handle) -> Outcome {
    let node = lockable_node(world, who, handle)?;
    footprint::record_read(Resource::Lock(node));
    Ok(Answer::Flag(is_locked_by_other(world, who, node)))
}

/// Does another process hold a record lock on it?
pub(crate) fn is_locked_by_other(world: &World, but: ProcessId, node: NodeId) -> bool {
    world.processes().any(|(who, process)| who != but && process.record_locks.contains(&node))
}
