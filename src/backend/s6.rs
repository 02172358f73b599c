//! s6: one service directory (slot) a profile in a scan directory, controlled through `s6-svc` and `s6-svscanctl`, and
//! read through its status record.
//!
//! ```text
//!   publish:     .gateway-P.XXX/ built whole ──rename──► gateway-P/ ──s6-svscanctl -a──► supervised
//!   unregister:  down, wait ──rename──► .gateway-P.XXX/ ──s6-svscanctl -an──► locks free ──► removed
//! ```
//!
//! The slot's `down` file is kept equal to the last request: s6-supervise forgets its target state when it dies, and
//! reads `down` when it starts anew. Nothing here knows intents, markers or profiles' files.

mod control;
pub mod hand_over;
mod publish;
mod scanner;
mod slot;
mod status;
mod status_record;
mod takedown;
mod tools;

use std::path::PathBuf;
use std::time::Duration;

pub use slot::{SlotFile, render};
pub use tools::{OWN_TREE, Tools};

use crate::host::Host;
use crate::name::{Profile, Slot};
use crate::supervisor::{
    Goal, Leftover, Listing, Published, Registrar, Service, ServiceSpec, Supervisor,
    SupervisorError, TargetState, wait,
};

/// s6 on one scan directory.
#[derive(Debug)]
pub struct S6<'host, H> {
    host: &'host H,
    scan_dir: PathBuf,
    tools: Tools,
}

impl<'host, H: Host> S6<'host, H> {
    /// Looks for the tools. A missing tool is an error only of the act that needs it.
    pub async fn open(host: &'host H, scan_dir: PathBuf, bin_dir: Option<PathBuf>) -> Self {
        let tools = Tools::find(host, bin_dir).await;
        Self { host, scan_dir, tools }
    }

    fn slot_dir(&self, profile: &Profile) -> PathBuf {
        self.scan_dir.join(Slot::for_profile(profile).as_str())
    }
}

impl<H: Host> Supervisor for S6<'_, H> {
    async fn start(&self, profile: &Profile) -> Result<(), SupervisorError> {
        publish::set_at_start(self, profile, TargetState::Up).await?;
        control::send_control(self, profile, "start", "-u").await
    }

    async fn stop(&self, profile: &Profile) -> Result<(), SupervisorError> {
        publish::set_at_start(self, profile, TargetState::Down).await?;
        control::send_control(self, profile, "stop", "-d").await
    }

    /// Both letters go in one write: s6-supervise sends the down signal and arms `timeout-kill`, and the target state
    /// stays up.
    async fn restart(&self, profile: &Profile) -> Result<(), SupervisorError> {
        publish::set_at_start(self, profile, TargetState::Up).await?;
        control::send_control(self, profile, "restart", "-du").await
    }

    async fn status(&self, profile: &Profile) -> Result<Service, SupervisorError> {
        status::read_service(self, &self.slot_dir(profile)).await
    }

    async fn wait(
        &self,
        profile: &Profile,
        goal: Goal,
        timeout: Duration,
    ) -> Result<Service, SupervisorError> {
        let dir = self.slot_dir(profile);
        wait::until(self.host, profile, goal, timeout, async || {
            status::read_service(self, &dir).await
        })
        .await
    }
}

impl<H: Host> Registrar for S6<'_, H> {
    async fn publish(
        &self,
        spec: &ServiceSpec,
        at_start: TargetState,
    ) -> Result<Published, SupervisorError> {
        publish::publish(self, spec, at_start).await
    }

    async fn rescan(&self) -> Result<(), SupervisorError> {
        control::rescan(self).await
    }

    async fn unregister(
        &self,
        profile: &Profile,
        timeout: Duration,
    ) -> Result<(), SupervisorError> {
        takedown::unregister(self, profile, timeout).await
    }

    async fn list(&self) -> Result<Listing, SupervisorError> {
        publish::list(self).await
    }

    async fn sweep(&self, leftover: &Leftover, timeout: Duration) -> Result<(), SupervisorError> {
        takedown::sweep(self, leftover, timeout).await
    }
}
