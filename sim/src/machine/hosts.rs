//! The supervisors of hosts as small automata: a user's systemd, launchd, Windows' Task Scheduler. Only the parts that the
//! backends use.
//!
//! ```text
//!   tools       systemctl, launchctl, schtasks: one step each; they leave orders for the manager
//!   manager     PID 1: starts, ends and restarts services as ordered; at its own pace
//!   definition  a unit, an agent or a task, as its manager parses it
//! ```
//!
//! On these machines PID 1 is the user's own supervisor, and the only user is `hermes`. systemd is 254 or later.
//! launchd and Task Scheduler follow their vendors' documentation: no real one was available for a comparison.

pub mod definition;
mod launchctl;
pub mod manager;
mod schtasks;
mod systemctl;
pub mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The kind of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostKind {
    /// A user's systemd.
    Systemd,
    /// launchd, with a logged-in user.
    Launchd,
    /// Windows' Task Scheduler, with a user logged on.
    Windows,
}

/// The state of launchd and Task Scheduler outside the files of a home. Its durability is undocumented; here it is durable at
/// once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostRegistry {
    /// Labels that launchd must not start.
    pub disabled: BTreeSet<String>,
    /// Tasks as XML, by name.
    pub tasks: BTreeMap<String, String>,
    /// The last result of each task, by name: its `Last Result`.
    pub results: BTreeMap<String, i64>,
}

impl HostKind {
    /// The process name of its supervisor.
    pub fn comm(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Launchd => "launchd",
            Self::Windows => "svchost",
        }
    }

    /// Files that only such a machine has: programs, and files that identify it.
    pub fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Systemd => &[
                ("/usr/bin/systemctl", "sim:systemctl"),
                ("/usr/bin/loginctl", "sim:loginctl"),
                ("/run/systemd/system/.keep", ""),
            ],
            Self::Launchd => {
                &[("/bin/launchctl", "sim:launchctl"), ("/sbin/launchd", "sim:launchd")]
            }
            Self::Windows => &[("/Windows/System32/schtasks.exe", "sim:schtasks")],
        }
    }

    /// The environment of every process there.
    pub fn env(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Systemd | Self::Launchd => {
                &[("HOME", crate::machine::image::HOME), ("PATH", "/usr/bin:/bin")]
            }
            Self::Windows => &[
                ("HOME", crate::machine::image::HOME),
                ("PATH", "/usr/bin:/bin"),
                ("OS", "Windows_NT"),
                ("SystemRoot", "/Windows"),
                ("USERDOMAIN", "PC"),
                ("USERNAME", "hermes"),
            ],
        }
    }

    /// The name of a profile's gateway there.
    pub fn service_name(self, profile: &hermes::name::Profile) -> String {
        match self {
            Self::Systemd => format!("hermes-gateway-{profile}.service"),
            Self::Launchd => format!("hermes.gateway.{profile}"),
            Self::Windows => format!(r"\hermes\gateway-{profile}"),
        }
    }
}

/// Is this task enabled?
pub(crate) fn is_enabled(task: &str) -> bool {
    schtasks::is_enabled(task)
}

/// The directory of units or agents.
pub(crate) fn units_dir(kind: HostKind) -> std::path::PathBuf {
    Path::new(crate::machine::image::HOME).join(match kind {
        HostKind::Systemd => ".config/systemd/user",
        HostKind::Launchd => "Library/LaunchAgents",
        HostKind::Windows => "tasks are not files",
    })
}
