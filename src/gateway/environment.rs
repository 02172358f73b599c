//! The environment of a command. Pure.
//!
//! The gateway of `default` is the container's own: it gets the whole environment. A named profile gets a fixed few
//! variables and what its configuration names, so that no profile inherits another's port or tokens.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::Setup;
use crate::environment;
use crate::record::config::Config;

/// What every command gets, besides `LC_*`.
const PASSED: [&str; 9] =
    ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"];

/// They tell `hermes` that it is supervised, and where to report readiness. A command that calls `hermes` is not the
/// gateway, so it must not inherit them.
const WITHHELD: [&str; 3] =
    ["HERMES_S6_SUPERVISED_CHILD", "HERMES_SUPERVISED_CHILD", NOTIFY_SOCKET];

/// Names the socket on which systemd waits for readiness (`sd_notify(3)`).
pub(super) const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// The whole environment of the command.
pub(super) fn command_environment(
    setup: &Setup,
    config: &Config,
    port: u16,
) -> BTreeMap<OsString, OsString> {
    let passes = |name: &OsStr| {
        setup.profile.is_default()
            || name.to_str().is_some_and(|name| {
                PASSED.contains(&name)
                    || name.starts_with("LC_")
                    || config.pass_env.iter().any(|passed| passed == name)
            })
    };
    let mut env: BTreeMap<OsString, OsString> = setup
        .env
        .iter()
        .filter(|(name, _)| passes(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    env.extend(config.env.iter().map(|(name, value)| (name.into(), value.into())));
    env.insert("HERMES_HOME".into(), setup.layout.root().into());
    env.insert("HERMES_PROFILE".into(), setup.profile.as_str().into());
    env.insert("HERMES_GATEWAY_PORT".into(), port.to_string().into());
    for name in WITHHELD {
        env.remove(OsStr::new(name));
    }
    env
}

/// Where a program may lie, in order: itself if it has a `/` (from the profile's directory), else in `PATH`.
pub(super) fn candidates(
    setup: &Setup,
    env: &BTreeMap<OsString, OsString>,
    program: &str,
) -> Vec<PathBuf> {
    let home = setup.layout.profile(&setup.profile);
    if program.contains('/') {
        return vec![home.join(program)];
    }
    // An empty or relative part of PATH would mean the working directory, which is the profile's: that is never
    // intended.
    std::env::split_paths(environment::search_path(env))
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(program))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;
    use crate::name::Profile;
    use rstest::rstest;
    use std::path::Path;

    fn setup(profile: &str) -> Setup {
        let container = [
            ("PATH", "/a::rel:/b"),
            ("LC_ALL", "C"),
            ("TOKEN", "default's"),
            ("WANTED", "w"),
            ("HERMES_HOME", "/h/profiles/coder"),
            ("HERMES_GATEWAY_PORT", "1"),
            ("HERMES_S6_SUPERVISED_CHILD", "1"),
            ("HERMES_SUPERVISED_CHILD", "1"),
            ("NOTIFY_SOCKET", "/run/notify"),
        ];
        Setup {
            layout: Layout::from_home(Path::new("/h/profiles/coder")),
            profile: Profile::parse(profile).expect("legal"),
            env: container.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            pid: 7,
            notify: None,
            supervised: true,
        }
    }

    fn config() -> Config {
        Config {
            env: BTreeMap::from([
                ("OWN".to_owned(), "o".to_owned()),
                ("HERMES_PROFILE".to_owned(), "other".to_owned()),
            ]),
            pass_env: vec!["WANTED".to_owned(), "HERMES_S6_SUPERVISED_CHILD".to_owned()],
            ..Config::default()
        }
    }

    #[rstest]
    #[case(
        "default",
        "HERMES_GATEWAY_PORT=9 HERMES_HOME=/h HERMES_PROFILE=default LC_ALL=C OWN=o PATH=/a::rel:/b TOKEN=default's WANTED=w"
    )]
    #[case(
        "coder",
        "HERMES_GATEWAY_PORT=9 HERMES_HOME=/h HERMES_PROFILE=coder LC_ALL=C OWN=o PATH=/a::rel:/b WANTED=w"
    )]
    fn only_declared_variables_reach_a_named_profile(
        #[case] profile: &str,
        #[case] expected: &str,
    ) {
        let env = command_environment(&setup(profile), &config(), 9);
        let variables: Vec<String> = env
            .iter()
            .map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
            .collect();
        assert_eq!(variables.join(" "), expected);
    }

    #[rstest]
    #[case("bot", &["/a/bot", "/b/bot"])]
    #[case("/opt/bot", &["/opt/bot"])]
    #[case("./bot", &["/h/profiles/coder/./bot"])]
    #[case("bin/bot", &["/h/profiles/coder/bin/bot"])]
    fn a_program_is_looked_up_in_path_or_from_the_profile(
        #[case] program: &str,
        #[case] expected: &[&str],
    ) {
        let setup = setup("coder");
        let found = candidates(&setup, &setup.env, program);
        let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(found, expected);
    }
}
