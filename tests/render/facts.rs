//! The input of every renderer in these tests: a plain profile, and one with the oddest paths.

use std::path::PathBuf;
use std::time::Duration;

use hermes::name::Profile;
use hermes::record::config::Restart;
use hermes::supervisor::ServiceSpec;

/// A profile with the default policy.
pub(crate) fn plain() -> ServiceSpec {
    spec("coder", "/usr/local/bin/hermes", "/home/hermes/.hermes")
}

/// Odd paths, a drain of half a second, and pauses from half a second to two minutes.
pub(crate) fn odd() -> ServiceSpec {
    let mut restart = Restart::default();
    restart.delay.0 = Duration::from_millis(500);
    restart.delay_max.0 = Duration::from_secs(120);
    let kill_after = Duration::from_millis(1_500);
    let spec = spec("default", "/opt/new & 100%/hermes", "/srv/100% <mine> & $HOME/back\\slash");
    ServiceSpec { restart, kill_after, ..spec }
}

fn spec(profile: &str, program: &str, home: &str) -> ServiceSpec {
    ServiceSpec {
        profile: Profile::parse(profile).expect("legal"),
        program: program.into(),
        home: home.into(),
        log_dir: PathBuf::from(home).join("logs/gateways").join(profile),
        restart: Restart::default(),
        kill_after: Duration::from_secs(9),
    }
}
