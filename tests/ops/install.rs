//! Install and uninstall above a mocked supervisor: a service is registered, and runs only if its intent is running.

use hermes::host::os::run_ready;
use hermes::name::Profile;
use hermes::ops::install::{self, InstallOutcome};
use hermes::ops::{OpsError, Patience};
use hermes::supervisor::{Published, Service, SupervisorError, TargetState};
use rstest::rstest;

use crate::support::home::Home;
use crate::support::supervisor::{MockRegistrar, down, registrar_of_a_host, up};

fn published(published: Published, at_start: TargetState) -> MockRegistrar {
    let mut supervisor = registrar_of_a_host();
    supervisor
        .expect_publish()
        .withf(move |_, asked| *asked == at_start)
        .once()
        .returning(move |_, _| Ok(published));
    supervisor.expect_rescan().returning(|| Ok(()));
    supervisor.expect_wait().returning(|_, _, _| Ok(down()));
    supervisor
}

#[rstest]
#[case::new(Published::New, InstallOutcome::Installed)]
#[case::updated(Published::Updated, InstallOutcome::Updated)]
#[case::unchanged(Published::Unchanged, InstallOutcome::Unchanged)]
fn install_starts_nobody_who_shall_be_down(
    #[case] found: Published,
    #[case] expected: InstallOutcome,
) {
    let home = Home::new();
    let coder = home.profile("coder");
    let supervisor = published(found, TargetState::Down);
    let installed = run_ready(install::install(&home.context(&supervisor), &coder));
    assert_eq!(installed, Ok((expected, vec![])));
}

#[rstest]
#[case::new(Published::New, InstallOutcome::InstalledAndStarted)]
#[case::updated(Published::Updated, InstallOutcome::Updated)]
fn install_starts_who_shall_run(#[case] found: Published, #[case] expected: InstallOutcome) {
    let home = Home::new();
    let coder = home.profile("coder");
    std::fs::write(home.layout.intent(&coder), r#"{"intent":"running"}"#).expect("a file");
    let mut supervisor = published(found, TargetState::Up);
    supervisor.expect_start().once().returning(|_| Ok(()));
    let installed = run_ready(install::install(&home.context(&supervisor), &coder));
    assert_eq!(installed, Ok((expected, vec![])));
}

#[test]
fn install_of_a_profile_that_does_not_exist_touches_nothing() {
    let home = Home::new();
    let typo = Profile::parse("typo").expect("legal");
    let supervisor = registrar_of_a_host();
    let installed = run_ready(install::install(&home.context(&supervisor), &typo));
    assert_eq!(installed, Err(OpsError::Supervisor(SupervisorError::NotRegistered(typo))));
    assert_eq!(home.names(), Vec::<String>::new());
}

#[test]
fn uninstall_stores_the_word_and_ends_the_gateway_before_the_service_goes() {
    let home = Home::new();
    let coder = home.profile("coder");
    std::fs::write(home.layout.intent(&coder), r#"{"intent":"running"}"#).expect("a file");
    let mut order = mockall::Sequence::new();
    let mut supervisor = registrar_of_a_host();
    supervisor.expect_status().returning(|_| Ok(up(std::process::id())));
    supervisor.expect_stop().once().in_sequence(&mut order).returning(|_| Ok(()));
    supervisor.expect_wait().once().in_sequence(&mut order).returning(|_, _, _| Ok(down()));
    supervisor.expect_unregister().once().in_sequence(&mut order).returning(|_, _| Ok(()));
    let context = home.context(&supervisor);
    let uninstalled = run_ready(install::uninstall(&context, &coder, Patience::Usual));
    assert_eq!(uninstalled, Ok((InstallOutcome::Uninstalled, vec![])));
    assert_eq!(home.intent(&coder), "stopped");
}

#[test]
fn uninstall_of_what_is_not_installed_says_so_and_of_what_does_not_exist_too() {
    let home = Home::new();
    let coder = home.profile("coder");
    let mut supervisor = registrar_of_a_host();
    supervisor.expect_status().returning(|_| Ok(Service::unregistered()));
    let context = home.context(&supervisor);
    let uninstalled = run_ready(install::uninstall(&context, &coder, Patience::Usual));
    assert_eq!(uninstalled, Ok((InstallOutcome::Absent, vec![])));
    let typo = Profile::parse("typo").expect("legal");
    let uninstalled = run_ready(install::uninstall(&context, &typo, Patience::Usual));
    assert_eq!(uninstalled, Err(OpsError::Supervisor(SupervisorError::NotRegistered(typo))));
}
