//! What `main` collects once: arguments, environment, ids. Nothing below asks the machine for these again.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// One start of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// All arguments, the program's name first.
    pub argv: Vec<OsString>,
    /// The whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Our process id.
    pub pid: u32,
    /// Our effective user id.
    pub uid: u32,
    /// Our effective group id.
    pub gid: u32,
    /// Standard input is a terminal: the user can be asked.
    pub stdin_is_terminal: bool,
}

impl Invocation {
    /// A variable; an empty one counts as absent.
    pub fn var(&self, name: &str) -> Option<&OsStr> {
        self.env.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable as text; invalid UTF-8 becomes `U+FFFD`.
    pub fn text(&self, name: &str) -> Option<String> {
        self.var(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// A switch: set to anything but `0`, `no` or `false`.
    pub fn is_set(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| !matches!(value.as_str(), "0" | "no" | "false"))
    }
}
