//! Gateways as real processes: this test binary, started again as `gateway::process`, drives the library's turns.
//!
//! Each gateway has a home and a process of its own, so signals reach no other process and tests may run side by side.

mod backoff;
mod command;
mod faults;
mod group;
mod ownership;
mod serving;
mod stopping;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hermes::gateway::{self, Next, Setup};
use hermes::host::effect::Stream;
use hermes::host::os::{OsHost, run_ready, run_waiting};
use hermes::host::{Host, proc};
use hermes::layout::Layout;
use hermes::name::Profile;
use hermes::record::identity;
use hermes::record::marker::{self, Marker, StopPlan};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// Time limit for what should take almost no time.
const SOON: Duration = Duration::from_secs(10);

/// A home with one profile, `coder`.
struct GatewayHome {
    dir: TempDir,
    layout: Layout,
    profile: Profile,
    port: u16,
}

impl GatewayHome {
    /// With a free port and more lines for `gateway.toml`.
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a home");
        let layout = Layout::from_home(dir.path());
        let profile = Profile::parse("coder").expect("legal");
        std::fs::create_dir_all(layout.profile(&profile)).expect("a profile");
        let home = Self { dir, layout, profile, port: free_port() };
        home.configure(&format!("port = {}\n{config}", home.port));
        home
    }

    fn configure(&self, text: &str) {
        std::fs::write(self.layout.config(&self.profile), text).expect("gateway.toml");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.layout.profile(&self.profile).join(name)
    }

    /// A script of that name in the profile's directory; `command = ["./name"]` runs it.
    fn script(&self, name: &str, body: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    fn state(&self) -> Value {
        let text = std::fs::read_to_string(self.layout.state(&self.profile)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    fn gateway_state(&self) -> String {
        self.state()["gateway_state"].as_str().unwrap_or_default().to_owned()
    }

    fn write_intent(&self, sequence: u64) {
        let text = format!("{{\"intent\":\"running\",\"sequence\":{sequence}}}");
        std::fs::write(self.layout.intent(&self.profile), text).expect("the intent");
    }

    fn start(&self) -> GatewayProcess {
        self.start_with(&[])
    }

    fn start_supervised(&self) -> GatewayProcess {
        self.start_with(&[("HERMES_S6_SUPERVISED_CHILD", "1")])
    }

    fn start_with(&self, env: &[(&str, &str)]) -> GatewayProcess {
        let flags = rustix::pipe::PipeFlags::CLOEXEC;
        let (notified, notify) = rustix::pipe::pipe_with(flags).expect("a pipe");
        let ourselves = std::env::current_exe().expect("the test binary");
        let child = Command::new("/bin/sh")
            .args(["-c", "exec 5>&0 </dev/null; exec \"$0\" \"$@\""])
            .arg(ourselves)
            .args(["--exact", "gateway::process", "--ignored", "--nocapture", "--test-threads=1"])
            .envs(env.iter().copied())
            .env("HERMES_HOME", self.dir.path())
            .stdin(notify)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the test binary starts");
        let stderr = child.stderr.as_ref().expect("a pipe");
        rustix::io::ioctl_fionbio(stderr, true).expect("a pipe");
        GatewayProcess { child, notified, printed: Vec::new() }
    }

    fn start_and_wait(&self) -> GatewayProcess {
        let gateway = self.start();
        self.wait_for("running");
        gateway
    }

    fn wait_for(&self, word: &str) {
        eventually(&format!("the state {word}"), || self.gateway_state() == word);
    }

    /// Writes a marker that names the gateway, as `stop` and `restart` do.
    fn write_marker(&self, gateway: &GatewayProcess, plan: StopPlan) {
        self.write_marker_for_pid(gateway.child.id(), plan);
    }

    fn write_marker_for_pid(&self, pid: u32, plan: StopPlan) {
        let host = OsHost::new();
        run_ready(async {
            let boot = identity::current_boot(&host).await.expect("a boot");
            let target =
                identity::find_process(&host, &boot, pid).await.expect("/proc").expect("alive");
            let path = self.layout.marker(&self.profile);
            marker::write(&host, &path, &Marker { target, plan }, 1, "now")
                .await
                .expect("a marker");
        });
    }

    /// One request to the gateway's port, and the whole answer.
    fn send_request(&self, request: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        connection.set_read_timeout(Some(SOON)).expect("a timeout");
        connection.write_all(request.as_bytes()).expect("the request goes");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer comes");
        answer
    }
}

/// A running gateway; killed when the test is over.
struct GatewayProcess {
    child: Child,
    notified: std::os::fd::OwnedFd,
    printed: Vec<u8>,
}

impl GatewayProcess {
    fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it is alive");
    }

    /// Its exit code (128 + n for a signal) and its notes.
    fn end(mut self) -> (i32, String) {
        use std::os::unix::process::ExitStatusExt as _;
        let mut status = None;
        eventually("its end", || {
            status = self.child.try_wait().expect("our child");
            status.is_some()
        });
        let status = status.expect("it ended");
        (status.code().unwrap_or(128 + status.signal().unwrap_or(0)), self.notes())
    }

    /// Its notes so far.
    fn notes(&mut self) -> String {
        let stderr = self.child.stderr.as_mut().expect("a pipe");
        // A test's grandchild may hold the stream open: the received lines are enough.
        drop(stderr.read_to_end(&mut self.printed));
        String::from_utf8_lossy(&self.printed).into_owned()
    }

    fn wait_for_note(&mut self, words: &str) {
        eventually(&format!("the note `{words}`"), || self.notes().contains(words));
    }

    fn stop(self, home: &GatewayHome) -> (i32, String) {
        home.write_marker(&self, StopPlan::Stop);
        self.signal(Signal::TERM);
        self.end()
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The gateway process itself. Not a test: the others start it.
#[test]
#[ignore = "the program that the other tests start"]
fn process() {
    let Some(home) = std::env::var_os("HERMES_HOME") else { return };
    let env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    let setup = Setup {
        layout: Layout::from_home(Path::new(&home)),
        profile: Profile::parse("coder").expect("legal"),
        pid: std::process::id(),
        notify: Some(5),
        supervised: env.contains_key(std::ffi::OsStr::new("HERMES_S6_SUPERVISED_CHILD")),
        env,
    };
    std::process::exit(run_waiting(drive(&OsHost::new(), &setup)).into());
}

async fn drive(host: &impl Host, setup: &Setup) -> u8 {
    let mut turn = gateway::begin(host, setup).await;
    loop {
        for note in &turn.notes {
            let line = format!("{note}\n");
            proc::print(host, Stream::Err, line.as_bytes(), None).await.expect("stderr takes it");
        }
        match turn.next {
            Next::Exit(code) => return code,
            Next::Continue(state) => turn = gateway::turn(host, setup, *state).await,
        }
    }
}

/// A free port that no process gets by chance while the gateway is down: below the kernel's ephemeral range, and none
/// twice in this process.
fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id()
            .wrapping_mul(997)
            .wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + u16::try_from(number % 12_000).expect("below 12 000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Polls until the condition holds; the panic names the unmet condition.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A number that a script wrote into a file, once it did.
fn number_in(path: &Path) -> i32 {
    let mut number = None;
    eventually("a number in the file", || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        number = text.strip_suffix('\n').and_then(|line| line.parse().ok());
        number.is_some()
    });
    number.expect("it came")
}

/// Is a process with this number there and not a zombie?
fn is_alive(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat.iter().rposition(|&byte| byte == b')').and_then(|end| stat.get(end + 2));
        state != Some(&b'Z') && state != Some(&b'X')
    })
}
