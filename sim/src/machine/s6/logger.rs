//! s6-log: lives until its pipe ends, or SIGTERM. What it would write is not kept: it drains silently.

use std::time::Duration;

use hermes::host::effect::{Signal, Status};

use crate::machine::disk::NodeId;
use crate::machine::footprint::{self, Resource};
use crate::machine::kernel::signals;
use crate::machine::process::OpenKind;
use crate::machine::process_footprint;
pub use crate::machine::state::logger::Logger;
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, World};

/// Is there something for it to do now?
pub fn is_ready(world: &World, who: ProcessId) -> bool {
    if !syscalls::can_move(world, who) {
        return false;
    }
    let told = world.process(who).is_some_and(|own| own.pending.contains(&Signal::TERM));
    told || match input(world, who) {
        None => true,
        Some(pipe) => has_bytes(world, pipe) || !syscalls::has_writer(world, pipe),
    }
}

/// Time alone never gives it anything to do.
pub fn wakes_at(_world: &World, _who: ProcessId) -> Option<Duration> {
    None
}

/// One step: SIGTERM first, else bytes, else the end of the pipe.
pub fn step(world: &mut World, who: ProcessId) {
    process_footprint::record_inbox_read(world, who);
    let told = syscalls::process(world, who).pending.remove(&Signal::TERM);
    input(world, who).into_iter().for_each(|pipe| footprint::record_write(Resource::Pipe(pipe)));
    match input(world, who) {
        Some(pipe) if !told && has_bytes(world, pipe) => {
            world.pipes.insert(pipe, Vec::new());
        }
        _ => signals::end_process(world, who, Status::Exited(0)),
    }
}

/// Its standard input; without one it is at its end.
fn input(world: &World, who: ProcessId) -> Option<NodeId> {
    match world.process(who)?.inherited.get(&0)?.kind {
        OpenKind::Pipe(pipe) => Some(pipe),
        _ => None,
    }
}

fn has_bytes(world: &World, pipe: NodeId) -> bool {
    world.pipes.get(&pipe).is_some_and(|inside| !inside.is_empty())
}
