//! Command lines without a supervisor: their exit codes, texts and JSON.

use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;

/// `hermes` with a home and nothing else in its environment.
fn hermes(home: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hermes"))
        .args(line.split_whitespace())
        .env_clear()
        .env("HERMES_HOME", home)
        .env("HERMES_SUPERVISOR", "none")
        .output()
        .expect("hermes runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[rstest]
#[case::done("profile list", 0)]
#[case::unsupervised("gateway start", 1)]
#[case::no_such_gateway("-p typo gateway status", 1)]
#[case::no_such_profile("profile show typo", 1)]
#[case::usage("gateway stop --all -p coder", 2)]
#[case::bad_name("-p Coder gateway stop", 2)]
#[case::unknown_word("gateway begin", 2)]
#[case::bad_duration("gateway stop --timeout soon", 2)]
#[case::unconfirmed("profile delete typo", 2)]
#[case::down("gateway status", 3)]
fn each_outcome_has_its_exit_code(#[case] line: &str, #[case] code: i32) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let output = hermes(home.path(), line);
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(!said.contains("panicked") && !said.contains("Error {"), "{said}");
    assert_eq!(matches!(code, 1 | 2), !said.is_empty(), "a failure says why: {said}");
}

#[rstest]
#[case("HERMES_HOME", "relative", "HERMES_HOME is \"relative\", which is not an absolute path")]
#[case("HERMES_SUPERVISOR", "runit", "HERMES_SUPERVISOR=\"runit\" is not one of s6, systemd")]
fn an_odd_variable_is_named(#[case] name: &str, #[case] value: &str, #[case] says: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_hermes"))
        .args(["profile", "list"])
        .env_clear()
        .env("HERMES_HOME", "/nonexistent")
        .env(name, value)
        .output()
        .expect("hermes runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(says), "{}", text(&output.stderr));
}

#[rstest]
#[case("profile create coder", &["profile", "outcome", "notes"])]
#[case("profile list", &["profiles"])]
#[case("profile show default", &["profile", "directory", "intent", "port", "command"])]
#[case("gateway status --all", &["manager", "gateways"])]
#[case("gateway list", &["manager", "gateways"])]
#[case("doctor", &["ok", "checks"])]
#[case("gateway start", &["error"])]
#[case("-p typo gateway status", &["error"])]
fn json_is_one_document_of_schema_1(#[case] line: &str, #[case] keys: &[&str]) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let output = hermes(home.path(), &format!("--json {line}"));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(document["schema"], 1);
    for key in keys {
        assert!(document.get(key).is_some(), "no `{key}` in {document}");
    }
}

#[test]
fn every_command_has_a_manual_page_that_man_can_read() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let output = hermes(dir.path(), &format!("man {}", dir.path().display()));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = std::fs::read_to_string(dir.path().join("hermes-gateway-start.1")).expect("a page");
    assert!(page.contains(".TH") && page.contains("\\-\\-timeout"), "{page}");
    assert!(!dir.path().join("hermes-boot-tree.1").exists(), "a hidden command has no page");
}

#[rstest]
#[case("bash")]
#[case("zsh")]
#[case("fish")]
fn completions_name_the_commands(#[case] shell: &str) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let output = hermes(home.path(), &format!("completions {shell}"));
    assert!(text(&output.stdout).contains("reconcile"));
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let script = format!("{} --help | true; exit ${{PIPESTATUS:-0}}", env!("CARGO_BIN_EXE_hermes"));
    let output =
        Command::new("bash").args(["-c", &script]).env("HERMES_HOME", home.path()).output();
    let output = output.expect("bash runs");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn a_full_disk_under_stdout_is_said() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let script = format!("{} profile list > /dev/full", env!("CARGO_BIN_EXE_hermes"));
    let output = Command::new("sh").args(["-c", &script]).env("HERMES_HOME", home.path()).output();
    let output = output.expect("sh runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no space left on device"), "{}", text(&output.stderr));
}

#[test]
fn a_gateway_in_the_foreground_is_seen_where_nobody_supervises() {
    let home = tempfile::tempdir().expect("a temporary directory");
    // Port 0 is refused by `gateway.toml`; a high one of its own keeps other tests away.
    std::fs::write(home.path().join("gateway.toml"), "port = 18311\n").expect("written");
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_hermes"))
        .args(["gateway", "run"])
        .env_clear()
        .env("HERMES_HOME", home.path())
        .env("HERMES_SUPERVISOR", "none")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("hermes runs");
    let mut said = String::new();
    let stderr = gateway.stderr.take().expect("piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stderr), &mut said).expect("a line");
    let output = hermes(home.path(), "gateway status");
    gateway.kill().expect("our own child");
    gateway.wait().expect("our own child");
    assert!(said.contains("running on port 18311"), "{said}");
    let printed = text(&output.stdout);
    assert!(
        printed.contains(&format!("up in the foreground (process {})", gateway.id())),
        "{printed}"
    );
    assert_eq!(output.status.code(), Some(0));
}
