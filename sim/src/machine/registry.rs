//! What kind of host a machine is, and what its supervisor keeps beside files. Plain data.

use std::collections::{BTreeMap, BTreeSet};

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

/// What launchd and Task Scheduler keep beside the files of a home. How durable it is is not documented; here it is
/// durable at once.
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

    /// What a profile's gateway is called there.
    pub fn service_name(self, profile: &hermes::name::Profile) -> String {
        match self {
            Self::Systemd => format!("hermes-gateway-{profile}.service"),
            Self::Launchd => format!("hermes.gateway.{profile}"),
            Self::Windows => format!(r"\hermes\gateway-{profile}"),
        }
    }
}
