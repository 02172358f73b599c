//! systemd: one unit a profile, `hermes-gateway-PROFILE.service`, of the user or of the machine.
//!
//! ```text
//!   publish:  unit file (durable) ─► daemon-reload ─► enable | disable
//!   start:    enable  ─► systemctl start --no-block       stop:  disable ─► systemctl stop --no-block
//!   at boot:  target wants the enabled units ─► ExecCondition asks for the intent ─► the gateway
//! ```
//!
//! Outside a running command, a unit is enabled exactly if the intent is running. During a command a unit is enabled
//! rather too early than too late, and the condition at its start follows the intent. Nothing here knows intents,
//! markers or profiles' files.

mod publish;
mod show;
mod systemctl;
mod unit;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use unit::{UnitParams, render};

use crate::detect::Scope;
use crate::host::Host;
use crate::host::effect::Program;
use crate::name::Profile;
use crate::record::file;
use crate::supervisor::{
    Cause, Goal, Listing, Published, Registrar, Registration, Service, ServiceSpec, Supervisor,
    SupervisorError, TargetState, wait,
};
use systemctl::Systemctl;

/// systemd, of the machine or of a user.
#[derive(Debug)]
pub struct Systemd<'host, H> {
    host: &'host H,
    scope: Scope,
    uid: u32,
    home: PathBuf,
    unit_dir: PathBuf,
    systemctl: Systemctl,
}

/// Which systemd is used, for which home.
#[derive(Clone, Copy, Debug)]
pub struct SystemdScope<'a> {
    /// The machine's or the user's.
    pub scope: Scope,
    /// The user id of the caller.
    pub uid: u32,
    /// The home of all profiles.
    pub home: &'a Path,
    /// Our environment.
    pub env: &'a BTreeMap<OsString, OsString>,
}

impl<'host, H: Host> Systemd<'host, H> {
    /// Makes no system call yet.
    pub fn open(host: &'host H, systemd_scope: SystemdScope<'_>, bin_dir: Option<PathBuf>) -> Self {
        let SystemdScope { scope, uid, home, env } = systemd_scope;
        let systemctl = Systemctl::new(scope, uid, env, bin_dir);
        let (home, unit_dir) = (home.to_owned(), unit_dir(scope, env));
        Self { host, scope, uid, home, unit_dir, systemctl }
    }

    /// Does this systemd answer, or else the machine's? If only the machine's does, a user's systemd that is silent is
    /// a named error, not "no supervisor".
    pub async fn answers(&self) -> bool {
        let machine = || self.systemctl.clone().with_scope(Scope::System);
        version(&self.systemctl, self.host).await.is_ok()
            || version(&machine(), self.host).await.is_ok()
    }

    /// The program that prints the gateways' logs; `None` if each log lies in its own directory.
    pub async fn journal(
        &self,
        profiles: &[Profile],
        lines: usize,
        follow: bool,
    ) -> Result<Option<Program>, SupervisorError> {
        if self.scope == Scope::User {
            return Ok(None);
        }
        let mut args = vec!["--no-pager".to_owned(), "--output=cat".to_owned()];
        args.push(format!("--lines={lines}"));
        args.extend(profiles.iter().map(|profile| format!("--unit={}", unit_name(profile))));
        args.extend(follow.then(|| "--follow".to_owned()));
        let args = args.into_iter().map(OsString::from).collect();
        Ok(Some(self.systemctl.program(self.host, "journalctl", args).await?))
    }

    fn unit_path(&self, profile: &Profile) -> PathBuf {
        self.unit_dir.join(unit_name(profile))
    }

    async fn read_service(&self, profile: &Profile) -> Result<Service, SupervisorError> {
        let name = unit_name(profile);
        let args = ["--timestamp=us+utc", show::PROPERTIES, &name];
        let text = self.systemctl.run_action(self.host, "show", &name, &args).await?;
        let odd = |reason| SupervisorError::OddStatus { path: PathBuf::from(&name), reason };
        let parsed = show::parse(&text).map_err(odd)?;
        match parsed.masked {
            Some(path) => Err(SupervisorError::Masked { path, service: name }),
            None => Ok(Service { paused: self.is_paused(&parsed.service).await, ..parsed.service }),
        }
    }

