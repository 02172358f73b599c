//! The built-in gateway: `GET /health` and `GET /status` on 127.0.0.1.
//!
//! Never waits for a client: received and unsent bytes are kept between turns, each connection has a deadline, and if
//! too many are open the oldest is closed. Nothing here decides when to listen or to stop.

use std::time::Duration;

use serde_json::json;

use super::http::{self, Body, Page, Request};
use super::state_file::GatewayState;
use super::{Core, TurnContext};
use crate::error::{Errno, HostError};
use crate::host::effect::{Event, Handle, Interests};
use crate::host::fs::{self, File};
use crate::host::{Host, net, time};
use crate::record::json;

/// Limit of open connections; one more closes the oldest.
const CONNECTIONS_MAX: usize = 64;
/// Time limit for one request and its answer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Retry interval for a socket that takes no more just now, or a connection that cannot be accepted.
const RETRY: Duration = Duration::from_millis(50);

/// A listener and its connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Server {
    /// `None` once it stopped listening.
    listener: Option<File>,
    /// Accepting failed, and is not tried again before this time.
    accept_retry_at: Option<Duration>,
    connections: Vec<Connection>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Connection {
    file: File,
    until: Duration,
    exchange: Exchange,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Exchange {
    /// The received part of the request.
    Reading(Vec<u8>),
    /// The unsent part of the answer.
    Writing(Vec<u8>),
}

/// The state that `/health` and `/status` report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServeState {
    Open,
    Draining,
}

impl Server {
    pub(super) fn new(listener: File) -> Self {
        Self { listener: Some(listener), accept_retry_at: None, connections: Vec::new() }
    }

    /// It stopped listening, and every client has been served.
    pub(super) fn is_empty(&self) -> bool {
        self.listener.is_none() && self.connections.is_empty()
    }

    pub(super) async fn interests(&self, host: &impl Host) -> Result<Interests, HostError> {
        let hears = self.listener.as_ref().filter(|_| self.accept_retry_at.is_none());
        let reading = self.connections.iter().filter(|connection| connection.is_reading());
        let handles = reading.map(|connection| connection.file.handle);
        let retry = match self.connections.iter().all(Connection::is_reading) {
            true => None,
            false => Some(time::boot(host).await? + RETRY),
        };
        let deadlines = self.connections.iter().map(|connection| Some(connection.until));
        Ok(Interests {
            // Open connections come first: a flood of new connections must not cost them their turn, and then their
            // place.
            readable: handles.chain(hears.map(|listener| listener.handle)).collect(),
            child: None,
            until: time::earliest(deadlines.chain([self.accept_retry_at, retry])),
        })
    }

    fn remove_connection(&mut self, handle: Handle) -> Option<Connection> {
        let index =
            self.connections.iter().position(|connection| connection.file.handle == handle)?;
        Some(self.connections.remove(index))
    }
}

impl Connection {
    fn is_reading(&self) -> bool {
        matches!(self.exchange, Exchange::Reading(_))
    }
}

/// Handles one event, and every deadline that has passed.
pub(super) async fn handle_event<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &Core,
    server: &mut Server,
    serve_state: ServeState,
    event: Event,
    now: Duration,
) {
    if server.accept_retry_at.is_some_and(|until| now >= until) {
        server.accept_retry_at = None;
    }
    match (event, server.listener.clone()) {
        (Event::Readable(handle), Some(listener)) if handle == listener.handle => {
            accept(context, server, &listener, now).await;
        }
        (Event::Readable(handle), _) => {
            if let Some(connection) = server.remove_connection(handle) {
                let remaining = read_request(context, core, connection, serve_state).await;
                server.connections.extend(remaining);
            }
        }
        _ => {}
    }
    flush_and_expire(context, server, now).await;
}

async fn accept<H: Host>(
    context: &mut TurnContext<'_, H>,
    server: &mut Server,
    listener: &File,
    now: Duration,
) {
    match net::accept(context.host, listener).await {
        Ok(file) => {
            let exchange = Exchange::Reading(Vec::new());
            server.connections.push(Connection { file, until: now + CONNECTION_TIMEOUT, exchange });
            if server.connections.len() > CONNECTIONS_MAX {
                let oldest = server.connections.iter().min_by_key(|connection| connection.until);
                let oldest = oldest.map(|connection| connection.file.handle);
                if let Some(oldest) = oldest.and_then(|handle| server.remove_connection(handle)) {
                    close(context, oldest).await;
                }
            }
        }
        Err(error) if error.errno == Errno::AGAIN => {}
        // Probably out of descriptors: the listener stays readable, so we must ignore it for a while to avoid spinning.
        Err(_) => server.accept_retry_at = Some(now + RETRY),
    }
}

