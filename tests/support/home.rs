//! A home in a temporary directory, and everything an operation on it needs.

use std::fs;
use std::path::PathBuf;

use hermes::host::os::OsHost;
use hermes::layout::Layout;
use hermes::name::Profile;
use hermes::ops::OpsContext;
use hermes::record::intent::Operator;
use tempfile::TempDir;

/// The home; removed when it is dropped.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) layout: Layout,
    pub(crate) host: OsHost,
    operator: Operator,
    program: PathBuf,
}

impl Home {
    /// An empty home.
    pub(crate) fn new() -> Self {
        Self::in_dir(tempfile::tempdir().expect("a temporary directory"))
    }

    /// The same in this directory.
    pub(crate) fn in_dir(dir: TempDir) -> Self {
        let layout = Layout::from_home(dir.path());
        let operator = Operator { uid: 1, pid: std::process::id(), argv: vec!["test".to_owned()] };
        Self { dir, layout, host: OsHost::new(), operator, program: "/usr/bin/hermes".into() }
    }

    /// A profile by name, with its directory and `SOUL.md`.
    pub(crate) fn profile(&self, name: &str) -> Profile {
        let profile = Profile::parse(name).expect("legal");
        fs::create_dir_all(self.layout.profile(&profile)).expect("a directory");
        fs::write(self.layout.soul_file(&profile), "# soul\n").expect("a file");
        profile
    }

    /// The context of operations.
    pub(crate) fn context<'a, S>(&'a self, supervisor: &'a S) -> OpsContext<'a, OsHost, S> {
        self.context_on(&self.host, supervisor)
    }

    /// The same on another machine.
    pub(crate) fn context_on<'a, H, S>(
        &'a self,
        host: &'a H,
        supervisor: &'a S,
    ) -> OpsContext<'a, H, S> {
        OpsContext {
            host,
            layout: &self.layout,
            supervisor,
            operator: &self.operator,
            program: &self.program,
        }
    }

    /// The intent in the intent file; empty if there is none.
    pub(crate) fn intent(&self, profile: &Profile) -> String {
        let text = fs::read_to_string(self.layout.intent(profile)).unwrap_or_default();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        value["intent"].as_str().unwrap_or_default().to_owned()
    }

    /// All names below the home, sorted, without the locks.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut dirs = vec![self.dir.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(&dir).expect("readable") {
                let path = entry.expect("readable").path();
                let name = path.strip_prefix(self.dir.path()).expect("below").display().to_string();
                if path.is_dir() && name != ".locks" {
                    dirs.push(path);
                }
                names.push(name);
            }
        }
        names.retain(|name| name != ".locks");
        names.sort();
        names
    }
}
