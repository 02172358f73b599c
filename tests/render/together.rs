//! A change of one fact shows in the rendering for every kind of host: unit, launch agent and scheduled task.

use std::time::Duration;

use hermes::backend::{launchd, systemd, windows};
use hermes::detect::Scope;
use hermes::name::Profile;
use hermes::supervisor::{ServiceSpec, TargetState};
use rstest::rstest;

use super::facts::plain;

/// All three, by name.
fn rendered(spec: &ServiceSpec) -> [(&'static str, String); 3] {
    let terms = systemd::UnitParams { scope: Scope::User, version: 257, owner: 1000 };
    [
        ("unit", systemd::render(spec, terms)),
        ("agent", launchd::render(spec)),
        ("task", windows::render(spec, "ann", TargetState::Up)),
    ]
}

fn changed(change: fn(&mut ServiceSpec)) -> Vec<&'static str> {
    let before = rendered(&plain());
    let mut spec = plain();
    change(&mut spec);
    let after = rendered(&spec);
    let pairs = before.into_iter().zip(after);
    pairs.filter(|(old, new)| old != new).map(|((name, _), _)| name).collect()
}

#[rstest]
#[case::profile(|spec: &mut ServiceSpec| spec.profile = Profile::parse("other").expect("legal"))]
#[case::program(|spec: &mut ServiceSpec| spec.program = "/x".into())]
#[case::home(|spec: &mut ServiceSpec| spec.home = "/h".into())]
#[case::log(|spec: &mut ServiceSpec| spec.log_dir = "/l".into())]
#[case::pause(|spec: &mut ServiceSpec| spec.restart.delay.0 = Duration::from_secs(120))]
fn a_changed_fact_changes_all_three(#[case] change: fn(&mut ServiceSpec)) {
    assert_eq!(changed(change), ["unit", "agent", "task"]);
}

/// Facts that a host cannot express are handled by the gateway itself there (docs/hosts.md).
#[rstest]
#[case::drain(|spec: &mut ServiceSpec| spec.kill_after = Duration::from_secs(31), &["unit", "agent"])]
#[case::longest_pause(|spec: &mut ServiceSpec| spec.restart.delay_max.0 = Duration::from_secs(9), &["unit"])]
fn what_a_host_cannot_say_does_not_change(
    #[case] change: fn(&mut ServiceSpec),
    #[case] expected: &[&str],
) {
    assert_eq!(changed(change), expected);
}
