//! Floor 1: all paths. One function a path; no path is composed anywhere else.
//!
//! Pure: nothing here looks at the machine or reads the environment.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::name::Profile;

/// The home of all profiles, and the paths below it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// From `HERMES_HOME`: where that is itself a profile's directory (`<root>/profiles/<name>`), the root is its grandparent.
    pub fn from_home(home: &Path) -> Self {
        let root = home
            .parent()
            .filter(|parent| parent.file_name() == Some(OsStr::new("profiles")))
            .and_then(Path::parent)
            .unwrap_or(home);
        Self { root: root.to_owned() }
    }

    /// The root home, which is the directory of the profile `default`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of the named profiles.
    pub fn profiles(&self) -> PathBuf {
        self.root.join("profiles")
    }

    /// A profile's own directory.
    pub fn profile(&self, profile: &Profile) -> PathBuf {
        if profile.is_default() {
            self.root.clone()
        } else {
            self.profiles().join(profile.as_str())
        }
    }

    /// The file that makes a directory a profile.
    pub fn soul_file(&self, profile: &Profile) -> PathBuf {
        self.profile(profile).join("SOUL.md")
    }

    /// The intent file: what the operator asked for last.
    pub fn intent(&self, profile: &Profile) -> PathBuf {
        self.profile(profile).join("gateway_intent.json")
    }

    /// The gateway's run-time state, written by the gateway alone.
    pub fn state(&self, profile: &Profile) -> PathBuf {
        self.profile(profile).join("gateway_state.json")
    }

    /// The gateway's configuration, written by the user.
    pub fn config(&self, profile: &Profile) -> PathBuf {
        self.profile(profile).join("gateway.toml")
    }

    /// The marker: the note that a stop is planned.
    pub fn marker(&self, profile: &Profile) -> PathBuf {
        self.profile(profile).join(".gateway-planned-stop.json")
    }

    /// The live gateway's lock; never unlinked while the profile exists.
    pub fn gateway_lock(&self, profile: &Profile) -> PathBuf {
        self.profile(profile).join(".gateway.lock")
    }

    /// The identity of the live gateway; means nothing after a boot.
    pub fn pidfile(&self, profile: &Profile) -> PathBuf {
        self.profile(profile).join("gateway.pid")
    }

    /// Processes that other tools record; means nothing after a boot.
    pub fn processes(&self, profile: &Profile) -> PathBuf {
        self.profile(profile).join("processes.json")
    }

    /// The directory of the operations' locks. It lies outside the profiles, so that one can be created or deleted under its lock.
    pub fn locks(&self) -> PathBuf {
        self.root.join(".locks")
    }

    /// The lock that operations on one profile hold.
    pub fn lock(&self, profile: &Profile) -> PathBuf {
        self.locks().join(profile.as_str())
    }

    /// The lock of the one container that supervises this home.
    pub fn role_lock(&self) -> PathBuf {
        self.root.join(".supervisor.lock")
    }

    /// The directory of all logs.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// One line a profile a boot.
    pub fn boot_log(&self) -> PathBuf {
        self.logs().join("container-boot.log")
    }

    /// The directory above the gateways' log directories.
    pub fn gateway_logs(&self) -> PathBuf {
        self.logs().join("gateways")
    }

    /// The s6-log directory of a profile's gateway.
    pub fn gateway_log(&self, profile: &Profile) -> PathBuf {
        self.gateway_logs().join(profile.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/opt/data", "/opt/data")]
    #[case("/opt/data/profiles/coder", "/opt/data")]
    #[case("/opt/data/profiles", "/opt/data/profiles")]
    #[case("/profiles/x", "/")]
    fn the_root_is_found_from_a_home(#[case] home: &str, #[case] root: &str) {
        assert_eq!(Layout::from_home(Path::new(home)).root(), Path::new(root));
    }

    #[test]
    fn default_lives_in_the_root_and_others_below_profiles() {
        let layout = Layout::from_home(Path::new("/h"));
        assert_eq!(layout.soul_file(&Profile::default_profile()), Path::new("/h/SOUL.md"));
        let coder = Profile::parse("coder").expect("legal");
        assert_eq!(layout.soul_file(&coder), Path::new("/h/profiles/coder/SOUL.md"));
    }
}
