//! The gate: before each effect of a test build somebody else decides. Only with the feature `gate`, and only where
//! `HERMES_TEST_GATE` names a Unix socket; the shipped program holds no trace of it.
//!
//! ```text
//!   Host::perform(effect) ──► Gated ──► { pid, argv, nth, effect } ──► whoever listens
//!                                │ ◄──────── go · errno N · die · die-after · nothing yet, and it waits
//!                                └──► the machine
//! ```
//!
//! One line of JSON a question, one line an answer. Once nobody listens any more, everything goes. A gate that cannot be
//! reached ends the process: a test must not pass because nobody was asked.

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

/// A build with the feature can be told by this text: `docker/build.sh`, `tests/tidy.rs` and the simulator look for it.
#[used]
static WITNESS: &str = "hermes: built with a gate";

/// Its descriptor is out of the way of those that programs are handed by number.
const DESCRIPTOR_MIN: i32 = 200;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateQuestion {
    /// Who asks, as its own PID namespace counts.
    pub pid: i32,
    /// Its words.
    pub argv: Vec<String>,
    /// Which of its effects this is, counted from 1.
    pub nth: u64,
    /// The effect; what a program would find in its environment is left out.
    pub effect: Effect,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateAnswer {
    /// It is performed.
    Go,
    /// It is not performed, and fails so.
    Errno(i32),
    /// The process is killed before it.
    Die,
    /// The process is killed right after it.
    DieAfter,
}

/// A machine with a gate before it, where the environment names one.
#[derive(Debug)]
pub struct Gated<H> {
    host: H,
    line: Option<RefCell<GateConnection>>,
}

impl<H: Host> Gated<H> {
    /// Reaches for the gate once.
    ///
    /// # Panics
    ///
    /// If a socket is named and nobody listens there.
    pub fn new(host: H, socket: Option<&OsStr>, argv: &[OsString]) -> Self {
        Self { host, line: socket.map(|socket| RefCell::new(GateConnection::open(socket, argv))) }
    }
}

impl<H: Host> Host for Gated<H> {
    async fn perform(&self, effect: Effect) -> Outcome {
        let word = self.line.as_ref().map_or(GateAnswer::Go, |line| line.borrow_mut().ask(&effect));
        match word {
            GateAnswer::Go => self.host.perform(effect).await,
            GateAnswer::Errno(number) => Err(Errno(number)),
            GateAnswer::Die => die(),
            GateAnswer::DieAfter => {
                let _ = self.host.perform(effect).await; // whatever came of it, nobody is told
                die()
            }
        }
    }
}

/// The socket that the environment names, or the container's: PID 1 and what it starts have nothing of that but the path.
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
            .expect("whoever names a gate listens there");
        let argv = argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
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
        serde_json::from_str(&answer).expect("whoever listens answers one of our words")
    }
}

/// Killed from inside; PID 1 is spared such a signal, and ends all the same.
#[expect(clippy::disallowed_methods, reason = "a process that is killed returns to nobody")]
fn die() -> ! {
    let _ = kill_process(getpid(), RawSignal::KILL); // nobody who lives sees the answer, but for PID 1
    std::process::exit(137)
}
