//! A command's context: the home, the supervisor, the caller. Derived once from the invocation.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::args::Cli;
use super::errors::CliError;
use super::invocation::Invocation;
use crate::backend::any::AnyBackend;
use crate::backend::launchd::Launchd;
use crate::backend::no_supervisor::NoSupervisor;
use crate::backend::s6::S6;
use crate::backend::systemd::{self, Systemd};
use crate::backend::windows::Windows;
use crate::detect::{self, Manager, Scope};
use crate::host::{Host, fs, proc};
use crate::layout::Layout;
use crate::name::Profile;
use crate::ops::{OpsContext, init};
use crate::record::intent::{Intent, Operator};
use crate::record::{container, file};

/// s6's usual place for the services of a container.
const SCAN_DIR: &str = "/run/service";

/// One command's context.
#[derive(Debug)]
pub(super) struct Session<'a, H> {
    pub host: &'a H,
    pub invocation: &'a Invocation,
    pub layout: Layout,
    pub scan_dir: PathBuf,
    pub manager: Manager,
    pub backend: AnyBackend<'a, H>,
    pub operator: Operator,
    /// The profile named with `-p`, else `default`.
    pub profile: Profile,
}

impl<'a, H: Host> Session<'a, H> {
    /// Derives everything; in the image the caller has become hermes.
    pub async fn open(
        host: &'a H,
        invocation: &'a Invocation,
        cli: &Cli,
    ) -> Result<Self, CliError> {
        let layout = Layout::from_home(&home(host, invocation).await?);
        let scan_dir = scan_dir(host, invocation).await;
        let uid = invocation.uid;
        // Files of ours are readable by all tools of the home, whatever the caller's umask.
        proc::set_umask(host, 0o022).await?;
        let scope = if cli.system { Scope::System } else { Scope::User };
        let systemd = systemd(host, invocation, &layout, scope, uid);
        let launchctl_dir = invocation.var("HERMES_LAUNCHD_BIN_DIR").map(PathBuf::from);
        let launchd = Launchd::open(host, uid, &layout, &invocation.env, launchctl_dir);
        let windows = windows(host, &layout, &invocation.env);
        let manager = match invocation.text("HERMES_SUPERVISOR") {
            Some(name) => detect::parse_override(&name, scope)?,
            None => {
                detect::detect(host, scope, async |manager| match manager {
                    Manager::Windows => windows.answers().await,
                    Manager::Launchd => launchd.answers().await,
                    _ => systemd.answers().await,
                })
                .await?
            }
        };
        let bin_dir = invocation.var("HERMES_S6_BIN_DIR").map(PathBuf::from);
        let backend = match manager {
            Manager::S6 => AnyBackend::S6(S6::open(host, scan_dir.clone(), bin_dir).await),
            Manager::Systemd(_) => AnyBackend::Systemd(systemd),
            Manager::Launchd => AnyBackend::Launchd(launchd),
            Manager::Windows => AnyBackend::Windows(windows),
            Manager::Foreground | Manager::None => AnyBackend::NoSupervisor(NoSupervisor),
        };
        let argv = invocation.argv.iter().map(|argument| argument.to_string_lossy().into_owned());
        let operator = Operator { uid, pid: invocation.pid, argv: argv.collect() };
        let profile = cli.profile.clone().unwrap_or_else(Profile::default_profile);
        Ok(Self { host, invocation, layout, scan_dir, manager, backend, operator, profile })
    }

    /// What operations need.
    pub fn context(&self) -> OpsContext<'_, H, AnyBackend<'a, H>> {
        OpsContext {
            host: self.host,
            layout: &self.layout,
            supervisor: &self.backend,
            operator: &self.operator,
            program: &self.invocation.program,
        }
    }

