//! What `main` collects once: arguments, environment, ids. Nothing below asks the machine for these again.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::environment;

/// One start of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// All arguments, the program's name first.
    pub argv: Vec<OsString>,
    /// The environment: what [`crate::environment::present`] says counts.
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
    /// A variable.
    pub fn var(&self, name: &str) -> Option<&OsStr> {
        self.env.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// A variable as text; invalid UTF-8 becomes `U+FFFD`.
    pub fn text(&self, name: &str) -> Option<String> {
        self.var(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// A switch that is on: `1`, `true` or `yes`.
    pub fn is_on(&self, name: &str) -> bool {
        self.var(name).is_some_and(environment::is_on)
    }
}
