//! Status above a mocked supervisor: which drifts there are, and what is an error.

use std::cell::Cell;
use std::time::Duration;

use hermes::host::Host;
use hermes::host::effect::{Answer, Effect, Handle};
use hermes::host::os::run_ready;
use hermes::name::Profile;
use hermes::ops::OpsError;
use hermes::ops::status::{self, Drift, StatusReport, Verdict};
use hermes::supervisor::{Presence, Service, SupervisorError};
use rstest::rstest;

use crate::support::answering::Answering;
use crate::support::home::Home;
use crate::support::supervisor::{MockRegistrar, down, registrar, registrar_of_a_host, up};

fn report(
    home: &Home,
    mut supervisor: MockRegistrar,
    profile: &Profile,
    service: Service,
) -> Result<StatusReport, OpsError> {
    supervisor.expect_status().return_once(|_| Ok(service));
    run_ready(status::read_report(&home.host, &home.layout, &supervisor, profile))
}

fn foreground() -> Service {
    Service { presence: Presence::Foreground, ..Service::unregistered() }
}

fn asked(home: &Home, profile: &Profile, word: &str) {
    let text = format!("{{\"intent\":\"{word}\"}}");
    std::fs::write(home.layout.intent(profile), text).expect("a file");
}

#[rstest]
#[case::nothing(Service::unregistered())]
#[case::no_supervisor_here(foreground())]
fn who_has_neither_slot_nor_profile_is_an_error(#[case] service: Service) {
    let home = Home::new();
    let typo = Profile::parse("typo").expect("legal");
    let found = report(&home, registrar(), &typo, service);
    assert_eq!(found, Err(OpsError::Supervisor(SupervisorError::NotRegistered(typo))));
}

#[test]
fn a_slot_without_its_profile_is_told_of() {
    let home = Home::new();
    let gone = Profile::parse("gone").expect("legal");
    let found = report(&home, registrar(), &gone, down()).expect("a slot");
    assert_eq!((found.verdict(), found.drifts), (Verdict::Down, vec![]));
}

#[test]
fn how_long_it_has_been_so_is_told_where_it_is_known() {
    let home = Home::new();
    let coder = home.profile("coder");
    let found = report(&home, registrar(), &coder, down()).expect("a slot");
    assert!(found.state_age > Some(Duration::from_secs(86_400)), "{:?}", found.state_age);
    let unknown = Service { since: Duration::ZERO, ..down() };
    let found = report(&home, registrar(), &coder, unknown).expect("a slot");
    assert_eq!(found.state_age, None);
}

#[rstest]
#[case::a_slot_comes_with_its_profile(registrar(), "stopped", &[Drift::Unregistered])]
#[case::who_shall_run_needs_a_service(registrar_of_a_host(), "running", &[Drift::Unregistered])]
#[case::who_shall_not_needs_none(registrar_of_a_host(), "stopped", &[])]
fn a_missing_service_is_a_drift_where_there_should_be_one(
    #[case] supervisor: MockRegistrar,
    #[case] word: &str,
    #[case] expected: &[Drift],
) {
    let home = Home::new();
    let coder = home.profile("coder");
    asked(&home, &coder, word);
    let found = report(&home, supervisor, &coder, Service::unregistered()).expect("a profile");
    assert_eq!(found.drifts, expected);
}

#[test]
fn on_a_host_another_drift_of_who_shall_be_down_is_told() {
    let home = Home::new();
    let coder = home.profile("coder");
    asked(&home, &coder, "stopped");
    let found = report(&home, registrar_of_a_host(), &coder, up(77)).expect("a service");
    assert!(found.drifts.contains(&Drift::WantedUp), "{:?}", found.drifts);
}

/// Another process holds the gateway's lock.
fn held() -> impl Host {
    Answering::new(|effect| {
        matches!(effect, Effect::IsLocked { .. }).then_some(Ok(Answer::Flag(true)))
    })
}

#[rstest]
#[case::somebody_lives(true, Verdict::Up)]
#[case::nobody_lives(false, Verdict::Down)]
fn without_a_supervisor_a_gateway_is_up_if_it_lives(
    #[case] lives: bool,
    #[case] expected: Verdict,
) {
    let home = Home::new();
    let coder = home.profile("coder");
    asked(&home, &coder, "running");
    if lives {
        std::fs::write(home.layout.gateway_lock(&coder), "").expect("a file");
    }
    let mut supervisor = registrar();
    supervisor.expect_status().return_once(|_| Ok(foreground()));
    let found = run_ready(status::read_report(&held(), &home.layout, &supervisor, &coder));
    let found = found.expect("a profile");
    assert_eq!((found.verdict(), found.drifts), (expected, vec![]));
}

#[test]
fn a_gateway_outside_its_slot_is_a_drift() {
    let home = Home::new();
    let coder = home.profile("coder");
    asked(&home, &coder, "stopped");
    std::fs::write(home.layout.gateway_lock(&coder), "").expect("a file");
    let mut supervisor = registrar();
    supervisor.expect_status().return_once(|_| Ok(down()));
    let found = run_ready(status::read_report(&held(), &home.layout, &supervisor, &coder));
    assert_eq!(found.expect("a slot").drifts, [Drift::Orphan { pid: None }]);
}

#[rstest]
#[case::nobody_reads_the_pipe("pipe:[7]", false, &[Drift::LogStuck])]
#[case::it_is_read("pipe:[7]", true, &[])]
#[case::it_is_no_pipe("socket:[7]", false, &[])]
fn a_log_is_stuck_when_its_pipe_stays_full(
    #[case] stream: &str,
    #[case] has_room: bool,
    #[case] expected: &[Drift],
) {
    let home = Home::new();
    let coder = home.profile("coder");
    asked(&home, &coder, "running");
    let clock = Cell::new(Duration::ZERO);
    let host = Answering::new(|effect| match effect {
        Effect::ReadLink { place } if place.path.ends_with("fd/2") => {
            Some(Ok(Answer::Path(stream.into())))
        }
        Effect::Open { place, .. } if place.path.ends_with("fd/2") => {
            Some(Ok(Answer::Handle(Handle(99))))
        }
        Effect::HasRoom { .. } => Some(Ok(Answer::Flag(has_room))),
        Effect::Close { handle: Handle(99) } => Some(Ok(Answer::Done)),
        Effect::Now { .. } => Some(Ok(Answer::Time(clock.get()))),
        Effect::Sleep { duration } => {
            clock.set(clock.get() + *duration);
            Some(Ok(Answer::Done))
        }
        _ => None,
    });
    let mut supervisor = registrar();
    supervisor.expect_status().return_once(|_| Ok(up(7)));
    let found = run_ready(status::read_report(&host, &home.layout, &supervisor, &coder));
    assert_eq!(found.expect("a slot").drifts, expected);
}
