//! Files: each has a header, none is too long, none is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{all_rust_files, root, rust_files, shown};

const LINES_MAX: usize = 400;

fn has_header(text: &str) -> bool {
    text.starts_with("//! ")
}

fn is_too_long(text: &str) -> bool {
    text.lines().count() > LINES_MAX
}

#[test]
fn every_file_begins_with_what_it_does() {
    for path in all_rust_files() {
        let text = fs::read_to_string(&path).expect("UTF-8");
        assert!(has_header(&text), "{} has no `//!` header", shown(&path));
    }
}

#[test]
fn no_file_is_longer_than_it_may_be() {
    let long: Vec<String> = all_rust_files()
        .iter()
        .map(|path| (path, fs::read_to_string(path).expect("UTF-8")))
        .filter(|(_, text)| is_too_long(text))
        .map(|(path, text)| format!("{}: {} lines", shown(path), text.lines().count()))
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

/// The files of a folder that none of its crate roots reaches.
fn forgotten(dir: &Path, crate_roots: &[&str], files: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    for crate_root in crate_roots.iter().map(|name| dir.join(name)).filter(|path| path.is_file()) {
        reached(&crate_root, dir, &mut found);
    }
    files.into_iter().filter(|path| !found.contains(path)).collect()
}

#[test]
fn no_file_is_forgotten() {
    for (below, crate_roots) in [
        ("src", &["lib.rs", "main.rs"][..]),
        ("sim/src", &["lib.rs", "main.rs"]),
        ("tests", &["main.rs"]),
        ("sim/tests", &["main.rs"]),
    ] {
        let dir = root().join(below);
        // The simulator's tests may still be one binary a file, which cargo finds by itself.
        if below == "sim/tests" && !dir.join("main.rs").is_file() {
            continue;
        }
        let forgotten: Vec<String> =
            forgotten(&dir, crate_roots, rust_files(below)).iter().map(|it| shown(it)).collect();
        assert!(forgotten.is_empty(), "in no module, nothing builds:\n{}", forgotten.join("\n"));
    }
}

#[test]
fn the_checks_of_files_can_fail() {
    assert!(has_header("//! What it does.\n"));
    assert!(!has_header("use std::fs;\n"));
    assert!(!is_too_long(&"line\n".repeat(LINES_MAX)));
    assert!(is_too_long(&"line\n".repeat(LINES_MAX + 1)));
    let home = tempfile::tempdir().expect("a directory");
    let dir = home.path();
    fs::create_dir_all(dir.join("group")).expect("made");
    let files = [
        ("main.rs", "mod a;\nmod group {\n    mod b;\n}\n"),
        ("a.rs", ""),
        ("group/b.rs", ""),
        ("group/c.rs", ""),
    ];
    for (name, text) in files {
        fs::write(dir.join(name), text).expect("written");
    }
    let all = files.iter().map(|(name, _)| dir.join(name)).collect();
    assert_eq!(forgotten(dir, &["main.rs", "absent.rs"], all), [dir.join("group/c.rs")]);
}
