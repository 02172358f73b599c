//! Finds s6's programs. They are always called by absolute path: `docker exec` does not have `/command` in its `PATH`.

use std::path::{Path, PathBuf};

use crate::host::{Host, fs};
use crate::supervisor::SupervisorError;

/// What only `boot init` makes: PID 1's tree is ours.
pub const OWN_TREE: &str = "/run/hermes/init";

const PLACES: [&str; 3] = ["/command", "/usr/bin", "/bin"];

/// The directory of s6's programs, and the interpreter of the slots' scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    dir: Option<PathBuf>,
    looked_in: Vec<PathBuf>,
    /// The tree is root's and `/command/with-contenv` is there: slots' scripts are read by it. In our own tree the
    /// program reads the container's environment itself.
    pub with_contenv: bool,
}

impl Tools {
    /// The given directory, else the first well-known directory that holds `s6-svc`.
    pub async fn find(host: &impl Host, bin_dir: Option<PathBuf>) -> Self {
        let with_contenv = fs::meta(host, OWN_TREE).await.is_err()
            && fs::meta(host, "/command/with-contenv").await.is_ok();
        let looked_in = match bin_dir {
            Some(dir) => vec![dir],
            None => PLACES.iter().map(PathBuf::from).collect(),
        };
        for dir in &looked_in {
            if fs::meta(host, &dir.join("s6-svc")).await.is_ok() {
                return Self { dir: Some(dir.clone()), looked_in, with_contenv };
            }
        }
        Self { dir: None, looked_in, with_contenv }
    }

    /// Tools in this directory, for rendering without a machine.
    #[cfg(test)]
    pub(crate) fn at(dir: &str) -> Self {
        Self { dir: Some(dir.into()), looked_in: Vec::new(), with_contenv: false }
    }

    /// The absolute path of a program.
    pub fn path(&self, tool: &'static str) -> Result<PathBuf, SupervisorError> {
        self.dir.as_ref().map(|dir| dir.join(tool)).ok_or_else(|| self.missing(tool))
    }

    /// The error that lists the searched directories.
    pub fn missing(&self, tool: &'static str) -> SupervisorError {
        SupervisorError::NoTool { tool, looked_in: self.looked_in.clone() }
    }

    /// The directory for scripts; a guess where none was found, so that a slot can still be rendered.
    pub fn dir_for_scripts(&self) -> &Path {
        self.dir.as_deref().unwrap_or(Path::new(PLACES[0]))
    }
}
