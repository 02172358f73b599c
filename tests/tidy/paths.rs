//! Which modules a source file names, by its text: `use` trees, and paths that begin with `crate`, `super` or `self`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::{root, rust_files};

/// A module by its path from the crate's root, which has the empty one.
pub(super) type Module = Vec<String>;

/// The modules below a folder of sources, each with its file.
pub(super) fn modules(below: &str) -> BTreeMap<Module, PathBuf> {
    let dir = root().join(below);
    let module = |path: &PathBuf| {
        let inside = path.strip_prefix(&dir).expect("found below").with_extension("");
        let parts: Module = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if parts == ["lib"] { Module::new() } else { parts }
    };
    rust_files(below).into_iter().map(|path| (module(&path), path)).collect()
}

/// The paths that each module below a folder names, with the module.
pub(super) fn named_below(below: &str) -> Vec<(Module, Vec<Module>)> {
    let read = |path| fs::read_to_string(path).expect("UTF-8");
    modules(below)
        .into_iter()
        .map(|(module, path)| {
            let named = named_paths(&module, &read(path));
            (module, named)
        })
        .collect()
}

/// The paths that the text of a module names, from the crate's root. They end in what they name, which may be an item.
/// Of a test module at the end of a file, only paths that begin with `crate` count: its `super` is the file.
pub(super) fn named_paths(module: &[String], text: &str) -> Vec<Module> {
    let code: Vec<&str> =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let (code, tests) = code.split_once("#[cfg(test)]\nmod tests {").unwrap_or((&code, ""));
    let of_tests = paths(tests).into_iter().filter(|path| path[0] == "crate");
    paths(code).into_iter().chain(of_tests).filter_map(|path| absolute(module, path)).collect()
}

/// Every path that begins with `crate`, `super` or `self`; a `use` tree gives one for each leaf.
fn paths(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|letter| !(letter.is_alphanumeric() || "_:".contains(letter))) {
                leaves(&code[at..], &Module::new(), &mut found);
            }
        }
    }
    found
}

/// Follows one tree, as far as it goes; gives what follows it.
fn leaves<'text>(mut text: &'text str, before: &[String], into: &mut Vec<Module>) -> &'text str {
    let mut path = before.to_vec();
    loop {
        text = text.trim_start();
        if let Some(mut inside) = text.strip_prefix('{') {
            while !inside.trim_start().starts_with('}') && !inside.trim_start().is_empty() {
                inside = leaves(inside, &path, into);
                inside = inside.trim_start();
                inside = inside.strip_prefix(',').unwrap_or(inside);
            }
            return inside.trim_start().strip_prefix('}').unwrap_or_default();
        }
        let end = text.find(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        if !name.is_empty() {
            path.push(name.to_owned());
        }
        match rest.strip_prefix("::") {
            Some(rest) if !name.is_empty() => text = rest,
            _ => {
                into.push(path);
                // ` as other`, `*`, or the rest of an expression.
                return rest.find([',', '}', ';']).map_or("", |end| &rest[end..]);
            }
        }
    }
}

/// The same path from the crate's root; `None` if it goes above it.
fn absolute(module: &[String], path: Module) -> Option<Module> {
    let mut names = path.into_iter().peekable();
    let mut base = match names.next()?.as_str() {
        "crate" => Module::new(),
        "self" => module.to_vec(),
        _ => module.split_last()?.1.to_vec(),
    };
    while names.next_if(|name| name == "super").is_some() {
        base.pop()?;
    }
    base.extend(names.filter(|name| name != "self"));
    Some(base)
}

/// A module written as in the code.
pub(super) fn module(path: &str) -> Module {
    path.split("::").map(str::to_owned).collect()
}

#[test]
fn every_path_of_a_file_is_read() {
    let named = |text| {
        let paths = named_paths(&module("ops::init"), text).into_iter();
        paths.map(|path| path.join("::")).collect::<Vec<_>>()
    };
    assert_eq!(
        named("use crate::{error, host::{self, Host as H}};"),
        ["error", "host", "host::Host"]
    );
    assert_eq!(named("use super::{tree, name::*};"), ["ops::tree", "ops::name"]);
    assert_eq!(named("let it = self::own::make(super::super::lib_item);").len(), 2);
    assert_eq!(named("let it: crate::name::Profile = x::crate_name();"), ["name::Profile"]);
    assert_eq!(named("use crate::{\n    a::{b, c},\n    d,\n};"), ["a::b", "a::c", "d"]);
    assert_eq!(named("// crate::cli is above"), Vec::<String>::new());
    let tests = "#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::port;\n}";
    assert_eq!(named(tests), ["port"]);
}