/// Reads what has arrived, answers a complete request, and returns the connection if it is still needed.
async fn read_request<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &Core,
    mut connection: Connection,
    serve_state: ServeState,
) -> Option<Connection> {
    let Exchange::Reading(got) = &mut connection.exchange else { return Some(connection) };
    match fs::read(context.host, &connection.file, http::REQUEST_BYTES_MAX).await {
        Ok(bytes) if !bytes.is_empty() => got.extend_from_slice(&bytes),
        Err(error) if error.errno == Errno::AGAIN => return Some(connection),
        Ok(_) | Err(_) => {
            close(context, connection).await;
            return None;
        }
    }
    let answer = match http::parse_request(got) {
        Request::Partial => return Some(connection),
        Request::Refused(code) => http::refusal(code),
        Request::Page(Page::Health, body) => health(context, serve_state, body),
        Request::Page(Page::Status, body) => status(context, core, serve_state, body).await,
    };
    connection.exchange = Exchange::Writing(answer);
    flush(context, connection).await
}

fn health<H: Host>(context: &TurnContext<'_, H>, serve_state: ServeState, body: Body) -> Vec<u8> {
    let profile = context.setup.profile.as_str();
    match serve_state {
        ServeState::Open => {
            http::render_answer(200, &json!({ "status": "ok", "profile": profile }), body)
        }
        ServeState::Draining => {
            http::render_answer(503, &json!({ "status": "draining", "profile": profile }), body)
        }
    }
}

async fn status<H: Host>(
    context: &TurnContext<'_, H>,
    core: &Core,
    serve_state: ServeState,
    body: Body,
) -> Vec<u8> {
    let path = context.setup.layout.state(&context.setup.profile);
    let reading = json::read(context.host, &path).await;
    let gateway_state = match serve_state {
        ServeState::Open => GatewayState::Running,
        ServeState::Draining => GatewayState::Draining,
    };
    let value = json!({
        "profile": context.setup.profile.as_str(),
        "gateway_state": gateway_state.as_str(),
        "pid": core.own_process.pid,
        "port": core.port,
        "started_at": reading.whole().and_then(|object| object.get("started_at")),
        "failures": core.tally.failures,
    });
    http::render_answer(200, &value, body)
}

/// Sends what the socket takes, and closes when everything is sent or the client is gone.
async fn flush<H: Host>(
    context: &mut TurnContext<'_, H>,
    mut connection: Connection,
) -> Option<Connection> {
    let Exchange::Writing(rest) = &mut connection.exchange else { return Some(connection) };
    match fs::write(context.host, &connection.file, rest).await {
        Ok(taken) => drop(rest.drain(..taken.min(rest.len()))),
        Err(error) if error.errno == Errno::AGAIN => {}
        Err(_) => rest.clear(),
    }
    if rest.is_empty() {
        close(context, connection).await;
        return None;
    }
    Some(connection)
}

async fn flush_and_expire<H: Host>(
    context: &mut TurnContext<'_, H>,
    server: &mut Server,
    now: Duration,
) {
    for connection in std::mem::take(&mut server.connections) {
        if now >= connection.until {
            close(context, connection).await;
        } else {
            server.connections.extend(flush(context, connection).await);
        }
    }
}

/// Stops listening. A client that has sent nothing yet is not waited for.
pub(super) async fn stop_listening<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &Core,
    server: &mut Server,
) {
    if let Some(listener) = server.listener.take() {
        let closed = fs::close(context.host, listener).await;
        context.record_failure(closed);
    }
    for connection in std::mem::take(&mut server.connections) {
        let remaining = read_request(context, core, connection, ServeState::Draining).await;
        if let Some(connection) = remaining {
            if connection.exchange == Exchange::Reading(Vec::new()) {
                close(context, connection).await;
            } else {
                server.connections.push(connection);
            }
        }
    }
}

/// Closes everything.
pub(super) async fn close_all<H: Host>(context: &mut TurnContext<'_, H>, server: Server) {
    for connection in server.connections {
        close(context, connection).await;
    }
}

async fn close<H: Host>(context: &mut TurnContext<'_, H>, connection: Connection) {
    if !connection.is_reading() {
        // Unread received data would make the kernel reset the connection, and the answer could be lost.
        drop(fs::read(context.host, &connection.file, 64 << 10).await);
    }
    // The handle is gone even if `close` fails, and the client notices by itself.
    drop(fs::close(context.host, connection.file).await);
}
