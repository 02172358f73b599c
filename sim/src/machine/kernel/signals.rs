//! Signals, ends, and their consequences: locks are released, children become orphans, a container ends with its PID 1.

use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{Handle, Pid, Signal, Status};
use hermes::host::{Answer, Outcome};

use super::{CHILD, PERM, files, open_file, process};
use crate::machine::footprint::{self, Resource};
use crate::machine::process::{OpenFile, OpenKind, ProcessBody};
use crate::machine::process_footprint;
use crate::machine::world::{ContainerId, ContainerPhase, ProcessId, World};

const STOP: Signal = Signal(19);
const CONT: Signal = Signal(18);
const CHLD: Signal = Signal(17);

pub(super) fn open(world: &mut World, who: ProcessId, pid: Pid) -> Outcome {
    let target = ProcessId { container: who.container, pid: pid.raw() };
    let serial = world.process(target).ok_or(Errno::SRCH)?.serial;
    let open = OpenFile::new(OpenKind::Process(target, serial), false, false);
    Ok(Answer::Handle(Handle(process(world, who).insert_open_file(open))))
}

pub(super) fn send(world: &mut World, who: ProcessId, handle: Handle, signal: Signal) -> Outcome {
    let OpenKind::Process(target, serial) = open_file(world, who, handle)?.kind else {
        return Err(Errno::BADF);
    };
    match world.process(target) {
        Some(process) if process.serial == serial && process.is_alive() => {}
        _ => return Err(Errno::SRCH),
    }
    if !may_signal(world, who, target) {
        return Err(PERM);
    }
    deliver(world, target, signal);
    Ok(Answer::Done)
}

fn may_signal(world: &World, who: ProcessId, target: ProcessId) -> bool {
    let uid = |who| world.process(who).map(|process| process.credentials.uid);
    uid(who) == Some(0) || uid(who) == uid(target)
}

pub(super) fn send_group(
    world: &mut World,
    who: ProcessId,
    leader: Pid,
    signal: Signal,
) -> Outcome {
    if !process(world, who).spawned.contains(&leader.raw()) {
        return Err(Errno::SRCH);
    }
    for member in group_members(world, who.container, leader.raw()) {
        deliver(world, member, signal);
    }
    Ok(Answer::Done)
}

/// All live processes of a process group.
pub fn group_members(world: &World, container: ContainerId, leader: i32) -> Vec<ProcessId> {
    let inside = world.container(container).processes.iter();
    let members = inside.filter(|(_, process)| process.group == leader && process.is_alive());
    members.map(|(&pid, _)| ProcessId { container, pid }).collect()
}

pub(super) fn reap(world: &mut World, who: ProcessId, child: Pid) -> Outcome {
    if !process(world, who).spawned.contains(&child.raw()) {
        return Err(CHILD);
    }
    let child = ProcessId { container: who.container, pid: child.raw() };
    if world.process(child).is_some_and(|process| process.is_alive()) {
        return Err(Errno::AGAIN);
    }
    process(world, who).spawned.remove(&child.pid);
    world.container_mut(who.container).processes.remove(&child.pid);
    Ok(Answer::Done)
}

/// Delivers a signal: an event, an input of an automaton, or the default action.
pub fn deliver(world: &mut World, who: ProcessId, signal: Signal) {
    let now = world.clock.boot;
    process_footprint::record_lookup(world, who);
    process_footprint::record_inbox_change(world, who);
    let Some(target) = world.process_mut(who) else { return };
    if !target.is_alive() {
        return;
    }
    match signal {
        // No process of its own namespace can end a PID 1 without a handler; the runtime ends the container instead.
        Signal::KILL => end_process(world, who, Status::Signalled(signal)),
        STOP => {
            target.stopped = true;
            process_footprint::record_process_change(world, who);
        }
        CONT => {
            target.stopped = false;
            let pending = std::mem::take(&mut target.pending);
            process_footprint::record_process_change(world, who);
            // Signals that came while it was stopped arrive now.
            for waiting in pending {
                deliver(world, who, waiting);
            }
        }
        CHLD => {}
        _ if target.stopped => {
            target.pending.insert(signal);
        }
        _ if handles_signal(target, signal, now) => {
            target.pending.insert(signal);
        }
        _ if who.pid == 1 => {}
        _ => end_process(world, who, Status::Signalled(signal)),
    }
}

