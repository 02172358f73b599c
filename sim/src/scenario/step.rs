//! The steps of a scenario. The first key of a step says which kind it is.
//!
//! Plain data; nothing here executes a step.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::expect::Expect;
use super::values::{
    ClockShift, ContainerName, Mode, OneOrMany, ProfileName, SignalName, Span, User, as_text,
    is_default,
};
use super::world::FileSpec;

macro_rules! steps {
    ($($(#[$doc:meta])* $key:literal => $kind:ident($body:ident),)*) => {
        /// One step.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Step {
            $($(#[$doc])* $kind($body),)*
        }

        /// The first keys.
        const KEYS: &[&str] = &[$($key),*];

        impl Step {
            /// The first key, which says the kind of step.
            pub fn key(&self) -> &'static str {
                match self { $(Self::$kind(_) => $key,)* }
            }
        }

        impl<'de> Visitor<'de> for StepVisitor {
            type Value = Step;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a step")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Step, A::Error> {
                let first: Option<String> = map.next_key()?;
                match first.as_deref() {
                    $(Some($key) => {
                        let whole = MapAccessDeserializer::new(Prepend { first: Some($key), map });
                        $body::deserialize(whole).map(Step::$kind)
                    })*
                    other => Err(no_such_step(other)),
                }
            }
        }
    };
}

steps! {
    /// A container starts for the first time.
    "boot" => Boot(BootStep),
    /// A command, as a user types it.
    "run" => Run(RunStep),
    /// Steps that may interleave.
    "together" => Together(GroupStep),
    /// The container's runtime does something.
    "container" => Container(ContainerStep),
    /// The machine loses power: all containers end, and what was not synced is lost.
    "power" => Power(PowerStep),
    /// A user sends a signal.
    "signal" => Signal(SignalStep),
    /// A user runs s6's own tool, without hermes.
    "s6-svc" => S6Svc(SvcStep),
    /// A user runs the tool of the scan directory, without hermes.
    "s6-svscanctl" => S6Svscanctl(SvscanctlStep),
    /// A user ends a gateway with the host's own tool, without hermes.
    "host-stop" => HostStop(HostStopStep),
    /// A file is made or replaced.
    "write" => Write(WriteStep),
    /// A file, or a whole directory, is removed.
    "remove" => Remove(RemoveStep),
    /// A file or directory gets another name.
    "move" => Move(MoveStep),
    /// A directory is copied.
    "copy" => Copy(CopyStep),
    /// Permission bits change.
    "chmod" => Chmod(ChmodStep),
    /// A file gets another owner.
    "chown" => Chown(ChownStep),
    /// The condition of the volume changes.
    "disk" => Disk(DiskStep),
    /// The wall clock is set forward or back.
    "clock" => Clock(ClockStep),
    /// The machine sleeps: the wall clock goes on, the monotonic one does not.
    "suspend" => Suspend(SuspendStep),
    /// A given time passes.
    "pass" => Pass(PassStep),
    /// Time passes fairly until nothing moves, at most a given time.
    "settle" => Settle(SettleStep),
    /// A condition is true now, or becomes true in time.
    "expect" => Expect(ExpectStep),
}

fn no_such_step<E: de::Error>(key: Option<&str>) -> E {
    let known = KEYS.join(", ");
    match key {
        Some(key) => E::custom(format!("no such step `{key}`: its first key is one of {known}")),
        None => E::custom(format!("an empty step: its first key is one of {known}")),
    }
}

struct StepVisitor;

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StepVisitor)
    }
}

/// A map whose first key has been read already.
struct Prepend<A> {
    first: Option<&'static str>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Prepend<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(first) => seed.deserialize(first.into_deserializer()).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

macro_rules! step {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}

step! {
    /// A container starts for the first time.
    BootStep {
        /// Which.
        boot: ContainerName,
        /// Its command, if it is not the world's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<Vec<String>>,
    }
}

step! {
    /// A command, as a user types it.
    RunStep {
        /// The line; its first word is `hermes`.
        run: String,
        /// The name for faults and searches: a capital letter, then letters and digits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The user who runs it.
        #[serde(default, rename = "as", skip_serializing_if = "is_default")]
        user: User,
        /// Where.
        #[serde(default, rename = "in", skip_serializing_if = "is_default")]
        container: ContainerName,
        /// Added to its environment.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
        /// How it ends.
        #[serde(default, skip_serializing_if = "is_default")]
        expect: RunExpect,
    }
}

impl RunStep {
    /// The line's words. A word in single quotes may hold spaces; there is no other quoting.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (index, part) in self.run.split('\'').enumerate() {
            match index % 2 {
                0 => words.extend(part.split_ascii_whitespace().map(str::to_owned)),
                _ => words.push(part.to_owned()),
            }
        }
        words
    }
}

