//! Effects that end later: sleeping, and waiting for the first of several events, in a fixed order.

use std::time::Duration;

use hermes::error::Errno;
use hermes::host::Answer;
use hermes::host::effect::{Effect, Event, Handle, Interests, Pid, Status};

use super::{CHILD, Reply, all_open_files, open_file, process, processes};
use crate::machine::footprint::{self, Resource};
use crate::machine::process::OpenKind;
use crate::machine::process_footprint;
use crate::machine::world::{ProcessId, World};

/// When this process began to wait.
pub(in crate::machine) fn waiting_since(world: &World, who: ProcessId) -> Duration {
    world.process(who).and_then(|process| process.waiting_since).unwrap_or(world.clock.boot)
}

pub(super) fn sleep(world: &mut World, who: ProcessId, duration: Duration) -> Reply {
    if world.clock.boot >= waiting_since(world, who).saturating_add(duration) {
        Reply::Done(Ok(Answer::Done))
    } else {
        Reply::Blocked
    }
}

pub(super) fn wait(world: &mut World, who: ProcessId, interests: &Interests) -> Reply {
    match ready_event(world, who, interests) {
        Err(errno) => Reply::Done(Err(errno)),
        Ok(None) => Reply::Blocked,
        Ok(Some(event)) => {
            if let Event::Signal(signal) = event {
                process(world, who).pending.remove(&signal);
            }
            Reply::Done(Ok(Answer::Event(event)))
        }
    }
}

/// Adds the footprint of a wait: everything that could end it.
pub(super) fn record_wait_footprint(world: &World, who: ProcessId, interests: &Interests) {
    process_footprint::record_inbox_change(world, who);
    if let Some(child) = interests.child {
        process_footprint::record_lookup(world, ProcessId { pid: child.raw(), ..who });
    }
    for &handle in &interests.readable {
        match open_file(world, who, handle).map(|open| &open.kind) {
            Ok(OpenKind::Pipe(pipe)) => footprint::record_read(Resource::Pipe(*pipe)),
            Ok(OpenKind::Process(_, serial)) => footprint::record_read(Resource::Process(*serial)),
            Ok(OpenKind::Listener(_) | OpenKind::Connection(_) | OpenKind::Notify) => {
                footprint::record_everything()
            }
            Ok(OpenKind::Node(_) | OpenKind::Text(_) | OpenKind::Proc) | Err(_) => {}
        }
    }
}

/// The ready event: signals before children before handles before the deadline, as on the real machine.
fn ready_event(
    world: &World,
    who: ProcessId,
    interests: &Interests,
) -> Result<Option<Event>, Errno> {
    let own = world.process(who).expect("the process that waits exists");
    if let Some(&signal) = own.pending.first() {
        return Ok(Some(Event::Signal(signal)));
    }
    if let Some(status) =
        interests.child.map(|pid| child_status(world, who, pid)).transpose()?.flatten()
    {
        return Ok(Some(Event::Child(status)));
    }
    for &handle in &interests.readable {
        if is_readable(world, who, handle)? {
            return Ok(Some(Event::Readable(handle)));
        }
    }
    let is_over = interests.until.is_some_and(|until| world.clock.boot >= until);
    Ok(is_over.then_some(Event::Deadline))
}

fn child_status(world: &World, who: ProcessId, pid: Pid) -> Result<Option<Status>, Errno> {
    let own = world.process(who).expect("the process that waits exists");
    if !own.spawned.contains(&pid.raw()) {
        return Err(CHILD);
    }
    let child = world.process(ProcessId { container: who.container, pid: pid.raw() });
    Ok(child.and_then(|child| child.end_status))
}

fn is_readable(world: &World, who: ProcessId, handle: Handle) -> Result<bool, Errno> {
    Ok(match &open_file(world, who, handle)?.kind {
        OpenKind::Pipe(pipe) => {
            world.pipes.get(pipe).is_some_and(|inside| !inside.is_empty())
                || !all_open_files(world)
                    .any(|open| open.writes && open.kind == OpenKind::Pipe(*pipe))
        }
        OpenKind::Process(target, serial) => {
            !world.process(*target).is_some_and(|other| other.serial == *serial && other.is_alive())
        }
        OpenKind::Listener(_) => false,
        OpenKind::Connection(_)
        | OpenKind::Node(_)
        | OpenKind::Text(_)
        | OpenKind::Proc
        | OpenKind::Notify => true,
    })
}

/// Does this effect end now, in any way?
pub fn is_ready(world: &World, who: ProcessId, effect: &Effect) -> bool {
    match effect {
        Effect::Sleep { duration } => {
            world.clock.boot >= waiting_since(world, who).saturating_add(*duration)
        }
        Effect::Wait { interests } => !matches!(ready_event(world, who, interests), Ok(None)),
        Effect::Run { program, timeout } => {
            !processes::never_ends(world, who, program)
                || world.clock.boot >= waiting_since(world, who).saturating_add(*timeout)
        }
        _ => true,
    }
}

/// The time at which this effect ends by itself, if time alone ends it.
pub fn wakes_at(world: &World, who: ProcessId, effect: &Effect) -> Option<Duration> {
    match effect {
        Effect::Sleep { duration } => Some(waiting_since(world, who).saturating_add(*duration)),
        Effect::Run { timeout, .. } => Some(waiting_since(world, who).saturating_add(*timeout)),
        Effect::Wait { interests } => interests.until,
        _ => None,
    }
}
