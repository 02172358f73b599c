//! One name, one meaning: no type name stands twice in a package, and the words of the old dialect stay out.

use std::collections::BTreeMap;
use std::fs;

use super::{rust_files, shown};

/// Words that the code used to have for notions with a standard name, and English that nobody speaks.
const OLD_WORDS: [&str; 14] = [
    "befall",
    "befalls",
    "befell",
    "befallen",
    "whoever",
    "whomever",
    "manieth",
    "deed",
    "surprise",
    "surprises",
    "oddity",
    "oddities",
    "breach",
    "breaches",
];

/// The name that a line declares as a type others can see, if it does.
fn declared(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("pub")?;
    let rest = match rest.strip_prefix('(') {
        Some(scoped) => scoped.split_once(')')?.1,
        None => rest,
    };
    let rest = rest.strip_prefix(' ')?;
    let kinds = ["struct ", "enum ", "trait ", "type ", "union "];
    let name = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    let end = name.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    Some(&name[..end.unwrap_or(name.len())])
}

/// Each name that is declared more than once below `package`, with its files.
fn repeated(package: &str) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in rust_files(package) {
        let text = fs::read_to_string(&path).expect("UTF-8");
        for name in text.lines().filter_map(declared) {
            places.entry(name.to_owned()).or_default().push(shown(&path));
        }
    }
    places.retain(|_, files| files.len() > 1);
    places.into_iter().map(|(name, files)| format!("{name}: {}", files.join(", "))).collect()
}

#[test]
fn no_type_name_stands_twice_in_a_package() {
    for package in ["src", "sim/src"] {
        let repeated = repeated(package);
        assert!(repeated.is_empty(), "{package}:\n{}", repeated.join("\n"));
    }
}

/// A line of code without what stands between quotes: texts for operators have words of their own, and recipes (`surprises`)
/// their names.
fn without_strings(line: &str) -> String {
    let outside =
        |line: &str, quote: char| line.split(quote).step_by(2).collect::<Vec<_>>().join(" ");
    outside(&outside(line, '"'), '`')
}

/// The words of a line that are old ones.
fn old_words(line: &str) -> Vec<&'static str> {
    let lower = without_strings(line).to_lowercase();
    let words: Vec<&str> = lower.split(|letter: char| !letter.is_alphabetic()).collect();
    OLD_WORDS.into_iter().filter(|old| words.contains(old)).collect()
}

#[test]
fn the_words_of_the_old_dialect_stay_out() {
    let mut found = Vec::new();
    for path in ["src", "sim/src", "sim/tests", "tests"].into_iter().flat_map(rust_files) {
        // This list itself.
        if path.ends_with("tests/tidy/names.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8");
        for (number, line) in text.lines().enumerate() {
            let words = old_words(line);
            if !words.is_empty() {
                found.push(format!("{}:{}: {}", shown(&path), number + 1, words.join(", ")));
            }
        }
    }
    assert!(found.is_empty(), "see the glossaries in `lib.rs`:\n{}", found.join("\n"));
}

#[test]
fn the_checks_of_names_can_fail() {
    assert_eq!(declared("pub(super) enum Phase {"), Some("Phase"));
    assert_eq!(declared("    pub struct World(u8);"), Some("World"));
    assert_eq!(declared("struct Private;"), None);
    assert_eq!(declared("pub fn enum_name() {}"), None);
    assert_eq!(old_words("a Deed, and what befell"), ["befell", "deed"]);
    assert_eq!(old_words("an indeed surprising word"), Vec::<&str>::new());
    assert_eq!(old_words("say(\"a surprise\"); // a breach"), ["breach"]);
    assert_eq!(old_words("//! `surprises`: a deed"), ["deed"]);
}
