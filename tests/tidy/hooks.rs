//! What test builds plant: the lists of it are whole, and a program as it is shipped has none of it.

use std::collections::BTreeSet;
use std::fs;

use super::{root, rust_files, shown};

/// What stands between `before` and `after` in the sources of the library, but for `src/probe`.
fn literals(before: &str, after: char) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in rust_files("src") {
        if shown(&path).starts_with("src/probe") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8");
        for (at, _) in text.match_indices(before) {
            found.extend(text[at + before.len()..].split(after).next().map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_mark_in_the_sources_is_listed_and_every_listed_one_is_there() {
    let listed: BTreeSet<String> = hermes::probe::MARKS.iter().map(ToString::to_string).collect();
    assert_eq!(literals("mark!(\"", '"'), listed);
    assert_eq!(listed.len(), hermes::probe::MARKS.len(), "listed twice");
}

/// The variants, read from the source: a build without the feature has none.
fn planted_bugs() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("src/probe/bug.rs")).expect("UTF-8");
    let names = text.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(','));
    names.filter(|name| name.chars().all(char::is_alphanumeric)).map(str::to_owned).collect()
}

#[test]
fn every_planted_bug_takes_out_a_protection_and_none_else_does() {
    assert!(planted_bugs().len() >= 36, "{:?}", planted_bugs());
    assert_eq!(literals("planted!(", ')'), planted_bugs());
}

#[test]
fn the_program_has_no_trace_of_planted_bugs() {
    let program = fs::read(env!("CARGO_BIN_EXE_hermes")).expect("the program that cargo built");
    let program = String::from_utf8_lossy(&program);
    let holds = |word: &str| program.contains(word);
    assert!(holds("gateway_intent.json"), "nothing can be found in it");
    assert!(!holds("built with planted bugs"), "built with the feature `planted`");
    // A build that names one names them all.
    let bug = planted_bugs().pop_first().expect("there are some");
    assert!(!holds(&bug), "the program names the planted bug {bug}");
}

#[test]
fn the_program_has_no_gate() {
    let program = fs::read(env!("CARGO_BIN_EXE_hermes")).expect("the program that cargo built");
    let program = String::from_utf8_lossy(&program);
    assert!(program.contains("HERMES_HOME"), "nothing can be found in it");
    // Both are in every build with the feature: the name that it asks the environment for, and the witness.
    let source = fs::read_to_string(root().join("src/host/os/gate.rs")).expect("UTF-8");
    for word in ["HERMES_TEST_GATE", "hermes: built with a gate"] {
        assert!(source.contains(&format!("\"{word}\"")), "the gate has no {word:?} any more");
        assert!(!program.contains(word), "built with the feature `gate`: it holds {word:?}");
    }
}
