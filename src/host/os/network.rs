//! Sockets on 127.0.0.1, and on no other address; datagrams to a local socket. For `OsHost::perform` only.
//!
//! Every socket is close-on-exec and non-blocking: what is not there yet is `EAGAIN`.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::io::ioctl_fionbio;
use rustix::net::sockopt::{Timeout, set_socket_reuseaddr, set_socket_timeout};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, socket_with,
};

use super::table::Table;
use crate::error::Errno;
use crate::host::effect::Handle;
use crate::host::{Answer, Outcome};

/// How many connections the kernel keeps for us until we accept them.
const BACKLOG: i32 = 128;

/// No local listener takes this long unless its backlog is full, and then the kernel would try for minutes.
const CONNECT_LONGEST: Duration = Duration::from_secs(5);

pub(super) fn listen(table: &mut Table, port: u16) -> Outcome {
    let socket = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    // A gateway that comes back must not wait for its old connections to time out.
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &loopback(port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(Answer::Handle(table.insert(socket)?))
}

pub(super) fn accept(table: &mut Table, listener: Handle) -> Outcome {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let connection = accept_with(table.get(listener)?, flags)?;
    Ok(Answer::Handle(table.insert(connection)?))
}

pub(super) fn connect(table: &mut Table, port: u16) -> Outcome {
    let socket = socket(SocketFlags::CLOEXEC)?;
    set_socket_timeout(&socket, Timeout::Send, Some(CONNECT_LONGEST))?;
    match rustix::net::connect(&socket, &loopback(port)) {
        // This is how a connect reports that its send timeout passed (socket(7)).
        Err(rustix::io::Errno::INPROGRESS) => return Err(Errno::TIMEDOUT),
        result => result?,
    }
    ioctl_fionbio(&socket, true)?;
    Ok(Answer::Handle(table.insert(socket)?))
}

/// Never waits: a receiver whose queue is full is `EAGAIN` at the write.
pub(super) fn connect_local(table: &mut Table, path: &Path) -> Outcome {
    let address = match path.as_os_str().as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddrUnix::new_abstract_name(name)?,
        None => SocketAddrUnix::new(path)?,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    Ok(Answer::Handle(table.insert(socket)?))
}

fn socket(flags: SocketFlags) -> Result<OwnedFd, Errno> {
    Ok(socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}

fn loopback(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}
