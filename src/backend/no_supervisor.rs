//! A machine without a supervisor: profiles can be made and removed, gateways run only in the foreground.
//!
//! Registering succeeds and does nothing; asking for a start or a stop is an error, because it would have no effect.

use std::time::Duration;

use crate::name::Profile;
use crate::supervisor::{
    Goal, Listing, Presence, Published, Registrar, Service, ServiceSpec, Supervisor,
    SupervisorError, TargetState,
};

/// No supervisor.
#[derive(Clone, Copy, Debug)]
pub struct NoSupervisor;

impl NoSupervisor {
    fn refuse(profile: &Profile) -> SupervisorError {
        SupervisorError::NotListening(profile.to_string())
    }
}

impl Supervisor for NoSupervisor {
    async fn start(&self, profile: &Profile) -> Result<(), SupervisorError> {
        Err(Self::refuse(profile))
    }

    async fn stop(&self, profile: &Profile) -> Result<(), SupervisorError> {
        Err(Self::refuse(profile))
    }

    async fn restart(&self, profile: &Profile) -> Result<(), SupervisorError> {
        Err(Self::refuse(profile))
    }

    async fn status(&self, _profile: &Profile) -> Result<Service, SupervisorError> {
        Ok(Service { presence: Presence::Foreground, ..Service::unregistered() })
    }

    async fn wait(
        &self,
        _profile: &Profile,
        _goal: Goal,
        _timeout: Duration,
    ) -> Result<Service, SupervisorError> {
        Ok(Service { presence: Presence::Foreground, ..Service::unregistered() })
    }
}

impl Registrar for NoSupervisor {
    async fn publish(
        &self,
        _spec: &ServiceSpec,
        _at_start: TargetState,
    ) -> Result<Published, SupervisorError> {
        Ok(Published::Unchanged)
    }

    async fn unregister(&self, _: &Profile, _: Duration) -> Result<(), SupervisorError> {
        Ok(())
    }

    async fn list(&self) -> Result<Listing, SupervisorError> {
        Ok(Listing::default())
    }
}
