//! Loopback ports. A connection is to a user's program that serves: it answers each request with 200.

use std::collections::VecDeque;
use std::path::Path;

use hermes::error::Errno;
use hermes::host::effect::Handle;
use hermes::host::{Answer, Outcome};

use super::{files, process};
use crate::machine::hosts::{Kind, manager};
use crate::machine::process::{Body, Open, What};
use crate::machine::world::{Who, World};

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

pub(super) fn listen(world: &mut World, who: Who, port: u16) -> Outcome {
    let is_taken = world
        .container(who.container)
        .processes
        .values()
        .any(|process| process.open.values().any(|open| open.what == What::Listener(port)));
    if is_taken {
        return Err(Errno::ADDRINUSE);
    }
    let open = Open::new(What::Listener(port), true, false);
    Ok(Answer::Handle(Handle(process(world, who).insert(open))))
}

/// Nobody of this world connects to the gateways.
pub(super) fn accept(world: &World, who: Who, listener: Handle) -> Outcome {
    match files::opened(world, who, listener)?.what {
        What::Listener(_) => Err(Errno::AGAIN),
        _ => Err(Errno::INVAL),
    }
}

pub(super) fn connect(world: &mut World, who: Who, port: u16) -> Outcome {
    let serves = world.container(who.container).processes.values().any(|process| {
        process.is_alive() && matches!(&process.body, Body::User(program) if program.serves(port))
    });
    if !serves {
        return Err(Errno::CONNREFUSED);
    }
    let response = VecDeque::from(RESPONSE.to_vec());
    let open = Open::new(What::Connection(response), true, true);
    Ok(Answer::Handle(Handle(process(world, who).insert(open))))
}

/// systemd alone listens on a local socket here: for the word that a service is ready.
pub(super) fn connect_local(world: &mut World, who: Who, path: &Path) -> Outcome {
    let listens = manager::of(world, who.container).is_some_and(|it| it.kind == Kind::Systemd);
    if !listens || path != Path::new(manager::NOTIFY_SOCKET) {
        return Err(Errno::CONNREFUSED);
    }
    let open = Open::new(What::Notify, false, true);
    Ok(Answer::Handle(Handle(process(world, who).insert(open))))
}

pub(super) fn read(world: &mut World, who: Who, handle: Handle, max: usize) -> Outcome {
    let open = process(world, who).open.get_mut(&handle.0).ok_or(Errno::BADF)?;
    let What::Connection(rest) = &mut open.what else { return Err(Errno::BADF) };
    let count = rest.len().min(max);
    Ok(Answer::Bytes(rest.drain(..count).collect()))
}
