//! `gateway_state.json`, the state file: the gateway's run-time state. Only the gateway of that profile writes it.
//!
//! Readers take it as hearsay: for the actual state they ask the supervisor and the kernel.

use std::path::Path;

use serde_json::{Map, Value};

use super::file;
use super::json::{self, Reading};
use crate::error::HostError;
use crate::host::Host;

/// What readers use of the file. Keys of others are kept by [`update`], not shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateRecord {
    /// The gateway state: `starting`, `running`, `draining`, `stopped`, `startup_failed`, or another's.
    pub gateway_state: Option<String>,
    /// The intent, as newer upstream installs record it.
    pub desired_state: Option<String>,
    /// Why it ended or could not start.
    pub exit_reason: Option<String>,
    /// When it was written, ISO-8601 UTC if by us; older writers put seconds.
    pub updated_at: Option<String>,
    /// Starts that failed one after the other.
    pub failures: u32,
    /// The second of the wall clock before which the gateway will not try again.
    pub retry_at: Option<u64>,
    /// The port of the built-in gateway, or the one handed to the command.
    pub port: Option<u16>,
}

impl StateRecord {
    /// Parses the keys; a known key of a wrong type makes the file unusable.
    pub fn parse(object: Map<String, Value>) -> Result<Self, String> {
        Ok(Self {
            gateway_state: text(&object, "gateway_state")?,
            desired_state: text(&object, "desired_state")?,
            exit_reason: text(&object, "exit_reason")?,
            updated_at: match object.get("updated_at") {
                Some(Value::String(text)) => Some(text.clone()),
                Some(Value::Number(seconds)) => Some(seconds.to_string()),
                _ => None,
            },
            failures: number(&object, "failures").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            retry_at: number(&object, "retry_at"),
            port: number(&object, "port").and_then(|n| u16::try_from(n).ok()),
        })
    }
}

fn text(object: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => {
            Err(format!("its `{key}` is a JSON {}, not a string", json::type_name(other)))
        }
    }
}

fn number(object: &Map<String, Value>, key: &str) -> Option<u64> {
    object.get(key).and_then(Value::as_u64)
}

/// Reads the state file.
pub async fn read(host: &impl Host, path: &Path) -> Reading<StateRecord> {
    json::read(host, path).await.and_then(path, StateRecord::parse)
}

/// Changes some keys; `Null` removes one. All others stay. An unreadable file is kept beside it as `*.damaged`.
pub async fn update(
    host: &impl Host,
    path: &Path,
    changes: impl IntoIterator<Item = (&'static str, Value)>,
) -> Result<(), HostError> {
    let mut object = match json::read_to_change(host, path).await? {
        Reading::Whole(_) if planted!(StateKeysLost) => Map::new(),
        Reading::Whole(object) => object,
        Reading::Missing => Map::new(),
        Reading::Unusable(_) => {
            file::set_aside(host, path).await?;
            Map::new()
        }
    };
    for (key, value) in changes {
        match value {
            Value::Null => drop(object.shift_remove(key)),
            value => drop(object.insert(key.to_owned(), value)),
        }
    }
    json::write(host, path, &object).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn parse(value: Value) -> Result<StateRecord, String> {
        let Value::Object(object) = value else { panic!("an object") };
        StateRecord::parse(object)
    }

    #[test]
    fn seconds_and_text_are_both_read_as_the_time_of_writing() {
        let seconds = parse(json!({ "updated_at": 17 })).expect("whole");
        let text = parse(json!({ "updated_at": "2026-01-01T00:00:00Z" })).expect("whole");
        assert_eq!(seconds.updated_at.as_deref(), Some("17"));
        assert_eq!(text.updated_at.as_deref(), Some("2026-01-01T00:00:00Z"));
    }

    #[rstest]
    #[case(json!({ "gateway_state": ["running"] }), "its `gateway_state` is a JSON array, not a string")]
    #[case(json!({ "desired_state": 1 }), "its `desired_state` is a JSON number, not a string")]
    fn a_key_of_a_wrong_type_makes_the_file_unusable(#[case] value: Value, #[case] reason: &str) {
        assert_eq!(parse(value), Err(reason.to_owned()));
    }
}
