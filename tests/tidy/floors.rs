//! Floors: a module names its own and lower floors only.

use std::fs;

use super::paths::{Module, named_below};
use super::{rust_files, shown};

/// The floors of the modules in one folder, lowest first.
pub(super) struct Floors {
    /// The sources of the package.
    pub(super) package: &'static str,
    /// The module whose children these are; none for the crate's root.
    pub(super) parent: &'static [&'static str],
    pub(super) table: &'static [(&'static str, u8)],
    /// On these floors neighbours do not know each other.
    separate: &'static [u8],
    /// From here up a module may name everything.
    free: u8,
}

pub(super) const HERMES: Floors = Floors {
    package: "src",
    parent: &[],
    table: &[
        ("error", 0),
        ("probe", 0),
        ("name", 1),
        ("layout", 1),
        ("port", 1),
        ("environment", 1),
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
    ],
    separate: &[4, 5],
    free: 7,
};

pub(super) const SIM: Floors = Floors {
    package: "sim/src",
    parent: &[],
    table: &[
        ("hash", 0),
        ("replay", 1),
        ("machine", 2),
        ("scenario", 3),
        ("observe", 3),
        ("invariants", 4),
        ("execution", 5),
        ("check", 6),
        ("real", 7),
        ("cli", 8),
        ("main", 9),
        ("lib", 9),
    ],
    separate: &[3],
    free: 9,
};

pub(super) const MACHINE: Floors = Floors {
    package: "sim/src",
    parent: &["machine"],
    table: &[
        ("ids", 0),
        ("registry", 0),
        ("command_line", 0),
        ("footprint", 1),
        ("state", 1),
        ("disk", 2),
        ("process", 3),
        ("world", 4),
        ("image", 5),
        ("process_footprint", 5),
        ("kernel", 6),
        ("syscalls", 7),
        ("s6", 8),
        ("hosts", 8),
        ("user_program", 8),
        ("loader", 9),
        ("foreign", 10),
        ("runtime", 11),
        ("step", 12),
    ],
    separate: &[0, 8],
    free: 13,
};

impl Floors {
    pub(super) fn floor(&self, module: &str) -> Option<u8> {
        self.table.iter().find(|(name, _)| *name == module).map(|&(_, floor)| floor)
    }

    /// What is wrong with `module` naming `other`, if anything is.
    fn violation(&self, module: &str, other: &str) -> Option<String> {
        if module == other {
            return None;
        }
        let Some(own) = self.floor(module) else {
            return Some(format!("`{module}` has no floor"));
        };
        if own >= self.free {
            return None;
        }
        let Some(theirs) = self.floor(other) else {
            return Some(format!("`{module}` names `{other}`, which has no floor"));
        };
        if theirs > own {
            return Some(format!("`{module}` (floor {own}) names `{other}` (floor {theirs}): up"));
        }
        if theirs == own && self.separate.contains(&own) {
            return Some(format!("`{module}` names `{other}`: sideways on floor {own}"));
        }
        None
    }

    /// The child of the parent that a path leads to, if it leads below the parent.
    fn child<'path>(&self, path: &'path Module) -> Option<&'path str> {
        let below =
            path.starts_with(&self.parent.iter().map(ToString::to_string).collect::<Vec<_>>());
        path.get(self.parent.len()).filter(|_| below).map(String::as_str)
    }

    /// Everything that is wrong in the sources.
    fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (module, paths) in named_below(self.package) {
            let Some(own) = self.child(&module) else { continue };
            for path in &paths {
                if let Some(violation) =
                    self.child(path).and_then(|other| self.violation(own, other))
                {
                    found.push(format!("{}: {violation}", module.join("::")));
                }
            }
        }
        found
    }
}

#[test]
fn a_file_names_only_its_own_and_lower_floors() {
    for floors in [HERMES, SIM, MACHINE] {
        let violations = floors.violations();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }
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
fn the_checks_of_floors_can_fail() {
    assert!(HERMES.violation("host", "cli").is_some());
    assert!(HERMES.violation("ops", "gateway").is_some());
    assert!(HERMES.violation("record", "nowhere").is_some());
    assert!(HERMES.violation("nowhere", "record").is_some());
    assert_eq!(HERMES.violation("cli", "ops"), None);
    assert!(SIM.violation("observe", "scenario").is_some());
    assert_eq!(SIM.violation("real", "check"), None);
    assert!(MACHINE.violation("kernel", "loader").is_some());
    let path = ["machine", "kernel", "files"].map(str::to_owned).to_vec();
    assert_eq!(MACHINE.child(&path), Some("kernel"));
    assert_eq!(SIM.child(&path), Some("machine"));
    assert_eq!(MACHINE.child(&vec!["hash".to_owned()]), None);
}
