//! What is there before the first boot: containers, profiles, files, and what programs do.
//!
//! Plain data; the machine is set up from it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::machine::registry::HostKind;

use super::values::{IntentSpec, Mode, ProfileName, SignalName, Span, User, as_text, is_default};

/// The machine before the first step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldSpec {
    /// Which s6 is installed.
    #[serde(skip_serializing_if = "is_default")]
    pub s6: S6Spec,
    /// Whose tree supervises the slots.
    #[serde(skip_serializing_if = "is_default")]
    pub tree: SupervisionTree,
    /// How many containers mount the one volume: `c1`, `c2`, …
    #[serde(skip_serializing_if = "is_one")]
    pub containers: u8,
    /// Added to the environment of every container.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// The umask that PID 1 is started with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<Mode>,
    /// `/run` is a tmpfs on which nothing can be executed, as `docker run --read-only --tmpfs /run` makes it.
    #[serde(skip_serializing_if = "is_default")]
    pub noexec_run: bool,
    /// The container's command; none means that the gateways are its work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The profiles on the volume; `default` is always there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<ProfileName, ProfileSpec>,
    /// Other files: absolute, or below the home.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, FileSpec>,
    /// Programs by absolute path, and what each does.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<String, ProgramSpec>,
}

impl Default for WorldSpec {
    fn default() -> Self {
        Self {
            s6: S6Spec::default(),
            tree: SupervisionTree::default(),
            containers: 1,
            environment: BTreeMap::new(),
            umask: None,
            noexec_run: false,
            command: Vec::new(),
            profiles: BTreeMap::new(),
            files: BTreeMap::new(),
            programs: BTreeMap::new(),
        }
    }
}

fn is_one(containers: &u8) -> bool {
    *containers == 1
}

/// A version of s6, named by the distribution that has it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum S6Spec {
    /// Debian bookworm.
    #[serde(rename = "2.11")]
    V2_11,
    /// Debian trixie.
    #[default]
    #[serde(rename = "2.13")]
    V2_13,
    /// Debian sid.
    #[serde(rename = "2.15")]
    V2_15,
}

/// Whose tree supervises the slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SupervisionTree {
    /// Our image: hermes' own s6-svscan below root's.
    #[default]
    Hermes,
    /// Another image: `/run/service` belongs to root's s6-svscan.
    Root,
    /// PID 1 is not s6-svscan.
    None,
    /// A host: its user's systemd.
    Systemd,
    /// A host: launchd.
    Launchd,
    /// A host: Windows' Task Scheduler.
    Windows,
}

impl SupervisionTree {
    /// The host's supervisor, if it is a host.
    pub fn host(self) -> Option<HostKind> {
        match self {
            Self::Hermes | Self::Root | Self::None => None,
            Self::Systemd => Some(HostKind::Systemd),
            Self::Launchd => Some(HostKind::Launchd),
            Self::Windows => Some(HostKind::Windows),
        }
    }
}

/// A profile on the volume: `SOUL.md`, and what is given here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileSpec {
    /// What `gateway_intent.json` says; none means no such file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<IntentSpec>,
    /// What `gateway_state.json` says as `gateway_state`; none means no such file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `gateway.toml`; none means the built-in gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Other files of the profile, by their path below its directory.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, FileSpec>,
}

/// A file, directory, link or FIFO.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawFileSpec", into = "RawFileSpec")]
pub struct FileSpec {
    /// What it is.
    pub content: FileContent,
    /// Its owner.
    pub owner: User,
    /// Its permission bits; none means 0644 for a file, 0755 for a directory or program, 0600 for a FIFO.
    pub mode: Option<Mode>,
}

/// The kind of a file, with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContent {
    /// A file of these bytes, in JSON as `text` where they are UTF-8, else as `hex`.
    File(Vec<u8>),
    /// A symbolic link.
    Link(String),
    /// Another name of the file at this address.
    HardLink(String),
    /// A directory.
    Dir,
    /// A directory with this number of directories below, each in the one above it, all named `d`.
    Nested(u16),
    /// A FIFO.
    Fifo,
    /// An executable that does this.
    Program(ProgramSpec),
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawFileSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(rename = "hard-link", skip_serializing_if = "Option::is_none")]
    hard_link: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    dir: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    nested: Option<u16>,
    #[serde(skip_serializing_if = "is_default")]
    fifo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<ProgramSpec>,
    #[serde(skip_serializing_if = "is_default")]
    owner: User,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
}

