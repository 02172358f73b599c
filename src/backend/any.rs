//! The backend of this machine, as one type. It chooses nothing: [`crate::detect`] did.

use std::time::Duration;

use super::launchd::Launchd;
use super::no_supervisor::NoSupervisor;
use super::s6::S6;
use super::systemd::Systemd;
use super::windows::Windows;
use crate::host::Host;
use crate::name::Profile;
use crate::supervisor::{
    Goal, Leftover, Listing, Published, Registrar, Registration, Service, ServiceSpec, Supervisor,
    SupervisorError, TargetState,
};

/// One of the backends.
#[derive(Debug)]
pub enum AnyBackend<'host, H> {
    /// s6.
    S6(S6<'host, H>),
    /// systemd.
    Systemd(Systemd<'host, H>),
    /// launchd.
    Launchd(Launchd<'host, H>),
    /// Windows' Task Scheduler.
    Windows(Windows<'host, H>),
    /// No supervisor.
    NoSupervisor(NoSupervisor),
}

macro_rules! either {
    ($any:expr, $backend:ident => $call:expr) => {
        match $any {
            AnyBackend::S6($backend) => $call,
            AnyBackend::Systemd($backend) => $call,
            AnyBackend::Launchd($backend) => $call,
            AnyBackend::Windows($backend) => $call,
            AnyBackend::NoSupervisor($backend) => $call,
        }
    };
}

impl<H: Host> Supervisor for AnyBackend<'_, H> {
    async fn start(&self, profile: &Profile) -> Result<(), SupervisorError> {
        either!(self, backend => backend.start(profile).await)
    }

    async fn stop(&self, profile: &Profile) -> Result<(), SupervisorError> {
        either!(self, backend => backend.stop(profile).await)
    }

    async fn restart(&self, profile: &Profile) -> Result<(), SupervisorError> {
        either!(self, backend => backend.restart(profile).await)
    }

    async fn status(&self, profile: &Profile) -> Result<Service, SupervisorError> {
        either!(self, backend => backend.status(profile).await)
    }

    async fn wait(
        &self,
        profile: &Profile,
        goal: Goal,
        timeout: Duration,
    ) -> Result<Service, SupervisorError> {
        either!(self, backend => backend.wait(profile, goal, timeout).await)
    }

    fn registration(&self) -> Registration {
        either!(self, backend => backend.registration())
    }

    async fn caveats(&self) -> Vec<String> {
        either!(self, backend => backend.caveats().await)
    }
}

impl<H: Host> Registrar for AnyBackend<'_, H> {
    async fn publish(
        &self,
        spec: &ServiceSpec,
        at_start: TargetState,
    ) -> Result<Published, SupervisorError> {
        either!(self, backend => backend.publish(spec, at_start).await)
    }

    async fn rescan(&self) -> Result<(), SupervisorError> {
        either!(self, backend => backend.rescan().await)
    }

    async fn unregister(
        &self,
        profile: &Profile,
        timeout: Duration,
    ) -> Result<(), SupervisorError> {
        either!(self, backend => backend.unregister(profile, timeout).await)
    }

    async fn list(&self) -> Result<Listing, SupervisorError> {
        either!(self, backend => backend.list().await)
    }

    async fn sweep(&self, leftover: &Leftover, timeout: Duration) -> Result<(), SupervisorError> {
        either!(self, backend => backend.sweep(leftover, timeout).await)
    }
}
