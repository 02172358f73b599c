//! The gate: an external controller decides about each effect of a test build. Only with the feature `gate`, and only
//! if `HERMES_TEST_GATE` names a Unix socket; the shipped program holds no trace of it.
//!
//! ```text
//!   Host::perform(effect) ──► Gated ──► { pid, argv, nth, effect } ──► the controller
//!                                │ ◄──────── go · errno N · die · die-after · nothing yet, and it waits
//!                                └──► the machine
//! ```
//!
//! One line of JSON a question, one line an answer. Once the controller is gone, every effect is performed. A gate that
//! cannot be reached ends the process: a test must not pass because no controller was asked.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Signal as RawSignal, getpid, kill_process};
use serde::{Deserialize, Serialize};

use crate::error::Errno;
use crate::host::{Effect, Host, Outcome};

/// The variable that names the socket.
pub const SOCKET: &str = "HERMES_TEST_GATE";

/// A build with the feature is recognised by this text: `docker/build.sh`, `tests/tidy.rs` and the simulator look for
/// it.
#[used]
static WITNESS: &str = "hermes: built with a gate";

/// Its descriptor number is above those that programs inherit by number.
const DESCRIPTOR_MIN: i32 = 200;

/// A question to the controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateQuestion {
    /// The asking process, numbered in its own PID namespace.
    pub pid: i32,
    /// Its command line.
    pub argv: Vec<String>,
    /// Which of its effects this is, counted from 1.
    pub nth: u64,
    /// The effect, without a program's environment.
    pub effect: Effect,
}

/// The controller's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateAnswer {
    /// It is performed.
    Go,
    /// It is not performed, and fails with this error.
    Errno(i32),
    /// The process is killed before it.
    Die,
    /// The process is killed right after it.
    DieAfter,
}

/// A machine behind a gate, if the environment names one.
#[derive(Debug)]
pub struct Gated<H> {
    host: H,
    line: Option<RefCell<GateConnection>>,
}

impl<H: Host> Gated<H> {
    /// Connects to the gate once.
    ///
    /// # Panics
    ///
    /// If a socket is named and no controller listens there.
    pub fn new(host: H, socket: Option<&OsStr>, argv: &[OsString]) -> Self {
        Self { host, line: socket.map(|socket| RefCell::new(GateConnection::open(socket, argv))) }
    }
}

impl<H: Host> Host for Gated<H> {
    async fn perform(&self, effect: Effect) -> Outcome {
        let answer =
            self.line.as_ref().map_or(GateAnswer::Go, |line| line.borrow_mut().ask(&effect));
        match answer {
            GateAnswer::Go => self.host.perform(effect).await,
            GateAnswer::Errno(number) => Err(Errno(number)),
            GateAnswer::Die => die(),
            GateAnswer::DieAfter => {
                let _ = self.host.perform(effect).await; // the process is killed next, so the outcome does not matter
                die()
            }
        }
    }
}

/// The socket that the environment names, or the container's: PID 1 and what it starts have nothing of that but the path.
#[expect(
    clippy::disallowed_methods,
    reason = "asked before there is a host, in a test build alone"
)]
pub fn socket(own: Option<&OsStr>) -> Option<OsString> {
    let kept = || {
        let text = std::fs::read(format!("/run/s6/container_environment/{SOCKET}")).ok()?;
        Some(OsString::from(String::from_utf8_lossy(&text).trim_end_matches('\n')))
    };
    own.map(OsStr::to_owned).or_else(kept)
}

#[derive(Debug)]
struct GateConnection {
    socket: BufReader<UnixStream>,
    pid: i32,
    argv: Vec<String>,
    asked: u64,
    is_over: bool,
}

impl GateConnection {
    fn open(path: &OsStr, argv: &[OsString]) -> Self {
        let socket = UnixStream::connect(path)
            .and_then(|it| Ok(UnixStream::from(fcntl_dupfd_cloexec(&it, DESCRIPTOR_MIN)?)))
            .expect("the controller listens on the socket it names");
        let argv = argv.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
        let pid = getpid().as_raw_nonzero().get();
        Self { socket: BufReader::new(socket), pid, argv, asked: 0, is_over: false }
    }

    fn ask(&mut self, effect: &Effect) -> GateAnswer {
        if self.is_over {
            return GateAnswer::Go;
        }
        self.asked += 1;
        let question = GateQuestion {
            pid: self.pid,
            argv: self.argv.clone(),
            nth: self.asked,
            effect: effect.clone(),
        };
        let mut line = serde_json::to_string(&question).expect("names in a test are UTF-8");
        line.push('\n');
        let mut answer = String::new();
        let asked = self.socket.get_ref().write_all(line.as_bytes());
        let heard = asked.and_then(|()| self.socket.read_line(&mut answer));
        self.is_over = !matches!(heard, Ok(length) if length > 0);
        if self.is_over {
            return GateAnswer::Go;
        }
        serde_json::from_str(&answer).expect("the controller sends an answer of the protocol")
    }
}

/// Kills this process from inside; PID 1 is immune to such a signal, so it exits.
#[expect(clippy::disallowed_methods, reason = "a killed process returns to no caller")]
fn die() -> ! {
    let _ = kill_process(getpid(), RawSignal::KILL); // it returns only in PID 1
    std::process::exit(137)
}