    /// systemd does not report this; a process whose record cannot be read is gone, or belongs to another user.
    async fn is_paused(&self, service: &Service) -> bool {
        let Some(pid) = service.pid() else { return false };
        let path = PathBuf::from(format!("/proc/{}/stat", pid.raw()));
        let stat = file::read(self.host, &path, 4096).await.unwrap_or_default();
        // The name in parentheses may hold anything; the state follows it (proc(5)).
        let state = stat.iter().rposition(|&byte| byte == b')').and_then(|at| stat.get(at + 2));
        state == Some(&b'T')
    }

    async fn request(
        &self,
        profile: &Profile,
        action: &'static str,
    ) -> Result<(), SupervisorError> {
        let name = unit_name(profile);
        self.systemctl.run_action(self.host, action, &name, &["--no-block", &name]).await.map(drop)
    }
}

/// `252.39-1~deb12u2` is 252; text that cannot be parsed counts as the oldest version.
async fn version<H: Host>(systemctl: &Systemctl, host: &H) -> Result<u32, SupervisorError> {
    let parsed = systemctl.run_action(host, "show", "systemd", &["--property=Version"]).await?;
    let digits = parsed.trim().trim_start_matches("Version=");
    let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
    Ok(digits.parse().unwrap_or_default())
}

fn unit_name(profile: &Profile) -> String {
    format!("hermes-gateway-{profile}.service")
}

fn unit_dir(scope: Scope, env: &BTreeMap<OsString, OsString>) -> PathBuf {
    let var = |name: &str| env.get(std::ffi::OsStr::new(name));
    match (scope, var("XDG_CONFIG_HOME"), var("HOME")) {
        (Scope::System, ..) => PathBuf::from("/etc/systemd/system"),
        (Scope::User, Some(config), _) => Path::new(config).join("systemd/user"),
        (Scope::User, None, home) => {
            Path::new(home.map_or("/".as_ref(), OsString::as_os_str)).join(".config/systemd/user")
        }
    }
}

impl<H: Host> Supervisor for Systemd<'_, H> {
    async fn start(&self, profile: &Profile) -> Result<(), SupervisorError> {
        publish::set_at_start(self, profile, TargetState::Up).await?;
        self.request(profile, "start").await
    }

    async fn stop(&self, profile: &Profile) -> Result<(), SupervisorError> {
        if !planted!(StopLeavesEnabled) {
            publish::set_at_start(self, profile, TargetState::Down).await?;
        }
        self.request(profile, "stop").await
    }

    async fn restart(&self, profile: &Profile) -> Result<(), SupervisorError> {
        publish::set_at_start(self, profile, TargetState::Up).await?;
        self.request(profile, "restart").await
    }

    /// If systemd cannot be asked and there is no unit, there is no service.
    async fn status(&self, profile: &Profile) -> Result<Service, SupervisorError> {
        if publish::serves_another_home(self, profile).await? {
            return Ok(Service::unregistered());
        }
        match self.read_service(profile).await {
            Err(SupervisorError::Command { cause: Cause::NoBus, .. })
                if !publish::unit_exists(self, profile).await? =>
            {
                Ok(Service::unregistered())
            }
            other => other,
        }
    }

    async fn wait(
        &self,
        profile: &Profile,
        goal: Goal,
        timeout: Duration,
    ) -> Result<Service, SupervisorError> {
        wait::until(self.host, profile, goal, timeout, async || self.read_service(profile).await)
            .await
    }

    fn registration(&self) -> Registration {
        Registration::OnRequest
    }

    async fn caveats(&self) -> Vec<String> {
        if self.scope == Scope::System || self.uid == 0 {
            return Vec::new();
        }
        match self.systemctl.lingers(self.host, self.uid).await {
            Some(false) => vec![
                "you do not linger: your gateways end with your last session and wait for your next one, also after a reboot; `loginctl enable-linger` changes that"
                    .to_owned(),
            ],
            Some(true) | None => Vec::new(),
        }
    }
}

impl<H: Host> Registrar for Systemd<'_, H> {
    async fn publish(
        &self,
        spec: &ServiceSpec,
        at_start: TargetState,
    ) -> Result<Published, SupervisorError> {
        publish::publish(self, spec, at_start).await
    }

    async fn unregister(
        &self,
        profile: &Profile,
        timeout: Duration,
    ) -> Result<(), SupervisorError> {
        publish::unregister(self, profile, timeout).await
    }

    async fn list(&self) -> Result<Listing, SupervisorError> {
        publish::list(self).await
    }
}