impl TryFrom<RawFileSpec> for FileSpec {
    type Error = String;

    fn try_from(raw: RawFileSpec) -> Result<Self, String> {
        let mut contents = Vec::new();
        contents.extend(raw.text.map(|text| FileContent::File(text.into_bytes())));
        if let Some(hex) = raw.hex {
            contents.push(FileContent::File(unhex(&hex)?));
        }
        contents.extend(raw.link.map(FileContent::Link));
        contents.extend(raw.hard_link.map(FileContent::HardLink));
        contents.extend(raw.dir.then_some(FileContent::Dir));
        contents.extend(raw.nested.map(FileContent::Nested));
        contents.extend(raw.fifo.then_some(FileContent::Fifo));
        contents.extend(raw.program.map(FileContent::Program));
        match (contents.pop(), contents.is_empty()) {
            (Some(content), true) => Ok(Self { content, owner: raw.owner, mode: raw.mode }),
            _ => Err(
                "a file has exactly one of text, hex, link, hard-link, dir, nested, fifo, program"
                    .to_owned(),
            ),
        }
    }
}

impl From<FileSpec> for RawFileSpec {
    fn from(node: FileSpec) -> Self {
        let mut raw = Self { owner: node.owner, mode: node.mode, ..Self::default() };
        match node.content {
            FileContent::File(bytes) => match String::from_utf8(bytes) {
                Ok(text) => raw.text = Some(text),
                Err(error) => raw.hex = Some(hex(error.as_bytes())),
            },
            FileContent::Link(target) => raw.link = Some(target),
            FileContent::HardLink(other) => raw.hard_link = Some(other),
            FileContent::Dir => raw.dir = true,
            FileContent::Nested(depth) => raw.nested = Some(depth),
            FileContent::Fifo => raw.fifo = true,
            FileContent::Program(program) => raw.program = Some(program),
        }
        raw
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => {
            let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).unwrap_or(u8::MAX);
            Ok(digits.chunks(2).map(byte).collect())
        }
        _ => Err(format!("{text:?} is not hex: two digits a byte")),
    }
}

/// What a program does, line by line. Without lines it sleeps, and signals have their default actions.
pub type ProgramSpec = Vec<BehaviourSpec>;

/// One line: an occasion, a delay, and an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BehaviourSpec {
    /// The signal that triggers it; none means the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<SignalName>,
    /// The delay.
    #[serde(default = "at_once", skip_serializing_if = "is_at_once")]
    pub after: Span,
    /// What it does.
    #[serde(rename = "do")]
    pub act: ActionSpec,
}

fn at_once() -> Span {
    Span::seconds(0)
}

fn is_at_once(span: &Span) -> bool {
    *span == at_once()
}

/// What a program can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ActionSpec {
    /// `ready-fd`: writes a newline to descriptor 3.
    ReadyFd,
    /// `serve`: answers `GET /health` with 200 on `HERMES_GATEWAY_PORT`.
    Serve,
    /// `ignore`: the signal does nothing. Only with `on`.
    Ignore,
    /// `exit N`: ends with this code.
    Exit(u8),
    /// `print TEXT`: one line on its standard output.
    Print(String),
    /// `fork`: leaves behind a child that sleeps, holds the standard output and ignores TERM.
    Fork,
}

as_text! { ActionSpec }

impl FromStr for ActionSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let odd = || {
            format!(
                "a program cannot {text:?}: ready-fd, serve, ignore, fork, exit N or print TEXT"
            )
        };
        match text.split_once(' ') {
            None if text == "ready-fd" => Ok(Self::ReadyFd),
            None if text == "serve" => Ok(Self::Serve),
            None if text == "ignore" => Ok(Self::Ignore),
            None if text == "fork" => Ok(Self::Fork),
            Some(("exit", code)) => code.parse().map(Self::Exit).map_err(|_| odd()),
            Some(("print", line)) => Ok(Self::Print(line.to_owned())),
            _ => Err(odd()),
        }
    }
}

impl fmt::Display for ActionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadyFd => f.write_str("ready-fd"),
            Self::Serve => f.write_str("serve"),
            Self::Ignore => f.write_str("ignore"),
            Self::Fork => f.write_str("fork"),
            Self::Exit(code) => write!(f, "exit {code}"),
            Self::Print(line) => write!(f, "print {line}"),
        }
    }
}
