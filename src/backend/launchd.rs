//! launchd: one launch agent a profile, `~/Library/LaunchAgents/hermes.gateway.PROFILE.plist`.
//!
//! ```text
//!   publish:  property list (durable) ─► enable | disable
//!   start:    enable  ─► bootstrap, or kickstart where it is loaded       stop:  disable ─► bootout
//! ```
//!
//! Loaded is launchd's term for "target state up": launchd restarts a loaded agent when it fails. launchd does not
//! learn that a gateway is ready, nor why it leaves a gateway down; the gateway's own state file says both. Nothing
//! here decides by intents or markers.

mod agent;
mod launchctl;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use agent::render;

use super::{file_services, self_report};
use crate::error::{Errno, HostError, if_present};
use crate::host::Host;
use crate::host::effect::Status;
use crate::layout::Layout;
use crate::name::Profile;
use crate::record::file;
use crate::supervisor::{
    Goal, Listing, PERMANENT_FAILURE, Presence, ProcessState, Published, Registrar, Registration,
    Service, ServiceSpec, Supervisor, SupervisorError, TargetState, wait,
};
use agent::{home_lines, is_expressible, label};
use launchctl::{
    ALREADY, IN_PROGRESS, Launchctl, NOT_FOUND, NOT_RUNNING, accept_codes, is_disabled, parse_job,
};

/// A drain takes no longer than this by default. With a longer configured drain the command reports a timeout.
const UNLOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// launchd, for one user.
#[derive(Debug)]
pub struct Launchd<'host, H> {
    host: &'host H,
    layout: Layout,
    /// `gui/501`: the domain that exists while its user is logged in.
    domain: String,
    agents: PathBuf,
    launchctl: Launchctl,
}

impl<'host, H: Host> Launchd<'host, H> {
    /// Makes no system call yet.
    pub fn open(
        host: &'host H,
        uid: u32,
        layout: &Layout,
        env: &BTreeMap<OsString, OsString>,
        bin_dir: Option<PathBuf>,
    ) -> Self {
        let home = env.get(OsStr::new("HOME")).map_or(OsStr::new("/"), OsString::as_os_str);
        Self {
            host,
            layout: layout.clone(),
            domain: format!("gui/{uid}"),
            agents: Path::new(home).join("Library/LaunchAgents"),
            launchctl: Launchctl::new(env, bin_dir),
        }
    }

    /// Does it answer?
    pub async fn answers(&self) -> bool {
        self.launchctl.run_action(self.host, "managername", "launchd", &[]).await.is_ok()
    }

    fn path(&self, profile: &Profile) -> PathBuf {
        self.agents.join(format!("{}.plist", label(profile)))
    }

    fn target(&self, profile: &Profile) -> String {
        format!("{}/{}", self.domain, label(profile))
    }

    /// `launchctl ACTION gui/UID/LABEL`.
    async fn run_action(
        &self,
        profile: &Profile,
        action: &'static str,
        before: &[&str],
    ) -> Result<String, SupervisorError> {
        let target = self.target(profile);
        let args: Vec<&str> = before.iter().copied().chain([target.as_str()]).collect();
        self.launchctl.run_action(self.host, action, &label(profile), &args).await
    }

