//! Sockets on the loopback address.

use hermes::error::Errno;
use hermes::host::effect::{Effect, Event, Interests};
use hermes::host::os::{OsHost, run_waiting};
use hermes::host::{Answer, Host};

use super::{assert_ended, bytes, close, eventually, handle, now, read, write};

/// A port without a listener, outside the kernel's ephemeral range.
fn free_port(host: &OsHost) -> u16 {
    let first = 10_000 + u16::try_from(std::process::id() % 20_000).expect("below 20000");
    let refused =
        |port: &u16| now(host, Effect::Connect { port: *port }) == Err(Errno::CONNREFUSED);
    (first..first + 1000).find(refused).expect("a free port")
}

#[test]
fn a_connection_carries_bytes_both_ways_and_never_blocks() {
    let host = OsHost::new();
    let port = free_port(&host);
    let listener = handle(now(&host, Effect::Listen { port }));
    assert_eq!(now(&host, Effect::Accept { listener }), Err(Errno::AGAIN));
    assert_eq!(now(&host, Effect::Listen { port }), Err(Errno::ADDRINUSE));
    let client = handle(now(&host, Effect::Connect { port }));
    let interests = Interests { readable: vec![client, listener], ..Interests::default() };
    let event = run_waiting(host.perform(Effect::Wait { interests }));
    assert_eq!(event, Ok(Answer::Event(Event::Readable(listener))));
    let server = handle(now(&host, Effect::Accept { listener }));
    assert_eq!(read(&host, server), Err(Errno::AGAIN));
    assert_eq!(read(&host, client), Err(Errno::AGAIN));
    assert_eq!(write(&host, client, b"ask"), Ok(Answer::Count(3)));
    assert_eq!(read(&host, server), bytes("ask"));
    assert_eq!(write(&host, server, b"answer"), Ok(Answer::Count(6)));
    assert_eq!(read(&host, client), bytes("answer"));
    close(&host, server);
    assert_ended(&host, client);
    // The closed connection lingers on the port; a new listener is accepted at once anyway.
    close(&host, listener);
    // A child of another test may hold the listener until its `execve`.
    eventually("the port is free", || now(&host, Effect::Listen { port }).is_ok());
}

#[test]
fn a_datagram_reaches_a_local_socket_by_its_path_and_by_its_abstract_name() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let (host, dir) = (OsHost::new(), tempfile::tempdir().expect("a temporary directory"));
    let path = dir.path().join("socket");
    let name = format!("hermes-test-{}", std::process::id());
    let abstract_name = SocketAddr::from_abstract_name(&name).expect("a short name");
    let by_path = UnixDatagram::bind(&path).expect("a free path");
    let by_name = UnixDatagram::bind_addr(&abstract_name).expect("a free name");
    for (receiver, path) in [(by_path, path), (by_name, format!("@{name}").into())] {
        let sender = handle(now(&host, Effect::ConnectLocal { path: path.clone() }));
        assert_eq!(write(&host, sender, b"READY=1"), Ok(Answer::Count(7)));
        close(&host, sender);
        let mut buffer = [0; 16];
        receiver.set_nonblocking(true).expect("our own socket");
        assert_eq!(receiver.recv(&mut buffer).expect("it is there"), 7);
        drop(receiver);
        let gone = now(&host, Effect::ConnectLocal { path });
        assert!(matches!(gone, Err(Errno::CONNREFUSED)), "{gone:?}");
    }
    let nowhere = Effect::ConnectLocal { path: dir.path().join("nowhere") };
    assert_eq!(now(&host, nowhere), Err(Errno::NOENT));
}
