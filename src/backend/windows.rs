//! Windows: one scheduled task a profile, `\hermes\gateway-PROFILE`, of the user.
//!
//! ```text
//!   publish:  /Create /XML, enabled or not
//!   start:    /Change /ENABLE ─► /Run          stop:  /Change /DISABLE ─► /End
//! ```
//!
//! Enabled is Task Scheduler's term for "target state up": an enabled task is started at logon, and whenever it does
//! not run. Task Scheduler does not report which process runs, nor learns that it is ready; the gateway's own state
//! file says both. Nothing here knows intents or markers. No `cfg`: this compiles, and is tested, where there is no
//! Windows.

mod schtasks;
mod task;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

pub use task::render;

use super::self_report;
use crate::error::{Errno, HostError};
use crate::host::Host;
use crate::layout::Layout;
use crate::name::Profile;
use crate::record::{file, identity};
use crate::supervisor::{
    Goal, Listing, Presence, ProcessState, Published, Registrar, Registration, Service,
    ServiceSpec, Supervisor, SupervisorError, TargetState, wait,
};
use schtasks::{Schtasks, parse_at_start, parse_names, parse_run};
use task::{FOLDER, home_prefix, is_expressible, task_name, version_line};

/// A drain takes no longer than this by default. With a longer configured drain the command reports a timeout.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// Task Scheduler, for one user.
#[derive(Debug)]
pub struct Windows<'host, H> {
    host: &'host H,
    layout: Layout,
    /// `DOMAIN\NAME`.
    user: String,
    is_here: bool,
    schtasks: Schtasks,
}

impl<'host, H: Host> Windows<'host, H> {
    /// Makes no system call yet.
    pub fn open(
        host: &'host H,
        layout: &Layout,
        env: &BTreeMap<OsString, OsString>,
        bin_dir: Option<PathBuf>,
    ) -> Self {
        let var = |name: &str| env.get(OsStr::new(name)).map(|value| value.to_string_lossy());
        let (domain, user) = (var("USERDOMAIN"), var("USERNAME").unwrap_or_default());
        Self {
            host,
            layout: layout.clone(),
            user: domain.map_or_else(|| user.to_string(), |domain| format!("{domain}\\{user}")),
            is_here: var("OS").is_some_and(|os| os == "Windows_NT"),
            schtasks: Schtasks::new(env, bin_dir),
        }
    }

    /// Is this Windows, and does its Task Scheduler answer?
    pub async fn answers(&self) -> bool {
        self.is_here && self.list_all().await.is_ok()
    }

    /// Prevents automatic restarts of the gateway: its configuration is wrong.
    pub async fn disable(&self, profile: &Profile) -> Result<(), SupervisorError> {
        self.run_action(profile, "/Change", &["/DISABLE"]).await.map(drop)
    }

    async fn list_all(&self) -> Result<String, SupervisorError> {
        let args = ["/FO", "CSV", "/NH"];
        self.schtasks.run_action(self.host, "/Query", "Task Scheduler", &args).await
    }

    async fn run_action(
        &self,
        profile: &Profile,
        action: &'static str,
        more: &[&str],
    ) -> Result<String, SupervisorError> {
        let name = task_name(profile);
        let args: Vec<&str> = ["/TN", &name].into_iter().chain(more.iter().copied()).collect();
        self.schtasks.run_action(self.host, action, &name, &args).await
    }

    /// The task of that name as Task Scheduler has it, of any author.
    async fn read_task(&self, profile: &Profile) -> Result<Option<String>, SupervisorError> {
        let name = task_name(profile);
        match parse_names(&self.list_all().await?).any(|other| other == name) {
            true => self.run_action(profile, "/Query", &["/XML"]).await.map(Some),
            false => Ok(None),
        }
    }

    fn is_ours(&self, task: &str) -> bool {
        task.contains(&home_prefix(self.layout.root()))
    }

    async fn read_run(&self, profile: &Profile) -> Result<schtasks::TaskRun, SupervisorError> {
        let text = self.run_action(profile, "/Query", &["/V", "/FO", "CSV", "/NH"]).await?;
        let odd = |reason| SupervisorError::OddStatus { path: task_name(profile).into(), reason };
        parse_run(&text).map_err(odd)
    }

    async fn read_service(
        &self,
        profile: &Profile,
        task: &str,
    ) -> Result<Service, SupervisorError> {
        let enabled = parse_at_start(task);
        let run = self.read_run(profile).await?;
        let (running_target, process_state) =
            match (run.is_running, self.read_live_report(profile).await) {
                (true, Some(note)) if note.has_state("draining") => {
                    (TargetState::Down, ProcessState::Up { pid: note.pid, ready: true })
                }
                (true, Some(note)) => (
                    TargetState::Up,
                    ProcessState::Up { pid: note.pid, ready: note.has_state("running") },
                ),
                // It has reported that it ends, and is not gone.
                (true, None) if enabled == TargetState::Down => {
                    (TargetState::Down, ProcessState::Finishing)
                }
                // It has not reported its identity yet.
                (true, None) => (TargetState::Up, ProcessState::Down { last: None }),
                (false, _) => (TargetState::Up, ProcessState::Down { last: run.last }),
            };
        Ok(Service {
            presence: Presence::Supervised,
            target_state: if enabled == TargetState::Down {
                TargetState::Down
            } else {
                running_target
            },
            at_start: enabled,
            process_state,
            // It reports when, but in the machine's language.
            since: Duration::ZERO,
            paused: false,
            is_reported: true,
        })
    }

    /// The self-report of a gateway that is alive.
    async fn read_live_report(&self, profile: &Profile) -> Option<self_report::SelfReport> {
        let note = self_report::read(self.host, &self.layout, profile).await?;
        let number = u32::try_from(note.pid.raw()).ok()?;
        identity::start_time(self.host, number).await.ok()??;
        Some(note)
    }

