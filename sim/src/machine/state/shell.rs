//! A script that waits, as data.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A script that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shell {
    pub(in crate::machine) script: Script,
    /// Where its `until` is.
    pub(in crate::machine) until: usize,
    /// How often it has looked.
    pub(in crate::machine) looks: u32,
    pub(in crate::machine) next_at: Duration,
}

/// A script, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::machine) struct Script {
    pub(in crate::machine) path: PathBuf,
    pub(in crate::machine) lines: Vec<String>,
    pub(in crate::machine) at: usize,
    pub(in crate::machine) args: Vec<String>,
    pub(in crate::machine) variables: BTreeMap<String, String>,
    pub(in crate::machine) env: BTreeMap<OsString, OsString>,
}