    async fn read_agent(&self, profile: &Profile) -> Result<Option<String>, HostError> {
        let read = file::read(self.host, &self.path(profile), file::RECORD_BYTES_MAX).await;
        Ok(if_present(read)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn is_ours(&self, agent: &str) -> bool {
        agent.contains(&home_lines(self.layout.root()))
    }

    async fn read_job(&self, profile: &Profile) -> Result<Option<launchctl::Job>, SupervisorError> {
        let label = label(profile);
        let list = self.launchctl.run_action(self.host, "list", &label, &[]).await?;
        let odd = |reason| SupervisorError::OddStatus { path: self.path(profile), reason };
        parse_job(&list, &label).map_err(odd)
    }

    /// Returns whether that changed anything.
    async fn set_at_start(
        &self,
        profile: &Profile,
        at_start: TargetState,
    ) -> Result<bool, SupervisorError> {
        if self.read_at_start(profile).await? == at_start {
            return Ok(false);
        }
        let action = match at_start {
            TargetState::Up => "enable",
            TargetState::Down => "disable",
        };
        self.run_action(profile, action, &[]).await?;
        Ok(true)
    }

    async fn read_at_start(&self, profile: &Profile) -> Result<TargetState, SupervisorError> {
        let label = label(profile);
        let args = [self.domain.as_str()];
        let text = self.launchctl.run_action(self.host, "print-disabled", &label, &args).await?;
        Ok(if is_disabled(&text, &label) { TargetState::Down } else { TargetState::Up })
    }

    /// A loaded agent that does not run is started; an agent that is not loaded is loaded, which starts it.
    async fn load_or_start(&self, profile: &Profile) -> Result<(), SupervisorError> {
        if self.read_job(profile).await?.is_some() {
            match self.run_action(profile, "kickstart", &[]).await {
                // It was stopped a moment ago: launchd cannot take back an agent that is being unloaded.
                Err(SupervisorError::Command { code: IN_PROGRESS, .. })
                    if !planted!(LeavingAgentNotAwaited) =>
                {
                    self.await_unloaded(profile).await?;
                }
                result => return result.map(drop),
            }
        }
        let path = self.path(profile);
        let args = [self.domain.as_str(), &path.to_string_lossy()];
        let result =
            self.launchctl.run_action(self.host, "bootstrap", &label(profile), &args).await;
        accept_codes(&[ALREADY, IN_PROGRESS], result)
    }

    async fn await_unloaded(&self, profile: &Profile) -> Result<(), SupervisorError> {
        let unloaded = file::poll(self.host, UNLOAD_TIMEOUT, async || {
            Ok::<_, SupervisorError>(self.read_job(profile).await?.is_none().then_some(()))
        });
        unloaded.await?.ok_or_else(|| SupervisorError::Hung {
            tool: "launchctl",
            action: "bootout",
            service: label(profile),
            waited: UNLOAD_TIMEOUT,
        })
    }

    async fn process_state(
        &self,
        profile: &Profile,
        job: Option<launchctl::Job>,
    ) -> (TargetState, ProcessState) {
        match job {
            None => (TargetState::Down, ProcessState::Down { last: None }),
            Some(job) => match (job.pid, job.last) {
                (Some(pid), _) => {
                    let note = self_report::read(self.host, &self.layout, profile).await;
                    // The report must be from this very process.
                    let ready =
                        note.is_some_and(|note| note.pid == pid && note.has_state("running"));
                    (TargetState::Up, ProcessState::Up { pid, ready })
                }
                // It succeeded, or has not begun: launchd does not restart it. A permanent failure ends this way, too.
                (None, Status::Exited(0)) => {
                    let failed =
                        self_report::reports_startup_failure(self.host, &self.layout, profile)
                            .await;
                    let last = failed.then_some(Status::Exited(PERMANENT_FAILURE));
                    (TargetState::Down, ProcessState::Down { last })
                }
                (None, last) => (TargetState::Up, ProcessState::Down { last: Some(last) }),
            },
        }
    }
}

impl<H: Host> Supervisor for Launchd<'_, H> {
    async fn start(&self, profile: &Profile) -> Result<(), SupervisorError> {
        self.set_at_start(profile, TargetState::Up).await?;
        self.load_or_start(profile).await
    }

    async fn stop(&self, profile: &Profile) -> Result<(), SupervisorError> {
        if !planted!(StopLeavesEnabled) {
            self.set_at_start(profile, TargetState::Down).await?;
        }
        if planted!(StopLeavesLoaded) {
            return Ok(());
        }
        let result = self.run_action(profile, "bootout", &[]).await;
        accept_codes(&[NOT_RUNNING, NOT_FOUND, IN_PROGRESS], result)
    }

    /// A running gateway is told to end, and its exit code makes launchd start it again.
    async fn restart(&self, profile: &Profile) -> Result<(), SupervisorError> {
        self.set_at_start(profile, TargetState::Up).await?;
        match self.read_job(profile).await? {
            Some(launchctl::Job { pid: Some(_), .. }) => {
                self.run_action(profile, "kill", &["SIGTERM"]).await.map(drop)
            }
            _ => self.load_or_start(profile).await,
        }
    }

    async fn status(&self, profile: &Profile) -> Result<Service, SupervisorError> {
        let agent = self.read_agent(profile).await?;
        if !agent.is_some_and(|agent| self.is_ours(&agent)) {
            return Ok(Service::unregistered());
        }
        let job = self.read_job(profile).await?;
        let at_start = self.read_at_start(profile).await?;
        let (loaded, fact) = self.process_state(profile, job).await;
        // Disabled and still there: it is being unloaded.
        let target_state = if at_start == TargetState::Down { TargetState::Down } else { loaded };
        Ok(Service {
            presence: Presence::Supervised,
            target_state,
            at_start,
            process_state: fact,
            // launchd does not report when.
            since: Duration::ZERO,
            paused: false,
            is_reported: true,
        })
    }

    async fn wait(
        &self,
        profile: &Profile,
        goal: Goal,
        timeout: Duration,
    ) -> Result<Service, SupervisorError> {
        let poll = async || self.status(profile).await;
        wait::until_or_failed(self.host, profile, goal, timeout, poll).await
    }

    fn registration(&self) -> Registration {
        Registration::OnRequest
    }

    async fn caveats(&self) -> Vec<String> {
        vec![
            "launch agents live while you are logged in: after a reboot your gateways wait for your login"
                .to_owned(),
        ]
    }
}

impl<H: Host> Registrar for Launchd<'_, H> {
    async fn publish(
        &self,
        spec: &ServiceSpec,
        at_start: TargetState,
    ) -> Result<Published, SupervisorError> {
        for path in [&spec.home, &spec.program] {
            if !is_expressible(path) {
                return Err(HostError::new("name in an agent", path, Errno::INVAL).into());
            }
        }
        let path = self.path(&spec.profile);
        let present = self.read_agent(&spec.profile).await?;
        if present.as_ref().is_some_and(|agent| !self.is_ours(agent)) {
            return Err(SupervisorError::Taken { path, by: "another home".to_owned() });
        }
        let agent = render(spec);
        file::make_dirs(self.host, &spec.log_dir, 0o755).await?;
        let mut published = Published::Unchanged;
        // Disabled first: an enabled agent that lies here is started at the next login.
        let switched = self.set_at_start(&spec.profile, at_start).await?;
        if present.as_deref() != Some(&agent) {
            file::make_dirs(self.host, &self.agents, 0o755).await?;
            file::replace(self.host, &path, agent.as_bytes(), 0o644).await?;
            published = if present.is_some() { Published::Updated } else { Published::New };
        }
        if switched && published == Published::Unchanged {
            published = Published::Updated;
        }
        Ok(published)
    }

    async fn unregister(
        &self,
        profile: &Profile,
        timeout: Duration,
    ) -> Result<(), SupervisorError> {
        match self.read_agent(profile).await? {
            Some(agent) if self.is_ours(&agent) => {}
            _ => return Ok(()),
        }
        self.stop(profile).await?;
        self.wait(profile, Goal::Down, timeout).await?;
        file::remove(self.host, &self.path(profile)).await?;
        Ok(file::sync_dir(self.host, &self.agents).await?)
    }

    async fn list(&self) -> Result<Listing, SupervisorError> {
        file_services::list(
            self.host,
            &self.agents,
            ["hermes.gateway.", ".plist"],
            async |profile| {
                Ok(self.read_agent(profile).await?.is_some_and(|agent| self.is_ours(&agent)))
            },
        )
        .await
    }
}
