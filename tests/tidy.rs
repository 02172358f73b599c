//! The house keeps its laws: floors, headers, sizes, no forgotten file. Reads the sources; runs nothing of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first. A file names its own module, and lower floors; on floors 1 to 3 also its neighbours.
const FLOORS: [(&str, u8); 17] = [
    ("error", 0),
    ("probe", 0),
    ("name", 1),
    ("layout", 1),
    ("port", 1),
    ("host", 2),
    ("record", 3),
    ("supervisor", 3),
    ("detect", 3),
    ("role", 3),
    ("backend", 4),
    ("ops", 5),
    ("gateway", 5),
    ("cli", 6),
    ("main", 7),
    ("lib", 7),
    ("hermes", 7),
];

/// On these floors neighbours do not know each other.
const SEPARATE: [u8; 2] = [4, 5];

const LINES_MAX: usize = 400;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(below: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join(below)];
    while let Some(dir) = dirs.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no sources below {below}");
    found
}

fn all_rust_files() -> Vec<PathBuf> {
    ["src", "tests", "sim"].into_iter().flat_map(rust_files).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").display().to_string()
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|&(_, floor)| floor)
}

/// The modules of the crate that a line of code names: `crate::X`, also inside `use crate::{X, Y}`.
fn named_modules(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => list.split(',').collect(),
            None => vec![rest],
        };
        named.extend(list.into_iter().map(|item| {
            item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
        }));
    }
    named.retain(|name| !name.is_empty());
    named
}

/// What is wrong with `module` naming `other`, if anything is.
fn breach(module: &str, other: &str) -> Option<String> {
    let own = floor(module).unwrap_or_else(|| panic!("module `{module}` has no floor"));
    if own == 7 || module == other {
        return None;
    }
    let Some(theirs) = floor(other) else { return Some(format!("`{other}` has no floor")) };
    if theirs > own {
        return Some(format!("`{module}` (floor {own}) names `{other}` (floor {theirs}): up"));
    }
    if theirs == own && SEPARATE.contains(&own) {
        return Some(format!("`{module}` names `{other}`: sideways on floor {own}"));
    }
    None
}

#[test]
fn a_file_names_only_its_own_and_lower_floors() {
    let mut breaches = Vec::new();
    for path in rust_files("src") {
        let name = shown(&path);
        let module = name["src/".len()..].split(['/', '.']).next().expect("a name").to_owned();
        let text = fs::read_to_string(&path).expect("UTF-8");
        for (number, line) in text.lines().enumerate() {
            for other in named_modules(line) {
                breaches.extend(
                    breach(&module, &other).map(|what| format!("{name}:{}: {what}", number + 1)),
                );
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn a_backend_does_not_know_another() {
    for path in rust_files("src/backend") {
        let name = shown(&path);
        let text = fs::read_to_string(&path).expect("UTF-8");
        if name == "src/backend/any.rs" {
            continue;
        }
        assert!(!text.contains("crate::backend"), "{name} names another backend");
    }
}

#[test]
fn the_checks_of_this_file_can_fail() {
    assert!(breach("host", "cli").is_some());
    assert!(breach("ops", "gateway").is_some());
    assert!(breach("record", "nowhere").is_some());
    assert_eq!(breach("cli", "ops"), None);
    assert_eq!(named_modules("use crate::{error, host::Host};"), ["error", "host"]);
    assert_eq!(named_modules("// crate::cli is above"), Vec::<String>::new());
}

#[test]
fn every_file_begins_with_what_it_does() {
    for path in all_rust_files() {
        let text = fs::read_to_string(&path).expect("UTF-8");
        assert!(text.starts_with("//! "), "{} has no `//!` header", shown(&path));
    }
}

#[test]
fn no_file_is_longer_than_it_may_be() {
    let long: Vec<String> = all_rust_files()
        .iter()
        .map(|path| (path, fs::read_to_string(path).expect("UTF-8").lines().count()))
        .filter(|&(_, lines)| lines > LINES_MAX)
        .map(|(path, lines)| format!("{}: {lines} lines", shown(path)))
        .collect();
    assert!(long.is_empty(), "split by duty:\n{}", long.join("\n"));
}

/// Files that a crate root reaches through `mod`, following `foo.rs` → `foo/` and inline `mod x { mod y; }`.
fn reached(file: &Path, dir: &Path, into: &mut BTreeSet<PathBuf>) {
    into.insert(file.to_owned());
    let text = fs::read_to_string(file).expect("UTF-8");
    let mut inside: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = line.trim().trim_start_matches("pub ").trim_start_matches("pub(super) ");
        let line = line.trim_start_matches("pub(crate) ");
        if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            let path = inside.iter().fold(dir.to_owned(), |dir, part| dir.join(part)).join(name);
            let source = path.with_extension("rs");
            if source.is_file() {
                reached(&source, &path, into);
            }
        } else if let Some(name) =
            line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {"))
        {
            inside.push(name.to_owned());
        } else if line == "}" {
            inside.pop();
        }
    }
}

#[test]
fn no_file_is_forgotten() {
    let crates = [
        ("src/lib.rs", "src"),
        ("tests/main.rs", "tests"),
        ("sim/src/lib.rs", "sim/src"),
        ("sim/tests/main.rs", "sim/tests"),
    ];
    for (crate_root, below) in crates {
        let mut found = BTreeSet::new();
        reached(&root().join(crate_root), &root().join(below), &mut found);
        reached(&root().join("sim/src/main.rs"), &root().join("sim/src"), &mut found);
        found.insert(root().join("src/main.rs"));
        for path in rust_files(below) {
            assert!(found.contains(&path), "{} is in no module: nothing builds it", shown(&path));
        }
    }
}

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
