//! `flock` and POSIX record locks. Who holds one is written at the holder, so that death frees it.

use hermes::error::Errno;
use hermes::host::effect::Handle;
use hermes::host::{Answer, Outcome};

use super::{all_open, files, process};
use crate::machine::disk::NodeId;
use crate::machine::process::What;
use crate::machine::touched::{self, Thing};
use crate::machine::world::{Who, World};

fn file(world: &World, who: Who, handle: Handle) -> Result<NodeId, Errno> {
    match files::opened(world, who, handle)?.what {
        What::Node(node) => Ok(node),
        _ => Err(Errno::BADF),
    }
}

pub(super) fn lock(world: &mut World, who: Who, handle: Handle) -> Outcome {
    let node = file(world, who, handle)?;
    touched::changed(Thing::Lock(node));
    let own = files::opened(world, who, handle)?;
    if own.flock {
        return Ok(Answer::Done);
    }
    if all_open(world).any(|open| open.flock && open.what == What::Node(node)) {
        return Err(Errno::AGAIN);
    }
    process(world, who).open.get_mut(&handle.0).expect("looked at above").flock = true;
    Ok(Answer::Done)
}

pub(super) fn lock_record(world: &mut World, who: Who, handle: Handle) -> Outcome {
    let node = file(world, who, handle)?;
    touched::changed(Thing::Lock(node));
    if !files::opened(world, who, handle)?.writes {
        return Err(Errno::BADF);
    }
    if holder(world, who, node) {
        return Err(Errno::AGAIN);
    }
    process(world, who).record_locks.insert(node);
    Ok(Answer::Done)
}

pub(super) fn is_locked(world: &World, who: Who, handle: Handle) -> Outcome {
    let node = file(world, who, handle)?;
    touched::seen(Thing::Lock(node));
    Ok(Answer::Flag(holder(world, who, node)))
}

/// Does anybody else hold a record lock on it?
pub(crate) fn holder(world: &World, but: Who, node: NodeId) -> bool {
    world.everybody().any(|(who, process)| who != but && process.record_locks.contains(&node))
}
