//! The condition of an `expect` step. All parts hold at one instant; a part that is left out asks for nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::values::{ContainerName, IntentSpec, OneOrMany, ProfileName, Span, User, is_default};

/// A condition on the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// It becomes true within this time.
    #[serde(skip_serializing_if = "is_ten_seconds")]
    pub within: Span,
    /// It holds in every execution of a search, not only in those with no fault but the scenario's own.
    #[serde(skip_serializing_if = "is_default")]
    pub always: bool,
    /// The gateways of these profiles live, are ready, and their target state is up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub up: Vec<ProfileName>,
    /// These profiles have a slot, no live gateway, and the target state down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub down: Vec<ProfileName>,
    /// These profiles have slots, and no others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<Vec<ProfileName>>,
    /// Directories of these names have no slot, whether the name is legal or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_slot: Vec<String>,
    /// What `gateway_intent.json` says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub intent: BTreeMap<ProfileName, IntentSpec>,
    /// What `hermes -p P gateway status --json` says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub status: BTreeMap<ProfileName, StatusExpect>,
    /// How many gateways of a profile live, in all containers together.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gateways: BTreeMap<ProfileName, u8>,
    /// How many gateways of a profile were started since `c1` started.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub starts: BTreeMap<ProfileName, u8>,
    /// How many gateways of a profile were started since `c1` started, at most.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub starts_at_most: BTreeMap<ProfileName, u8>,
    /// How many s6-supervise of a profile's slot live, in all containers together.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub supervisors: BTreeMap<ProfileName, u8>,
    /// How many s6-log of a profile's slot live, in all containers together.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub loggers: BTreeMap<ProfileName, u8>,
    /// Each text occurs in the gateway's log.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub log_has: BTreeMap<ProfileName, OneOrMany<String>>,
    /// Each text occurs in `logs/container-boot.log`.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub boot_log_has: OneOrMany<String>,
    /// Each text occurs in what the container printed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub console_has: BTreeMap<ContainerName, OneOrMany<String>>,
    /// These containers run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<ContainerName>,
    /// These containers have ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<ContainerName>,
    /// Files by their address: absolute, or below the home.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub file: BTreeMap<String, FileExpect>,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            within: ten_seconds(),
            always: false,
            up: Vec::new(),
            down: Vec::new(),
            slots: None,
            no_slot: Vec::new(),
            intent: BTreeMap::new(),
            status: BTreeMap::new(),
            gateways: BTreeMap::new(),
            starts: BTreeMap::new(),
            starts_at_most: BTreeMap::new(),
            supervisors: BTreeMap::new(),
            loggers: BTreeMap::new(),
            log_has: BTreeMap::new(),
            boot_log_has: OneOrMany::default(),
            console_has: BTreeMap::new(),
            running: Vec::new(),
            ended: Vec::new(),
            file: BTreeMap::new(),
        }
    }
}

fn ten_seconds() -> Span {
    Span::seconds(10)
}

fn is_ten_seconds(span: &Span) -> bool {
    *span == ten_seconds()
}

/// What `status` says of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusExpect {
    /// In one word; up and down mean as intended. Exit codes 0, 3, 4.
    pub verdict: StatusVerdict,
    /// Each of these is among the drifts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drifts: Vec<Drift>,
}

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusVerdict {
    /// Up, as asked.
    Up,
    /// Down, as asked.
    Down,
    /// Not as asked.
    Drift,
}

/// One difference between a gateway and its intent: the words of `status --json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// No slot.
    Unregistered,
    /// A slot without a supervisor.
    Unsupervised,
    /// s6 was told to keep it down.
    WantedDown,
    /// s6 was told to keep it up.
    WantedUp,
    /// It ended and is started again.
    Down,
    /// It still runs.
    Up,
    /// It runs and is not ready.
    NotReady,
    /// It is not started again.
    FailedPermanently,
    /// The `down` file says the opposite of the intent.
    AtStart,
    /// A signal stopped it.
    Paused,
    /// Its logger takes nothing.
    LogStuck,
    /// A gateway lives outside its slot.
    Orphan,
}

/// What a file is like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileExpect {
    /// What it is; left out, a file.
    #[serde(skip_serializing_if = "is_default")]
    pub is: FileKindSpec,
    /// Each text occurs in it.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub has: OneOrMany<String>,
    /// None of these texts occurs in it.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub lacks: OneOrMany<String>,
    /// Its owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<User>,
}

/// The kind of file that a path leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKindSpec {
    /// A regular file.
    #[default]
    File,
    /// Nothing.
    Absent,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
}
