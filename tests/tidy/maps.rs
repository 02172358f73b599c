//! Maps: the tables in the headers of `lib.rs` and `machine.rs` list every module with its floor.

use std::collections::BTreeSet;
use std::fs;

use super::floors::{Floors, HERMES, MACHINE, SIM};
use super::paths::modules;
use super::root;

type Row = (u8, String);

/// The modules of a table's rows: `//! | 1 | [`name`], `main.rs` | what |`.
fn rows(text: &str) -> BTreeSet<Row> {
    let mut found = BTreeSet::new();
    for row in text.lines().filter_map(|line| line.strip_prefix("//! |")) {
        let mut cells = row.split('|').map(str::trim);
        let (Some(floor), Some(names)) = (cells.next(), cells.next()) else { continue };
        let Ok(floor) = floor.parse() else { continue };
        let names = names.split('`').skip(1).step_by(2);
        found.extend(names.map(|name| (floor, name.trim_end_matches(".rs").to_owned())));
    }
    found
}

/// The modules that a folder has, with their floors by the table of the check.
fn expected(floors: &Floors) -> BTreeSet<Row> {
    let depth = floors.parent.len();
    let all = modules(floors.package).into_keys();
    let children =
        all.filter(|module| module.len() == depth + 1 && module[..depth] == *floors.parent);
    let row = |name: String| (floors.floor(&name).unwrap_or(u8::MAX), name);
    children.filter_map(|module| module.last().cloned()).map(row).collect()
}

#[test]
fn each_map_lists_every_module_with_its_floor() {
    for (file, floors) in
        [("src/lib.rs", HERMES), ("sim/src/lib.rs", SIM), ("sim/src/machine.rs", MACHINE)]
    {
        let text = fs::read_to_string(root().join(file)).expect("UTF-8");
        assert_eq!(rows(&text), expected(&floors), "{file}");
    }
}

#[test]
fn the_check_of_maps_can_fail() {
    let map =
        "//! | floor | modules |\n//! |---|---|\n//! | 1 | [`name`], `main.rs` | what `it` is |\n";
    let row = |floor, name: &str| (floor, name.to_owned());
    assert_eq!(rows(map), BTreeSet::from([row(1, "name"), row(1, "main")]));
    assert!(expected(&SIM).contains(&row(2, "machine")));
    assert!(expected(&MACHINE).contains(&row(0, "ids")));
    assert!(!expected(&MACHINE).contains(&row(2, "machine")));
}
