//! A supervisor that does what a test expects of it, for the operations above the seam.

use std::time::Duration;

use hermes::host::effect::Pid;
use hermes::name::Profile;
use hermes::supervisor::{
    Goal, Leftover, Listing, Presence, ProcessState, Published, Registrar, Registration, Service,
    ServiceSpec, Supervisor, SupervisorError, TargetState,
};

mockall::mock! {
    pub(crate) Registrar {}

    impl Supervisor for Registrar {
        async fn start(&self, profile: &Profile) -> Result<(), SupervisorError>;
        async fn stop(&self, profile: &Profile) -> Result<(), SupervisorError>;
        async fn restart(&self, profile: &Profile) -> Result<(), SupervisorError>;
        async fn status(&self, profile: &Profile) -> Result<Service, SupervisorError>;
        async fn wait(&self, profile: &Profile, goal: Goal, timeout: Duration) -> Result<Service, SupervisorError>;
        fn registration(&self) -> Registration;
    }

    impl Registrar for Registrar {
        async fn publish(&self, spec: &ServiceSpec, at_start: TargetState) -> Result<Published, SupervisorError>;
        async fn rescan(&self) -> Result<(), SupervisorError>;
        async fn unregister(&self, profile: &Profile, timeout: Duration) -> Result<(), SupervisorError>;
        async fn list(&self) -> Result<Listing, SupervisorError>;
        async fn sweep(&self, stray: &Leftover, timeout: Duration) -> Result<(), SupervisorError>;
    }
}

/// A supervisor whose slots come with their profiles, as under s6.
pub(crate) fn registrar() -> MockRegistrar {
    let mut supervisor = MockRegistrar::new();
    supervisor.expect_registration().return_const(Registration::WithProfile);
    supervisor
}

/// A supervisor whose services are registered on request, as on a host.
pub(crate) fn registrar_of_a_host() -> MockRegistrar {
    let mut supervisor = MockRegistrar::new();
    supervisor.expect_registration().return_const(Registration::OnRequest);
    supervisor
}

/// A supervised service, its time stamp a second after the epoch.
fn service(want: TargetState, fact: ProcessState) -> Service {
    let since = Duration::from_secs(1);
    Service {
        presence: Presence::Supervised,
        target_state: want,
        at_start: want,
        process_state: fact,
        since,
        paused: false,
        is_reported: true,
    }
}

/// One that runs and is ready.
pub(crate) fn up(pid: u32) -> Service {
    let pid = Pid::new(i64::from(pid)).expect("above 1");
    service(TargetState::Up, ProcessState::Up { pid, ready: true })
}

/// One that does not run.
pub(crate) fn down() -> Service {
    service(TargetState::Down, ProcessState::Down { last: None })
}

/// A supervisor that accepts every call and returns this status; a wait for a gateway's readiness is not expected.
pub(crate) fn obliging(found: &Service) -> MockRegistrar {
    let mut supervisor = registrar();
    let found = found.clone();
    supervisor.expect_status().returning(move |_| Ok(found.clone()));
    supervisor.expect_stop().returning(|_| Ok(()));
    supervisor
        .expect_wait()
        .withf(|_, goal, _| !matches!(goal, Goal::Ready { .. }))
        .returning(|_, _, _| Ok(down()));
    supervisor.expect_unregister().returning(|_, _| Ok(()));
    supervisor.expect_publish().returning(|_, _| Ok(Published::New));
    supervisor.expect_rescan().returning(|| Ok(()));
    supervisor
}