    async fn set_at_start(
        &self,
        profile: &Profile,
        target_state: TargetState,
    ) -> Result<(), SupervisorError> {
        let switch = if target_state == TargetState::Up { "/ENABLE" } else { "/DISABLE" };
        self.run_action(profile, "/Change", &[switch]).await.map(drop)
    }

    /// Ends the running process; one that has ended meanwhile is no failure.
    async fn end(&self, profile: &Profile) -> Result<(), SupervisorError> {
        if !self.read_run(profile).await?.is_running {
            return Ok(());
        }
        match self.run_action(profile, "/End", &[]).await {
            Err(_) if !self.read_run(profile).await?.is_running => Ok(()),
            result => result.map(drop),
        }
    }

    /// One run at a time: a run requested while the last one ends would be dropped.
    async fn await_end(&self, profile: &Profile) -> Result<(), SupervisorError> {
        let ended = file::poll(self.host, END_TIMEOUT, async || {
            Ok::<_, SupervisorError>((!self.read_run(profile).await?.is_running).then_some(()))
        });
        ended.await?.ok_or_else(|| SupervisorError::Hung {
            tool: "schtasks",
            action: "/End",
            service: task_name(profile),
            waited: END_TIMEOUT,
        })
    }

    async fn create(
        &self,
        spec: &ServiceSpec,
        at_start: TargetState,
    ) -> Result<(), SupervisorError> {
        let path = self.layout.profile(&spec.profile).join(".gateway-task.xml");
        let task = render(spec, &self.user, at_start);
        file::replace_unsynced(self.host, &path, task.as_bytes(), 0o644).await?;
        let text = path.to_string_lossy();
        let made = self.run_action(&spec.profile, "/Create", &["/XML", &text, "/F"]).await;
        file::remove(self.host, &path).await?;
        made.map(drop)
    }
}

impl<H: Host> Supervisor for Windows<'_, H> {
    async fn start(&self, profile: &Profile) -> Result<(), SupervisorError> {
        self.set_at_start(profile, TargetState::Up).await?;
        if self.read_run(profile).await?.is_running {
            match self.read_live_report(profile).await {
                Some(note) if note.has_state("draining") && !planted!(LeavingTaskNotAwaited) => {
                    self.await_end(profile).await?;
                }
                _ => return Ok(()),
            }
        }
        self.run_action(profile, "/Run", &[]).await.map(drop)
    }

    async fn stop(&self, profile: &Profile) -> Result<(), SupervisorError> {
        if !planted!(StopLeavesEnabled) {
            self.set_at_start(profile, TargetState::Down).await?;
        }
        self.end(profile).await
    }

    async fn restart(&self, profile: &Profile) -> Result<(), SupervisorError> {
        self.set_at_start(profile, TargetState::Up).await?;
        self.end(profile).await?;
        if !planted!(RunBeforeTheEnd) {
            self.await_end(profile).await?;
        }
        self.run_action(profile, "/Run", &[]).await.map(drop)
    }

    async fn status(&self, profile: &Profile) -> Result<Service, SupervisorError> {
        match self.read_task(profile).await? {
            Some(task) if self.is_ours(&task) => self.read_service(profile, &task).await,
            _ => Ok(Service::unregistered()),
        }
    }

    /// A start enables the task; a gateway that fails permanently disables it again.
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
            "tasks run while you are logged on: after a reboot your gateways wait for your logon"
                .to_owned(),
        ]
    }
}

impl<H: Host> Registrar for Windows<'_, H> {
    async fn publish(
        &self,
        spec: &ServiceSpec,
        target_state: TargetState,
    ) -> Result<Published, SupervisorError> {
        for path in [&spec.home, &spec.program] {
            if !is_expressible(path) {
                return Err(HostError::new("name in a task", path, Errno::INVAL).into());
            }
        }
        let present = self.read_task(&spec.profile).await?;
        if present.as_ref().is_some_and(|task| !self.is_ours(task)) {
            let path = task_name(&spec.profile).into();
            return Err(SupervisorError::Taken { path, by: "another home".to_owned() });
        }
        file::make_dirs(self.host, &spec.log_dir, 0o755).await?;
        let published = match &present {
            None => Published::New,
            Some(task) if !task.contains(&version_line(spec, &self.user)) => Published::Updated,
            Some(task) if parse_at_start(task) != target_state => {
                self.set_at_start(&spec.profile, target_state).await?;
                return Ok(Published::Updated);
            }
            Some(_) => return Ok(Published::Unchanged),
        };
        self.create(spec, target_state).await?;
        Ok(published)
    }

    async fn unregister(
        &self,
        profile: &Profile,
        timeout: Duration,
    ) -> Result<(), SupervisorError> {
        if self.status(profile).await?.presence == Presence::Unregistered {
            return Ok(());
        }
        self.stop(profile).await?;
        self.wait(profile, Goal::Down, timeout).await?;
        self.run_action(profile, "/Delete", &["/F"]).await.map(drop)
    }

    async fn list(&self) -> Result<Listing, SupervisorError> {
        let mut listing = Listing::default();
        let all = self.list_all().await?;
        let profiles = parse_names(&all).filter_map(|name| name.strip_prefix(FOLDER));
        for profile in profiles.filter_map(|name| Profile::parse(name).ok()) {
            let task = self.run_action(&profile, "/Query", &["/XML"]).await?;
            if self.is_ours(&task) {
                listing.profiles.push(profile);
            }
        }
        listing.profiles.sort();
        listing.profiles.dedup();
        Ok(listing)
    }
}