/// How a command ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunExpect {
    /// Its exit code is one of these; none means any.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub exit: OneOrMany<u8>,
    /// Each of these occurs on its standard output.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub stdout: OneOrMany<String>,
    /// Each of these occurs on its standard error.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub stderr: OneOrMany<String>,
    /// It ends within this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

step! {
    /// Steps that may interleave; the next step begins when all have ended.
    GroupStep {
        /// At least two, none of them `together`, `settle`, `pass` or `expect`.
        #[serde(rename = "together")]
        steps: Vec<Step>,
    }
}

step! {
    /// The container's runtime does something.
    ContainerStep {
        /// What.
        #[serde(rename = "container")]
        action: ContainerAction,
        /// In which container.
        #[serde(default, rename = "in", skip_serializing_if = "is_default")]
        container: ContainerName,
        /// From TERM to KILL, for `stop` and `restart`.
        #[serde(default = "docker_grace", skip_serializing_if = "is_docker_grace")]
        grace: Span,
        /// It is done within this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<Span>,
    }
}

fn docker_grace() -> Span {
    Span::seconds(10)
}

fn is_docker_grace(span: &Span) -> bool {
    *span == docker_grace()
}

/// What the container's runtime can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerAction {
    /// Starts a container that has ended.
    Start,
    /// TERM to PID 1, and KILL after the grace.
    Stop,
    /// Stop, then start.
    Restart,
    /// KILL at once.
    Kill,
    /// Removes it and makes a new one on the same volume.
    Recreate,
    /// Freezes all its processes.
    Pause,
    /// Lets them go on.
    Unpause,
}

step! {
    /// The machine loses power; after it every container has ended, and none starts by itself.
    PowerStep {
        /// What happens.
        power: PowerAction,
    }
}

/// What happens to the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerAction {
    /// It is lost, and comes back.
    Cut,
}

step! {
    /// A user sends a signal.
    SignalStep {
        /// Which.
        signal: SignalName,
        /// To which process.
        to: ProcessAddress,
        /// In which container.
        #[serde(default, rename = "in", skip_serializing_if = "is_default")]
        container: ContainerName,
    }
}

/// A process of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ProcessAddress {
    /// `gateway P`: the gateway itself.
    Gateway(ProfileName),
    /// `child P`: the command that the gateway runs.
    Child(ProfileName),
    /// `supervisor P`: the slot's s6-supervise.
    Supervisor(ProfileName),
    /// `logger P`: the slot's s6-log.
    Logger(ProfileName),
    /// `svscan`: the s6-svscan of the slots.
    Svscan,
    /// `main`: the container's command.
    Main,
    /// `init`: PID 1.
    Init,
}

as_text! { ProcessAddress }

impl FromStr for ProcessAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(' ') {
            None if text == "svscan" => Ok(Self::Svscan),
            None if text == "main" => Ok(Self::Main),
            None if text == "init" => Ok(Self::Init),
            Some(("gateway", profile)) => profile.parse().map(Self::Gateway),
            Some(("child", profile)) => profile.parse().map(Self::Child),
            Some(("supervisor", profile)) => profile.parse().map(Self::Supervisor),
            Some(("logger", profile)) => profile.parse().map(Self::Logger),
            _ => Err(format!(
                "{text:?} is no process: gateway P, child P, supervisor P, logger P, svscan, main or init"
            )),
        }
    }
}

impl fmt::Display for ProcessAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(profile) => write!(f, "gateway {profile}"),
            Self::Child(profile) => write!(f, "child {profile}"),
            Self::Supervisor(profile) => write!(f, "supervisor {profile}"),
            Self::Logger(profile) => write!(f, "logger {profile}"),
            Self::Svscan => f.write_str("svscan"),
            Self::Main => f.write_str("main"),
            Self::Init => f.write_str("init"),
        }
    }
}

mod kinds;

pub use kinds::{
    ChmodStep, ChownStep, ClockStep, CopyStep, DiskCondition, DiskStep, ExpectStep, HostStopStep,
    MoveStep, PassStep, RemoveStep, SettleStep, SuspendStep, SvcStep, SvscanctlStep, WriteStep,
};
