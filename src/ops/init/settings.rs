//! What the environment asks of a container's boot. Read once, refused by name.
//!
//! Pure. What counts as set was decided where the environment was collected.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::layout::Layout;
use crate::record::intent::Intent;
use crate::role::RoleError;

/// The numbers that a user or group of a container may have.
const ID_MAX: u32 = 65_534;

const STOP_GRACE_DEFAULT: Duration = Duration::from_secs(10);
const STOP_GRACE_MAX: Duration = Duration::from_secs(86_400);

/// Directories that no home can be, though one may lie below: root would give them to hermes with all they hold.
const NEVER_A_HOME: [&str; 19] = [
    "/",
    "/dev",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/run",
    "/srv",
    "/tmp",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/lock",
    "/var/log",
    "/var/opt",
    "/var/run",
    "/var/spool",
    "/var/tmp",
];

/// Directories that hold what root runs, reads or keeps for itself: no home is one, or lies anywhere below.
const NO_HOME_BELOW: [&str; 18] = [
    "/bin",
    "/boot",
    "/command",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/run/hermes",
    "/run/s6",
    "/run/service",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/spool/cron",
];

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The home (`HERMES_HOME`).
    pub layout: Layout,
    /// Where the gateways' s6-svscan looks for slots (`S6_PROFILE_GATEWAY_SCANDIR`).
    pub scan_dir: PathBuf,
    /// Where s6's programs are, if not in the usual places (`HERMES_S6_BIN_DIR`).
    pub bin_dir: Option<PathBuf>,
    /// The user number that hermes shall have (`HERMES_UID`, `PUID`).
    pub uid: Option<u32>,
    /// The group number that hermes shall have (`HERMES_GID`, `PGID`).
    pub gid: Option<u32>,
    /// From the container's SIGTERM to its SIGKILL (`HERMES_STOP_GRACE`, seconds): what `docker stop -t` will be.
    pub stop_grace: Duration,
    /// `HERMES_ROLE`, as it stands there.
    pub role_word: Option<String>,
}

/// A variable that cannot be honoured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No number, or none that a user may have.
    #[error("{variable}={value:?} is not a number from 1 to {ID_MAX}")]
    Id {
        /// Which variable.
        variable: &'static str,
        /// What it says.
        value: String,
    },
    /// No number of seconds.
    #[error("HERMES_STOP_GRACE={0:?} is not a number of seconds from 1 to {max}", max = STOP_GRACE_MAX.as_secs())]
    StopGrace(String),
    /// Not absolute.
    #[error("{variable}={value:?} is not an absolute path without `.` and `..`")]
    Path {
        /// Which variable.
        variable: &'static str,
        /// What it says.
        value: String,
    },
    /// A directory of the system's.
    #[error("HERMES_HOME={0:?} is a directory of the system's and cannot be a home")]
    NotAHome(String),
    /// There is one word only.
    #[error("HERMES_GATEWAY_BOOTSTRAP_STATE={0:?} is not \"running\"")]
    Bootstrap(String),
    /// No such role.
    #[error(transparent)]
    Role(#[from] RoleError),
}

impl Settings {
    /// Reads them all.
    pub fn read(env: &BTreeMap<OsString, OsString>) -> Result<Self, SettingsError> {
        let home = path(env, "HERMES_HOME", "/opt/data")?;
        let layout = Layout::from_home(&home);
        if is_the_systems(layout.root()) {
            return Err(SettingsError::NotAHome(home.display().to_string()));
        }
        Ok(Self {
            layout,
            scan_dir: path(env, "S6_PROFILE_GATEWAY_SCANDIR", "/run/service")?,
            bin_dir: set(env, "HERMES_S6_BIN_DIR").map(PathBuf::from),
            uid: id(env, ["HERMES_UID", "PUID"])?,
            gid: id(env, ["HERMES_GID", "PGID"])?,
            stop_grace: stop_grace(env)?,
            role_word: set(env, "HERMES_ROLE").map(|word| word.to_string_lossy().into_owned()),
        })
    }

    /// When the trees must be down by themselves: a second, or half of a short grace, before Docker kills everything.
    pub fn stop_limit(&self) -> Duration {
        self.stop_grace - Duration::from_secs(1).min(self.stop_grace / 2)
    }
}

/// What a home that never ran starts with (`HERMES_GATEWAY_BOOTSTRAP_STATE`).
pub fn bootstrap(env: &BTreeMap<OsString, OsString>) -> Result<Option<Intent>, SettingsError> {
    match set(env, "HERMES_GATEWAY_BOOTSTRAP_STATE") {
        None => Ok(None),
        Some(word) if word == Intent::Running.as_str() => Ok(Some(Intent::Running)),
        Some(other) => Err(SettingsError::Bootstrap(other.to_string_lossy().into_owned())),
    }
}

fn is_the_systems(home: &Path) -> bool {
    NEVER_A_HOME.iter().any(|never| home == Path::new(never))
        || NO_HOME_BELOW.iter().any(|never| home.starts_with(never))
}

fn set<'env>(env: &'env BTreeMap<OsString, OsString>, name: &str) -> Option<&'env OsStr> {
    env.get(OsStr::new(name)).map(OsString::as_os_str)
}

fn path(
    env: &BTreeMap<OsString, OsString>,
    variable: &'static str,
    default: &str,
) -> Result<PathBuf, SettingsError> {
    use std::path::Component::{Normal, RootDir};
    let value = set(env, variable).unwrap_or(OsStr::new(default));
    let components: PathBuf = Path::new(value).components().collect();
    let is_plain = components.components().all(|part| matches!(part, RootDir | Normal(_)));
    if components.is_absolute() && is_plain {
        return Ok(components);
    }
    Err(SettingsError::Path { variable, value: value.to_string_lossy().into_owned() })
}

