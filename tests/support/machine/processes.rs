//! The processes of a machine, seen and signalled from outside.

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::namespace::raw;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MachineProcess {
    /// As the machine counts.
    pub(crate) pid: u32,
    /// As the outside counts.
    outer: u32,
    namespace: std::path::PathBuf,
    /// Its command line.
    pub(crate) line: String,
}

impl MachineProcess {
    /// Sends it a signal; if it has ended meanwhile, no process gets it.
    pub(crate) fn signal(&self, signal: Signal) {
        let Ok(handle) = pidfd_open(raw(self.outer), PidfdFlags::empty()) else { return };
        // Checked after the handle is open: is it still a process of that machine?
        if namespace_of(self.outer).as_ref() == Some(&self.namespace) {
            // It may have ended meanwhile, and then it needs no signal.
            let _ = pidfd_send_signal(&handle, signal);
        }
    }

    /// Is it still alive?
    pub(crate) fn lives(&self) -> bool {
        read(self.outer).is_some_and(|now| now == *self)
    }
}

fn namespace_of(pid: u32) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// All processes of the namespace whose first process is `init`, except that one and zombies.
pub(super) fn of_namespace(init: u32) -> Vec<MachineProcess> {
    let Some(namespace) = namespace_of(init) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<MachineProcess> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&pid| pid != init && namespace_of(pid).as_ref() == Some(&namespace))
        .filter_map(read)
        .collect();
    found.sort();
    found
}

fn read(outer: u32) -> Option<MachineProcess> {
    let namespace = namespace_of(outer)?;
    let words = std::fs::read(format!("/proc/{outer}/cmdline")).ok()?;
    let line = String::from_utf8_lossy(&words).trim_end_matches('\0').replace('\0', " ");
    let status = std::fs::read_to_string(format!("/proc/{outer}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let pid = field("NSpid:")?.split_whitespace().last()?.parse().ok()?;
    let zombie = field("State:")?.trim_start().starts_with('Z');
    (!zombie).then_some(MachineProcess { pid, outer, namespace, line })
}
