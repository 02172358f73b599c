//! The processes of one PID namespace, observed and signalled from outside.

use std::path::PathBuf;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostProcess {
    /// The pid in its namespace.
    pub pid: u32,
    /// The pid on the host.
    pub host_pid: u32,
    /// The pid of its parent on the host.
    pub parent: u32,
    namespace: PathBuf,
    /// A signal stopped it.
    pub is_stopped: bool,
    /// Its arguments.
    pub argv: Vec<String>,
}

impl HostProcess {
    /// A process that was observed from inside its namespace; its pid on the host is unknown.
    pub(super) fn inside(pid: u32, parent: u32, is_stopped: bool, argv: Vec<String>) -> Self {
        Self { pid, host_pid: pid, parent, namespace: PathBuf::new(), is_stopped, argv }
    }

    /// Sends a signal. If the process has ended meanwhile, no other process gets the signal.
    pub fn signal(&self, signal: Signal) {
        let Some(pid) = signalable_pid(self.host_pid) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        // The handle is open; now check that it is still a process of that namespace.
        if namespace_of(self.host_pid).as_ref() == Some(&self.namespace) {
            // The process may have ended meanwhile; then it needs no signal.
            let _ = pidfd_send_signal(&handle, signal);
        }
    }

    /// Its command line.
    pub fn line(&self) -> String {
        self.argv.join(" ")
    }

    /// The last part of its program's path.
    pub fn program(&self) -> &str {
        let first = self.argv.first().map(String::as_str).unwrap_or_default();
        first.rsplit('/').next().unwrap_or_default()
    }
}

/// A pid that may be signalled: not 0, not PID 1, not negative.
pub fn signalable_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().filter(|&pid| pid > 1).and_then(Pid::from_raw)
}

fn namespace_of(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// All processes of the namespace whose first process is `init`, including `init`, without zombies.
pub fn list_namespace(init: u32) -> Vec<HostProcess> {
    let Some(namespace) = namespace_of(init) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<HostProcess> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&pid| namespace_of(pid).as_ref() == Some(&namespace))
        .filter_map(read)
        .collect();
    found.sort();
    found
}

fn read(host_pid: u32) -> Option<HostProcess> {
    let namespace = namespace_of(host_pid)?;
    let command_line = std::fs::read(format!("/proc/{host_pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&command_line);
    let argv = text.trim_end_matches('\0').split('\0').map(str::to_owned).collect();
    let status = std::fs::read_to_string(format!("/proc/{host_pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let pid = field("NSpid:")?.split_whitespace().last()?.parse().ok()?;
    let parent = field("PPid:")?.trim().parse().ok()?;
    let state = field("State:")?.trim_start();
    let is_stopped = state.starts_with('T');
    (!state.starts_with('Z')).then_some(HostProcess {
        pid,
        host_pid,
        parent,
        namespace,
        is_stopped,
        argv,
    })
}

/// The only child of a process, once it has one.
pub fn first_child(pid: u32) -> Result<u32, String> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let first = children.split_whitespace().next().ok_or(format!("process {pid} has no child"))?;
    first.parse().map_err(|error| format!("{first}: {error}"))
}
