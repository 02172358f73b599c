//! `gateway_intent.json`: the intent (desired state): what the operator asked for last, with the caller and a sequence
//! number.
//!
//! Written only by commands, under the profile's lock, before they touch the supervisor. Older installs have no such
//! file: [`infer`] says what counts then.

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::json::{self, ReadWarning, Reading};
use super::state::{self, StateRecord};
use crate::error::HostError;
use crate::host::Host;
use crate::layout::Layout;
use crate::name::Profile;
use crate::record::file;

/// What an operator can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intent {
    /// The gateway shall run, now and after every boot.
    Running,
    /// The gateway shall not run until asked.
    Stopped,
}

impl Intent {
    /// The name in files, logs and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Intent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The caller: recorded, decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// User id.
    pub uid: u32,
    /// Process id of the command.
    pub pid: u32,
    /// The command as typed.
    pub argv: Vec<String>,
}

/// The intent file's contents.
#[derive(Clone, Debug, PartialEq)]
pub struct IntentRecord {
    /// The value in the file, whatever it is.
    pub value: String,
    /// The intent, if the value is one of ours.
    pub intent: Option<Intent>,
    /// When it was requested, as written.
    pub at: Option<String>,
    /// Counts the requests of this profile.
    pub sequence: u64,
    object: Map<String, Value>,
}

/// Reads the intent file.
pub async fn read(host: &impl Host, path: &Path) -> Reading<IntentRecord> {
    json::read(host, path).await.and_then(path, parse)
}

fn parse(object: Map<String, Value>) -> Result<IntentRecord, String> {
    let value = match object.get("intent") {
        Some(Value::String(value)) => value.clone(),
        Some(other) => format!("({})", json::type_name(other)),
        None => return Err("it has no key `intent`".to_owned()),
    };
    let intent = match value.as_str() {
        "running" => Some(Intent::Running),
        "stopped" => Some(Intent::Stopped),
        _ if planted!(UnknownIntentRuns) => Some(Intent::Running),
        _ => None,
    };
    let at = object.get("at").and_then(Value::as_str).map(str::to_owned);
    let sequence = object.get("sequence").and_then(Value::as_u64).unwrap_or(0);
    Ok(IntentRecord { value, intent, at, sequence, object })
}

/// Stores this as the intent in force, durably. Keys that others wrote stay; a damaged file is kept beside it as
/// `*.damaged`.
pub async fn store(
    host: &impl Host,
    path: &Path,
    intent: Intent,
    by: &Operator,
    at: &str,
) -> Result<(), HostError> {
    let read = json::read_to_change(host, path).await?.and_then(path, parse);
    let (mut object, sequence) = match read {
        Reading::Whole(record) => (record.object, record.sequence),
        Reading::Missing => (Map::new(), 0),
        Reading::Unusable(_) => {
            file::set_aside(host, path).await?;
            (Map::new(), 0)
        }
    };
    object.insert("schema".to_owned(), 1.into());
    object.insert("intent".to_owned(), intent.as_str().into());
    object.insert("at".to_owned(), at.into());
    object.insert("by".to_owned(), json!({ "uid": by.uid, "pid": by.pid, "argv": by.argv }));
    object.insert("sequence".to_owned(), sequence.saturating_add(1).into());
    json::write(host, path, &object).await
}

/// The intent as inferred from a profile's files, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InferredIntent {
    /// The value that decided, for the log: `running`, `none`, or any other text.
    pub value: String,
    /// The intent.
    pub intent: Intent,
    /// The file and key it came from.
    pub source: Source,
    /// True if the value is not one that we know.
    pub is_unknown: bool,
}

/// The source of the intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `gateway_intent.json`.
    Intent,
    /// `desired_state` in `gateway_state.json`, as newer upstream installs write it.
    DesiredState,
    /// `gateway_state` in `gateway_state.json`: the gateway's own final state.
    GatewayState,
    /// `HERMES_GATEWAY_BOOTSTRAP_STATE`, for a home that never ran.
    Bootstrap,
    /// Nowhere.
    Nothing,
}

impl Source {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::DesiredState => "desired_state",
            Self::GatewayState => "gateway_state",
            Self::Bootstrap => "bootstrap",
            Self::Nothing => "nothing",
        }
    }
}

/// The intent: the intent if it can be read, else what the state file says. Only `running` starts a gateway.
pub fn infer(
    record: &Reading<IntentRecord>,
    state: &Reading<StateRecord>,
    bootstrap: Option<Intent>,
) -> InferredIntent {
    if let Some(record) = record.whole().filter(|_| !planted!(StateBeatsIntent)) {
        return InferredIntent {
            value: record.value.clone(),
            intent: record.intent.unwrap_or(Intent::Stopped),
            source: Source::Intent,
            is_unknown: record.intent.is_none(),
        };
    }
    let states = state.whole().map(|state| (&state.desired_state, &state.gateway_state));
    match states {
        Some((Some(value), _)) => infer_from_state(value, Source::DesiredState),
        Some((None, Some(value))) => infer_from_state(value, Source::GatewayState),
        Some((None, None)) | None => InferredIntent {
            value: "none".to_owned(),
            intent: bootstrap.unwrap_or(Intent::Stopped),
            source: if bootstrap.is_some() { Source::Bootstrap } else { Source::Nothing },
            is_unknown: false,
        },
    }
}