/// The first name that is set counts.
fn id(
    env: &BTreeMap<OsString, OsString>,
    names: [&'static str; 2],
) -> Result<Option<u32>, SettingsError> {
    let Some((variable, value)) = names.iter().find_map(|&name| Some((name, set(env, name)?)))
    else {
        return Ok(None);
    };
    let value = value.to_string_lossy().into_owned();
    match value.parse() {
        Ok(number) if (1..=ID_MAX).contains(&number) => Ok(Some(number)),
        _ => Err(SettingsError::Id { variable, value }),
    }
}

fn stop_grace(env: &BTreeMap<OsString, OsString>) -> Result<Duration, SettingsError> {
    let Some(value) = set(env, "HERMES_STOP_GRACE") else { return Ok(STOP_GRACE_DEFAULT) };
    let value = value.to_string_lossy().into_owned();
    match value.parse().map(Duration::from_secs) {
        Ok(grace) if !grace.is_zero() && grace <= STOP_GRACE_MAX => Ok(grace),
        _ => Err(SettingsError::StopGrace(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let env = pairs.iter().map(|(name, value)| (name.into(), value.into()));
        Settings::read(&crate::environment::present(env))
    }

    #[rstest]
    #[case(&[], None, None)]
    #[case(&[("PUID", "1000"), ("PGID", "1001")], Some(1000), Some(1001))]
    #[case(&[("PUID", "1000"), ("HERMES_UID", "7")], Some(7), None)]
    #[case(&[("HERMES_UID", "65534"), ("HERMES_GID", "")], Some(65_534), None)]
    fn ids_come_from_our_names_then_from_the_common_ones(
        #[case] env: &[(&str, &str)],
        #[case] uid: Option<u32>,
        #[case] gid: Option<u32>,
    ) {
        let settings = read(env).expect("legal");
        assert_eq!((settings.uid, settings.gid), (uid, gid));
    }

    #[rstest]
    #[case("HERMES_UID", "0", "HERMES_UID=\"0\" is not a number from 1 to 65534")]
    #[case("PUID", "65535", "PUID=\"65535\" is not a number from 1 to 65534")]
    #[case("PGID", "-1", "PGID=\"-1\" is not a number from 1 to 65534")]
    #[case("HERMES_GID", "hermes", "HERMES_GID=\"hermes\" is not a number from 1 to 65534")]
    #[case(
        "HERMES_STOP_GRACE",
        "0",
        "HERMES_STOP_GRACE=\"0\" is not a number of seconds from 1 to 86400"
    )]
    #[case(
        "HERMES_STOP_GRACE",
        "10s",
        "HERMES_STOP_GRACE=\"10s\" is not a number of seconds from 1 to 86400"
    )]
    #[case(
        "HERMES_HOME",
        "/",
        "HERMES_HOME=\"/\" is a directory of the system's and cannot be a home"
    )]
    #[case(
        "HERMES_HOME",
        "data",
        "HERMES_HOME=\"data\" is not an absolute path without `.` and `..`"
    )]
    #[case(
        "HERMES_HOME",
        "/opt/../etc",
        "HERMES_HOME=\"/opt/../etc\" is not an absolute path without `.` and `..`"
    )]
    #[case(
        "HERMES_HOME",
        "/etc/profiles/x",
        "HERMES_HOME=\"/etc/profiles/x\" is a directory of the system's and cannot be a home"
    )]
    fn what_cannot_be_is_refused_by_name(
        #[case] variable: &str,
        #[case] value: &str,
        #[case] expected: &str,
    ) {
        let error = read(&[(variable, value)]).expect_err("illegal");
        assert_eq!(error.to_string(), expected);
    }

    #[rstest]
    fn no_directory_of_the_systems_is_a_home(
        #[values(
            "/root",
            "/home",
            "/mnt",
            "/srv",
            "/media",
            "/var/lib",
            "/usr/local",
            "/usr/local/bin",
            "/usr/local/lib/hermes",
            "/command/x",
            "/etc/cron.d",
            "/run/hermes/state",
            "//usr//local/",
            "/root/profiles/coder"
        )]
        home: &str,
    ) {
        let error = read(&[("HERMES_HOME", home)]).expect_err("illegal");
        assert!(matches!(error, SettingsError::NotAHome(_)), "{error}");
    }

    #[rstest]
    fn a_home_may_lie_where_homes_lie(
        #[values("/opt/data", "/root/.hermes", "/home/hermes", "/srv/hermes", "/usrlocal")]
        home: &str,
    ) {
        assert!(read(&[("HERMES_HOME", home)]).is_ok());
    }

    #[rstest]
    #[case("running", Ok(Some(Intent::Running)))]
    #[case("stopped", Err("HERMES_GATEWAY_BOOTSTRAP_STATE=\"stopped\" is not \"running\""))]
    #[case("Running", Err("HERMES_GATEWAY_BOOTSTRAP_STATE=\"Running\" is not \"running\""))]
    fn a_home_starts_with_running_or_nothing(
        #[case] word: &str,
        #[case] expected: Result<Option<Intent>, &str>,
    ) {
        let env = [("HERMES_GATEWAY_BOOTSTRAP_STATE".into(), word.into())].into();
        let read = bootstrap(&env).map_err(|error| error.to_string());
        assert_eq!(read, expected.map_err(str::to_owned));
    }

    #[rstest]
    #[case("10", 9_000)]
    #[case("1", 500)]
    #[case("60", 59_000)]
    fn the_trees_are_down_before_docker_kills(#[case] grace: &str, #[case] limit_ms: u128) {
        let settings = read(&[("HERMES_STOP_GRACE", grace)]).expect("legal");
        assert_eq!(settings.stop_limit().as_millis(), limit_ms);
    }
}