/// Does the process handle this signal, so that it does not die?
fn handles_signal(
    process: &crate::machine::process::Process,
    signal: Signal,
    now: Duration,
) -> bool {
    match &process.body {
        ProcessBody::Task(_) => process.trapped.contains(&signal),
        ProcessBody::Svscan(_) | ProcessBody::Supervise(_) => {
            matches!(signal, Signal::TERM | Signal::HUP | Signal::INT | Signal::QUIT)
        }
        ProcessBody::Logger(_) | ProcessBody::Manager(_) => signal == Signal::TERM,
        ProcessBody::BootHook => false,
        ProcessBody::User(program) => program.handles_signal(signal, now),
    }
}

/// Ends a process: its open files are closed, its locks are released, and its parent is notified.
pub fn end_process(world: &mut World, who: ProcessId, status: Status) {
    let Some(dying) = world.process_mut(who) else { return };
    if !dying.is_alive() {
        return;
    }
    dying.end_status = Some(status);
    for node in std::mem::take(&mut dying.record_locks) {
        footprint::record_write(Resource::Lock(node));
    }
    let mut closed: Vec<OpenFile> = std::mem::take(&mut dying.open_files).into_values().collect();
    closed.extend(std::mem::take(&mut dying.inherited).into_values());
    let parent = dying.parent;
    process_footprint::record_coming_or_going(world, who);
    process_footprint::record_inbox_change(world, ProcessId { pid: parent, ..who });
    files::release_open_files(world, &closed);
    if who.pid == 1 {
        end_container(world, who.container, status);
        return;
    }
    let children: Vec<(i32, bool, bool)> = world
        .container(who.container)
        .processes
        .iter()
        .filter(|(_, process)| process.parent == who.pid)
        .map(|(&pid, process)| (pid, process.dies_with_parent, process.is_alive()))
        .collect();
    for (pid, dies, alive) in children {
        let child = ProcessId { container: who.container, pid };
        let orphan = process(world, child);
        orphan.parent = 1;
        orphan.dies_with_parent = false;
        process_footprint::record_process_change(world, child);
        if dies && alive {
            deliver(world, child, Signal::KILL);
        }
        if !alive {
            reap_orphan(world, child, 1);
        }
    }
    let by_scanner = world
        .process(ProcessId { pid: parent, ..who })
        .is_some_and(|parent| matches!(parent.body, ProcessBody::Svscan(_)));
    if parent == 0 || parent == 1 || by_scanner {
        reap_orphan(world, who, parent);
    }
}

/// PID 1 reaps at once every process that it did not start; the runtime reaps those from outside. s6-svscan does the
/// same with its scripts.
fn reap_orphan(world: &mut World, who: ProcessId, parent: i32) {
    process_footprint::record_coming_or_going(world, who);
    let container = world.container_mut(who.container);
    let parent = container.processes.get(&parent.max(1));
    let waits = parent.is_some_and(|parent| match &parent.body {
        ProcessBody::Svscan(svscan) => svscan.started(who.pid),
        ProcessBody::Manager(manager) => manager.started(who.pid),
        _ => false,
    });
    if !waits {
        container.processes.remove(&who.pid);
    }
}

/// All processes of a container end at once.
pub fn end_container(world: &mut World, id: ContainerId, status: Status) {
    footprint::record_everything();
    let container = world.container_mut(id);
    let processes = std::mem::take(&mut container.processes);
    container.phase = ContainerPhase::Exited(match status {
        Status::Exited(code) => code,
        Status::Signalled(signal) => 128u8.wrapping_add(signal.0.to_le_bytes()[0]),
    });
    container.kill_at = None;
    container.last_pid = 0;
    let closed: Vec<OpenFile> = processes
        .values()
        .flat_map(|process| process.open_files.values().chain(process.inherited.values()).cloned())
        .collect();
    files::release_open_files(world, &closed);
    for node in world.disk.unnamed_nodes() {
        world.disk.release_node(node);
    }
}
