//! Typed functions over the socket effects: 127.0.0.1, and datagrams to a local socket. One effect each.
//!
//! Reading, writing and closing a connection are those of any file: `fs::read`, `fs::write`, `fs::close`.

use std::path::{Path, PathBuf};

use super::Host;
use super::effect::{Answer, Effect};
use super::fs::{File, failed};
use crate::error::HostError;

fn port_path(port: u16) -> PathBuf {
    PathBuf::from(format!("127.0.0.1:{port}"))
}

/// Listens on a port of the loopback address.
pub async fn listen(host: &impl Host, port: u16) -> Result<File, HostError> {
    open(host, "listen on", port_path(port), Effect::Listen { port }).await
}

/// Takes the next connection; `EAGAIN` if there is none.
pub async fn accept(host: &impl Host, listener: &File) -> Result<File, HostError> {
    let effect = Effect::Accept { listener: listener.handle };
    open(host, "accept on", listener.path.clone(), effect).await
}

/// Connects to a port of the loopback address.
pub async fn connect(host: &impl Host, port: u16) -> Result<File, HostError> {
    open(host, "connect to", port_path(port), Effect::Connect { port }).await
}

/// Connects to a local datagram socket; `@name` is an abstract one. Each write is a datagram.
pub async fn connect_local(host: &impl Host, path: &Path) -> Result<File, HostError> {
    let effect = Effect::ConnectLocal { path: path.to_owned() };
    open(host, "connect to", path.to_owned(), effect).await
}

async fn open(
    host: &impl Host,
    act: &'static str,
    path: PathBuf,
    effect: Effect,
) -> Result<File, HostError> {
    match host.perform(effect).await {
        Ok(Answer::Handle(handle)) => Ok(File { handle, path }),
        other => Err(failed(act, Path::new(&path), other)),
    }
}
