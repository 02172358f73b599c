//! Effects that end later: sleeping, and waiting for the first of several things, in one fixed order.

use std::time::Duration;

use hermes::error::Errno;
use hermes::host::Answer;
use hermes::host::effect::{Effect, Event, Handle, Interests, Pid, Status};

use super::{CHILD, Reply, all_open, files, process, programs};
use crate::machine::process::What;
use crate::machine::touched::{self, Thing};
use crate::machine::world::{Who, World};

/// When this process began to wait.
pub(super) fn since(world: &World, who: Who) -> Duration {
    world.process(who).and_then(|process| process.since).unwrap_or(world.clock.boot)
}

pub(super) fn sleep(world: &mut World, who: Who, duration: Duration) -> Reply {
    if world.clock.boot >= since(world, who).saturating_add(duration) {
        Reply::Done(Ok(Answer::Done))
    } else {
        Reply::NotYet
    }
}

pub(super) fn wait(world: &mut World, who: Who, interests: &Interests) -> Reply {
    match ready(world, who, interests) {
        Err(errno) => Reply::Done(Err(errno)),
        Ok(None) => Reply::NotYet,
        Ok(Some(event)) => {
            if let Event::Signal(signal) = event {
                process(world, who).pending.remove(&signal);
            }
            Reply::Done(Ok(Answer::Event(event)))
        }
    }
}

/// What a wait looks at: all that could end it.
pub(super) fn note(world: &World, who: Who, interests: &Interests) {
    touched::changed(Thing::Inbox(who));
    if let Some(child) = interests.child {
        touched::seen(Thing::Process(Who { pid: child.raw(), ..who }));
    }
    for &handle in &interests.readable {
        match files::opened(world, who, handle).map(|open| &open.what) {
            Ok(What::Pipe(pipe)) => touched::seen(Thing::Pipe(*pipe)),
            Ok(What::Process(target, _)) => touched::seen(Thing::Process(*target)),
            Ok(What::Listener(_) | What::Connection(_) | What::Notify) => touched::everything(),
            Ok(What::Node(_) | What::Text(_) | What::Proc) | Err(_) => {}
        }
    }
}

/// What is ready: signals before children before handles before the deadline, as on the real machine.
fn ready(world: &World, who: Who, interests: &Interests) -> Result<Option<Event>, Errno> {
    let own = world.process(who).expect("the process that waits exists");
    if let Some(&signal) = own.pending.first() {
        return Ok(Some(Event::Signal(signal)));
    }
    if let Some(status) = interests.child.map(|pid| end_of(world, who, pid)).transpose()?.flatten()
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

fn end_of(world: &World, who: Who, pid: Pid) -> Result<Option<Status>, Errno> {
    let own = world.process(who).expect("the process that waits exists");
    if !own.spawned.contains(&pid.raw()) {
        return Err(CHILD);
    }
    let child = world.process(Who { container: who.container, pid: pid.raw() });
    Ok(child.and_then(|child| child.ended))
}

fn is_readable(world: &World, who: Who, handle: Handle) -> Result<bool, Errno> {
    Ok(match &files::opened(world, who, handle)?.what {
        What::Pipe(pipe) => {
            world.pipes.get(pipe).is_some_and(|inside| !inside.is_empty())
                || !all_open(world).any(|open| open.writes && open.what == What::Pipe(*pipe))
        }
        What::Process(target, serial) => {
            !world.process(*target).is_some_and(|other| other.serial == *serial && other.is_alive())
        }
        What::Listener(_) => false,
        What::Connection(_) | What::Node(_) | What::Text(_) | What::Proc | What::Notify => true,
    })
}

/// Does this effect end now, one way or another?
pub fn is_ready(world: &World, who: Who, effect: &Effect) -> bool {
    match effect {
        Effect::Sleep { duration } => {
            world.clock.boot >= since(world, who).saturating_add(*duration)
        }
        Effect::Wait { interests } => !matches!(ready(world, who, interests), Ok(None)),
        Effect::Run { program, timeout } => {
            !programs::hangs(world, who, program)
                || world.clock.boot >= since(world, who).saturating_add(*timeout)
        }
        _ => true,
    }
}

/// The moment at which this effect ends by itself, if time alone ends it.
pub fn wakes_at(world: &World, who: Who, effect: &Effect) -> Option<Duration> {
    match effect {
        Effect::Sleep { duration } => Some(since(world, who).saturating_add(*duration)),
        Effect::Run { timeout, .. } => Some(since(world, who).saturating_add(*timeout)),
        Effect::Wait { interests } => interests.until,
        _ => None,
    }
}
