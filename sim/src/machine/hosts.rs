//! The supervisors of hosts as small automata: a user's systemd, launchd, Windows' Task Scheduler. Only what the backends
//! use of them.
//!
//! ```text
//!   tools       systemctl, launchctl, schtasks: one step each; they leave orders
//!   manager     PID 1: begins, ends, and begins again what it was told; at its own pace
//!   definition  a unit, an agent or a task, as its manager reads it
//! ```
//!
//! On these machines PID 1 is the user's own supervisor, and the one user is `hermes`. systemd is one of 254 or later.
//! launchd and Task Scheduler are as their vendors' documentation has them: none was at hand to be compared with.

pub mod definition;
mod launchctl;
pub mod manager;
mod schtasks;
mod systemctl;
pub mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Whose machine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostKind {
    /// A user's systemd.
    Systemd,
    /// launchd, with a user at the screen.
    Launchd,
    /// Windows' Task Scheduler, with a user logged on.
    Windows,
}

/// What launchd and Task Scheduler keep beside the files of a home. Nobody says how durable that is; here it is at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostRegistry {
    /// Labels that launchd was told not to start.
    pub disabled: BTreeSet<String>,
    /// Tasks as XML, by name.
    pub tasks: BTreeMap<String, String>,
    /// How each task ended last, by name: its `Last Result`.
    pub results: BTreeMap<String, i64>,
}

impl HostKind {
    /// What its supervisor is called as a process.
    pub fn comm(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Launchd => "launchd",
            Self::Windows => "svchost",
        }
    }

    /// What only such a machine has: programs, and files by which it is known.
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

    /// What everybody there finds in the environment.
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

    /// What a profile's gateway is called there.
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

/// Where units or agents lie.
pub(crate) fn units_dir(kind: HostKind) -> std::path::PathBuf {
    Path::new(crate::machine::image::HOME).join(match kind {
        HostKind::Systemd => ".config/systemd/user",
        HostKind::Launchd => "Library/LaunchAgents",
        HostKind::Windows => "tasks are not files",
    })
}
