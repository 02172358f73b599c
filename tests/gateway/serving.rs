//! The built-in gateway answers on its port, whatever its clients do.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rstest::rstest;
use serde_json::Value;

use super::{GatewayHome, eventually};

#[test]
fn health_and_status_answer() {
    let home = GatewayHome::new("");
    let gateway = home.start_and_wait();
    let health = home.send_request("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n"), "{health}");
    assert!(health.contains("{\"status\":\"ok\",\"profile\":\"coder\"}"), "{health}");
    let answer = home.send_request("GET /status HTTP/1.1\r\nHost: x\r\n\r\n");
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    let status: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(status["gateway_state"], "running");
    assert_eq!(status["port"], home.port);
    assert_eq!(status["pid"], gateway.child.id());
    assert!(status["started_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{status}");
}

#[rstest]
#[case("GET /nothing HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ")]
#[case("POST /health HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405 ")]
#[case("nonsense\r\n\r\n", "HTTP/1.1 400 ")]
#[case("HEAD /health HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ")]
fn other_requests_are_refused_by_name(#[case] request: &str, #[case] beginning: &str) {
    let home = GatewayHome::new("");
    let _gateway = home.start_and_wait();
    let answer = home.send_request(request);
    assert!(answer.starts_with(beginning), "{answer}");
}

#[test]
fn slow_and_many_clients_keep_nobody_waiting() {
    let home = GatewayHome::new("");
    let _gateway = home.start_and_wait();
    let slow: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut one = TcpStream::connect(("127.0.0.1", home.port)).expect("it listens");
            one.write_all(b"GET /hea").expect("it goes");
            one
        })
        .collect();
    let health = home.send_request("GET /health HTTP/1.1\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    let mut youngest = &slow[99];
    youngest.write_all(b"lth HTTP/1.1\r\n\r\n").expect("it goes");
    let mut answer = String::new();
    youngest.read_to_string(&mut answer).expect("an answer comes");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_half_sent_request_is_finished_while_draining() {
    let home = GatewayHome::new("");
    let gateway = home.start_and_wait();
    let mut client = TcpStream::connect(("127.0.0.1", home.port)).expect("it listens");
    client.write_all(b"GET /health HT").expect("it goes");
    // An answer to a later request shows that the first bytes have been read.
    home.send_request("GET /health HTTP/1.1\r\n\r\n");
    gateway.signal(rustix::process::Signal::TERM);
    home.wait_for("draining");
    assert!(TcpStream::connect(("127.0.0.1", home.port)).is_err(), "the door is closed");
    client.write_all(b"TP/1.1\r\n\r\n").expect("it goes");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer comes");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(gateway.end().0, 143);
}

#[test]
fn a_taken_port_is_named_with_the_file_that_chooses_it() {
    let home = GatewayHome::new("");
    let _taken = std::net::TcpListener::bind(("127.0.0.1", home.port)).expect("free");
    let (code, notes) = home.start().end();
    assert_eq!((code, home.gateway_state().as_str()), (1, "startup_failed"));
    let state = home.state();
    let reason = state["exit_reason"].as_str().unwrap_or_default();
    let port = home.port;
    assert!(
        reason.starts_with(&format!(
            "failed to listen on `127.0.0.1:{port}`: address already in use"
        )) && reason.contains("gateway.toml"),
        "{reason}"
    );
    assert!(notes.contains(reason), "{notes}");
    assert_eq!(state["failures"], 1);
}

#[test]
fn readiness_is_told_by_one_newline_and_the_descriptor_is_closed() {
    let home = GatewayHome::new("");
    let gateway = home.start_and_wait();
    let mut told = Vec::new();
    eventually("its end, while the gateway runs", || {
        rustix::io::ioctl_fionbio(&gateway.notified, true).expect("a pipe");
        let mut bytes = [0; 8];
        match rustix::io::read(&gateway.notified, &mut bytes) {
            Ok(length) => told.extend_from_slice(&bytes[..length]),
            Err(_) => return false,
        }
        told.len() > 1 || rustix::io::read(&gateway.notified, &mut bytes) == Ok(0)
    });
    assert_eq!(told, b"\n");
}

#[test]
fn a_gateway_lives_on_without_its_diary_and_says_so_once() {
    let home = GatewayHome::new("");
    // A directory in the file's place, and one in the place where it would be put aside.
    for name in ["gateway_state.json", "gateway_state.json.damaged"] {
        std::fs::create_dir_all(home.path(name).join("full")).expect("a directory");
    }
    let gateway = home.start();
    eventually("health", || TcpStream::connect(("127.0.0.1", home.port)).is_ok());
    let health = home.send_request("GET /health HTTP/1.1\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    let (code, notes) = gateway.stop(&home);
    assert_eq!(code, 0);
    assert_eq!(notes.matches("goes on without writing its state").count(), 1, "{notes}");
}

#[test]
fn systemd_hears_that_the_gateway_is_ready_when_it_is_and_only_then() {
    let home = GatewayHome::new("command = ['./bot']\nready = 'fd'\n");
    home.script("bot", "test -z \"$NOTIFY_SOCKET\" || exit 3; while ! test -e go; do sleep 0.02; done; echo >&3; exec sleep 999");
    let socket = home.path("notify");
    let systemd = std::os::unix::net::UnixDatagram::bind(&socket).expect("a free path");
    systemd.set_nonblocking(true).expect("our own socket");
    let _gateway = home.start_with(&[("NOTIFY_SOCKET", socket.to_str().expect("UTF-8"))]);
    home.wait_for("starting");
    let mut buffer = [0; 64];
    assert!(systemd.recv(&mut buffer).is_err(), "nothing is ready yet");
    std::fs::write(home.path("go"), "").expect("a file");
    home.wait_for("running");
    eventually("the word", || systemd.recv(&mut buffer).is_ok_and(|n| &buffer[..n] == b"READY=1"));
}
