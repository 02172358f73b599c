//! Loopback ports. A connection is to a user's program that serves: it answers each request with 200.

use std::collections::VecDeque;
use std::path::Path;

use hermes::error::Errno;
use hermes::host::effect::Handle;
use hermes::host::{Answer, Outcome};

use super::{open_file, process};
use crate::machine::process::{OpenFile, OpenKind, ProcessBody};
use crate::machine::registry::HostKind;
use crate::machine::state::manager::UnitState;
use crate::machine::world::{ProcessId, World};

/// The socket on which systemd hears that a service is ready.
pub const NOTIFY_SOCKET: &str = "/run/user/10000/systemd/notify";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

pub(super) fn listen(world: &mut World, who: ProcessId, port: u16) -> Outcome {
    let is_taken = world.container(who.container).processes.values().any(|process| {
        process.open_files.values().any(|open| open.kind == OpenKind::Listener(port))
    });
    if is_taken {
        return Err(Errno::ADDRINUSE);
    }
    let open = OpenFile::new(OpenKind::Listener(port), true, false);
    Ok(Answer::Handle(Handle(process(world, who).insert_open_file(open))))
}

/// No process of this world connects to the gateways.
pub(super) fn accept(world: &World, who: ProcessId, listener: Handle) -> Outcome {
    match open_file(world, who, listener)?.kind {
        OpenKind::Listener(_) => Err(Errno::AGAIN),
        _ => Err(Errno::INVAL),
    }
}

pub(super) fn connect(world: &mut World, who: ProcessId, port: u16) -> Outcome {
    let serves = world.container(who.container).processes.values().any(|process| {
        process.is_alive()
            && matches!(&process.body, ProcessBody::User(program) if program.serves(port))
    });
    if !serves {
        return Err(Errno::CONNREFUSED);
    }
    let response = VecDeque::from(RESPONSE.to_vec());
    let open = OpenFile::new(OpenKind::Connection(response), true, true);
    Ok(Answer::Handle(Handle(process(world, who).insert_open_file(open))))
}

/// Only systemd listens on a local socket here: for the readiness of services.
pub(super) fn connect_local(world: &mut World, who: ProcessId, path: &Path) -> Outcome {
    let listens = world.manager(who.container).is_some_and(|it| it.kind == HostKind::Systemd);
    if !listens || path != Path::new(NOTIFY_SOCKET) {
        return Err(Errno::CONNREFUSED);
    }
    let open = OpenFile::new(OpenKind::Notify, false, true);
    Ok(Answer::Handle(Handle(process(world, who).insert_open_file(open))))
}

pub(super) fn read(world: &mut World, who: ProcessId, handle: Handle, max: usize) -> Outcome {
    let open = process(world, who).open_files.get_mut(&handle.0).ok_or(Errno::BADF)?;
    let OpenKind::Connection(rest) = &mut open.kind else { return Err(Errno::BADF) };
    let count = rest.len().min(max);
    Ok(Answer::Bytes(rest.drain(..count).collect()))
}

/// A process of this container says on systemd's socket that it is ready.
pub(super) fn notify_ready(world: &mut World, who: ProcessId) {
    let wall = world.clock.wall;
    let Some(manager) = world.manager_mut(who.container) else { return };
    for unit in manager.units.values_mut() {
        if unit.state == (UnitState::Up { pid: who.pid, ready: false }) {
            unit.becomes(UnitState::Up { pid: who.pid, ready: true }, wall);
        }
    }
}