fn infer_from_state(value: &str, source: Source) -> InferredIntent {
    let intent = match (value, source) {
        ("running", _) => Some(Intent::Running),
        ("stopped", _) => Some(Intent::Stopped),
        ("draining" | "degraded", Source::GatewayState) if !planted!(DrainingStaysDown) => {
            mark!("H38");
            Some(Intent::Running)
        }
        ("starting" | "startup_failed", _) if planted!(StartingRuns) => Some(Intent::Running),
        ("starting" | "startup_failed", Source::GatewayState) => {
            mark!("R10");
            Some(Intent::Stopped)
        }
        _ => None,
    };
    InferredIntent {
        value: value.to_owned(),
        intent: intent.unwrap_or(Intent::Stopped),
        source,
        is_unknown: intent.is_none(),
    }
}

/// All read warnings about the two files.
pub fn read_warnings(
    record: &Reading<IntentRecord>,
    state: &Reading<StateRecord>,
) -> Vec<ReadWarning> {
    record.warning().into_iter().chain(state.warning()).cloned().collect()
}

/// The intent in force, read now. `Err`: the file that decides could not be read, and may be whole.
pub async fn read_in_force(
    host: &impl Host,
    layout: &Layout,
    profile: &Profile,
) -> Result<InferredIntent, ReadWarning> {
    let record = read(host, &layout.intent(profile)).await;
    let state = state::read(host, &layout.state(profile)).await;
    match transient_warning(&record, &state) {
        Some(warning) => Err(warning.clone()),
        None => Ok(infer(&record, &state, None)),
    }
}

/// The file that decides, if it could not be read just now.
pub fn transient_warning<'a>(
    record: &'a Reading<IntentRecord>,
    state: &'a Reading<StateRecord>,
) -> Option<&'a ReadWarning> {
    let decides = match record {
        Reading::Missing => state.warning(),
        Reading::Whole(_) | Reading::Unusable(_) => record.warning(),
    };
    decides.filter(|warning| warning.is_transient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn record(text: &str) -> Reading<IntentRecord> {
        let object = serde_json::from_str(text).expect("JSON");
        Reading::Whole(object).and_then(Path::new("i"), parse)
    }

    fn state(text: &str) -> Reading<StateRecord> {
        let object = serde_json::from_str(text).expect("JSON");
        Reading::Whole(object).and_then(Path::new("s"), StateRecord::parse)
    }

    #[test]
    fn names_are_those_in_files_and_json() {
        assert_eq!(
            [Intent::Running, Intent::Stopped].map(|it| it.to_string()),
            ["running", "stopped"]
        );
        let sources = [
            Source::Intent,
            Source::DesiredState,
            Source::GatewayState,
            Source::Bootstrap,
            Source::Nothing,
        ];
        let names = ["intent", "desired_state", "gateway_state", "bootstrap", "nothing"];
        assert_eq!(sources.map(Source::as_str), names);
    }

    #[rstest]
    #[case(r#"{"intent":"running"}"#, Intent::Running, false)]
    #[case(r#"{"intent":"stopped"}"#, Intent::Stopped, false)]
    #[case(r#"{"intent":"RUNNING"}"#, Intent::Stopped, true)]
    #[case(r#"{"intent":"draining"}"#, Intent::Stopped, true)]
    #[case(r#"{"intent":["running"]}"#, Intent::Stopped, true)]
    fn a_readable_intent_decides(
        #[case] text: &str,
        #[case] intent: Intent,
        #[case] unknown: bool,
    ) {
        let running = state(r#"{"gateway_state":"running"}"#);
        let inferred = infer(&record(text), &running, None);
        assert_eq!(
            (inferred.intent, inferred.is_unknown, inferred.source),
            (intent, unknown, Source::Intent)
        );
    }

    #[rstest]
    #[case("running", Intent::Running, false)]
    #[case("draining", Intent::Running, false)]
    #[case("degraded", Intent::Running, false)]
    #[case("stopped", Intent::Stopped, false)]
    #[case("starting", Intent::Stopped, false)]
    #[case("startup_failed", Intent::Stopped, false)]
    #[case("Running", Intent::Stopped, true)]
    #[case("runing", Intent::Stopped, true)]
    fn without_an_intent_the_last_state_decides(
        #[case] value: &str,
        #[case] intent: Intent,
        #[case] unknown: bool,
    ) {
        let state = state(&format!(r#"{{"gateway_state":"{value}"}}"#));
        let inferred = infer(&Reading::Missing, &state, None);
        assert_eq!(
            (inferred.value.as_str(), inferred.intent, inferred.is_unknown),
            (value, intent, unknown)
        );
    }

    #[test]
    fn the_desired_state_outranks_the_last_state() {
        let state = state(r#"{"gateway_state":"running","desired_state":"stopped"}"#);
        let inferred = infer(&Reading::Missing, &state, Some(Intent::Running));
        assert_eq!((inferred.intent, inferred.source), (Intent::Stopped, Source::DesiredState));
    }

    #[test]
    fn the_bootstrap_state_counts_only_without_intent_and_state() {
        let fresh = infer(&Reading::Missing, &Reading::Missing, Some(Intent::Running));
        assert_eq!((fresh.intent, fresh.source), (Intent::Running, Source::Bootstrap));
        let inferred =
            infer(&record(r#"{"intent":"stopped"}"#), &Reading::Missing, Some(Intent::Running));
        assert_eq!(inferred.intent, Intent::Stopped);
    }
}
