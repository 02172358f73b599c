//! Resident memory of one idle built-in gateway.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Measures and prints.
pub(crate) fn run() {
    let home = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(home.path().join("gateway.toml"), "port = 19449\n").expect("a file");
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_hermes"))
        .args(["gateway", "run", "--no-supervise"])
        .env_clear()
        .env("HERMES_HOME", home.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the gateway starts");
    let running = wait_until_running(&home.path().join("gateway_state.json"));
    let kib = running.then(|| resident_kib(gateway.id())).flatten();
    // Our own child, not yet waited for: its number is still its own.
    gateway.kill().expect("the gateway is ours");
    gateway.wait().expect("the gateway is ours");
    match kib {
        Some(kib) => println!("one idle built-in gateway: {:.2} MiB resident", kib as f64 / 1024.0),
        None => println!("one idle built-in gateway: it did not come up"),
    }
}

fn wait_until_running(state: &std::path::Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if std::fs::read_to_string(state).is_ok_and(|text| text.contains("\"running\"")) {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
