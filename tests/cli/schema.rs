//! `gateway status --json` has one schema under every supervisor: the same keys with values of the same kinds, and
//! words of one list.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Map, Value};

/// The answers of each supervisor's tools for a service that is there and down.
const TOOLS: [(&str, &str, &str); 3] = [
    (
        "HERMES_SYSTEMD_BIN_DIR",
        "systemctl",
        r"case $* in
*--property=Version*) echo Version=252 ;;
*' show '*) printf 'LoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=disabled\nFragmentPath=/x\nMainPID=0\nExecMainCode=0\nExecMainStatus=0\nStateChangeTimestamp=\nJob=\n' ;;
esac",
    ),
    (
        "HERMES_LAUNCHD_BIN_DIR",
        "launchctl",
        r#"case $1 in
list) printf 'PID\tStatus\tLabel\n' ;;
print-disabled) echo '"hermes.gateway.default" => disabled' ;;
esac"#,
    ),
    (
        "HERMES_WINDOWS_BIN_DIR",
        "schtasks",
        r#"case $* in
*/Create*) cp "$5" "$HOME/task" ;;
*/XML*) cat "$HOME/task" ;;
*/V*) echo '"PC","\\hermes\\gateway-default","N/A","Ready","Interactive only","N/A","267011","N/A"' ;;
*) test ! -e "$HOME/task" || echo '"\\hermes\\gateway-default","N/A","Disabled"' ;;
esac"#,
    ),
];

/// The document, and its one gateway.
fn status(supervisor: &str) -> (Value, Map<String, Value>) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (_, tool, script) in TOOLS {
        let path = dir.path().join(tool);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    let hermes = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hermes"));
        command.args(words).env_clear().env("HOME", dir.path());
        command.env("HERMES_SUPERVISOR", supervisor);
        command.env("S6_PROFILE_GATEWAY_SCANDIR", dir.path().join("scan"));
        command.envs(TOOLS.map(|(variable, ..)| (variable, dir.path())));
        command.output().expect("hermes runs")
    };
    hermes(&["gateway", "install"]);
    let output = hermes(&["--json", "gateway", "status"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let gateways = document["gateways"].as_array().expect("a list").clone();
    assert_eq!(gateways.len(), 1, "{document}");
    (document.clone(), gateways[0].as_object().expect("an object").clone())
}

/// `null` is allowed for every kind.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn status_has_one_schema_under_every_supervisor() {
    let (_, expected) = status("none");
    let words = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md"))
        .expect("the schema's description");
    for supervisor in ["s6", "systemd", "launchd", "windows", "none"] {
        let (document, gateway) = status(supervisor);
        assert_eq!(document["schema"], 1);
        assert_eq!(document["manager"], supervisor);
        // If services are registered on request, the script has answered for a registered one.
        let presence = match supervisor {
            "s6" => "unregistered",
            "none" => "foreground",
            _ => "supervised",
        };
        assert_eq!(gateway["presence"], presence, "{supervisor}");
        let keys = |object: &Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&gateway), keys(&expected), "{supervisor}");
        for (key, value) in &gateway {
            let (kind, as_before) = (kind(value), kind(&expected[key]));
            let fits = kind == as_before || kind == "null" || as_before == "null";
            assert!(fits, "{supervisor}: {key} is {value}, a {kind} and no {as_before}");
            assert!(words.contains(&format!("`{key}`")), "docs/json.md does not know {key}");
        }
        for key in ["verdict", "intent", "presence", "want", "at_start", "fact"] {
            let word = gateway[key].as_str().expect("a word");
            assert!(words.contains(&format!("`{word}`")), "docs/json.md does not know {word}");
        }
    }
}
