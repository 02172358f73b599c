//! The supervisors of hosts as small automata: a user's systemd, launchd, Windows' Task Scheduler. Only the parts that the
//! backends use.
//!
//! ```text
//!   tools       systemctl, launchctl, schtasks: one step each; they leave orders
//!   manager     PID 1: starts, ends and restarts services as it was ordered, at its own pace
//!   definition  a unit, an agent or a task, as its manager reads it
//! ```
//!
//! On these machines PID 1 is the user's own supervisor, and the only user is `hermes`. systemd is 254 or later.
//! launchd and Task Scheduler follow their vendors' documentation: no real one was available for a comparison.

pub mod definition;
mod finished;
mod launchctl;
pub mod manager;
mod schtasks;
mod systemctl;
pub mod tools;

use std::path::Path;

use crate::machine::image::HOME;
pub use crate::machine::registry::{HostKind, HostRegistry};

/// Is this task enabled?
pub(crate) fn is_enabled(task: &str) -> bool {
    schtasks::is_enabled(task)
}

/// The directory of units or agents.
pub(crate) fn units_dir(kind: HostKind) -> std::path::PathBuf {
    Path::new(HOME).join(match kind {
        HostKind::Systemd => ".config/systemd/user",
        HostKind::Launchd => "Library/LaunchAgents",
        HostKind::Windows => "tasks are not files",
    })
}