    /// Refuses to change profiles and gateways whose slots are another container's.
    pub async fn must_not_be_a_guest(&self) -> Result<(), CliError> {
        for mark in [init::GUEST_FLAG, init::WAITING_FLAG] {
            if self.manager == Manager::S6 && fs::meta(self.host, mark).await.is_ok() {
                return Err(CliError::Guest);
            }
        }
        Ok(())
    }

    /// Refuses what needs a supervisor if there is none; `docker` is the command to use instead.
    pub async fn must_be_supervised(&self, docker: &'static str) -> Result<(), CliError> {
        match self.manager {
            Manager::S6 => self.must_not_be_a_guest().await,
            // Before anything is written into the home.
            Manager::Systemd(_) => match &self.backend {
                AnyBackend::Systemd(systemd) => Ok(systemd.must_trust_home().await?),
                _ => Ok(()),
            },
            Manager::Launchd | Manager::Windows => Ok(()),
            Manager::Foreground => Err(CliError::Foreground(docker)),
            Manager::None => Err(CliError::Unsupervised(self.manager)),
        }
    }
}

/// The systemd backend, whether or not it is in use.
fn systemd<'a, H: Host>(
    host: &'a H,
    invocation: &Invocation,
    layout: &Layout,
    scope: Scope,
    uid: u32,
) -> Systemd<'a, H> {
    let systemd_scope =
        systemd::SystemdScope { scope, uid, home: layout.root(), env: &invocation.env };
    Systemd::open(host, systemd_scope, invocation.var("HERMES_SYSTEMD_BIN_DIR").map(PathBuf::from))
}

/// The Task Scheduler backend, whether or not it is in use.
pub(super) fn windows<'a, H: Host>(
    host: &'a H,
    layout: &Layout,
    env: &BTreeMap<OsString, OsString>,
) -> Windows<'a, H> {
    let bin_dir = env.get(OsStr::new("HERMES_WINDOWS_BIN_DIR")).map(PathBuf::from);
    Windows::open(host, layout, env, bin_dir)
}

/// A variable of this process, or else of the container: commands may have been started without it, by `su -` or cron.
async fn var(host: &impl Host, invocation: &Invocation, name: &str) -> Option<PathBuf> {
    if let Some(value) = invocation.var(name) {
        return Some(PathBuf::from(value));
    }
    let path = Path::new(container::ENVIRONMENT).join(name);
    let value = file::read(host, &path, 4096).await.ok()?;
    let value = String::from_utf8(value).ok()?;
    Some(PathBuf::from(value.trim_end_matches('\n'))).filter(|value| value.is_absolute())
}

/// `HERMES_HOME`, else `.hermes` in the user's home.
pub(super) async fn home(host: &impl Host, invocation: &Invocation) -> Result<PathBuf, CliError> {
    let home = match (var(host, invocation, "HERMES_HOME").await, invocation.var("HOME")) {
        (Some(home), _) => home,
        (None, Some(home)) => Path::new(home).join(".hermes"),
        (None, None) => return Err(CliError::NoHome),
    };
    match home.is_absolute() {
        true => Ok(home),
        false => Err(CliError::RelativeHome(home.to_string_lossy().into_owned())),
    }
}

/// `S6_PROFILE_GATEWAY_SCANDIR`, else `/run/service`.
pub(super) async fn scan_dir(host: &impl Host, invocation: &Invocation) -> PathBuf {
    let scan_dir = var(host, invocation, "S6_PROFILE_GATEWAY_SCANDIR").await;
    scan_dir.unwrap_or_else(|| SCAN_DIR.into())
}

/// `HERMES_GATEWAY_BOOTSTRAP_STATE`: the initial state of a home that never ran.
pub(super) fn bootstrap(invocation: &Invocation) -> Result<Option<Intent>, CliError> {
    match invocation.text("HERMES_GATEWAY_BOOTSTRAP_STATE").as_deref() {
        None => Ok(None),
        Some("running") => Ok(Some(Intent::Running)),
        Some(other) => Err(CliError::Bootstrap(other.to_owned())),
    }
}
