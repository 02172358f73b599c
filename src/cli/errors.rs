//! Errors for people: `✗` and what happened, the cause if we know it, and what to do.

use serde_json::{Value, json};

use super::exit::Exit;
use crate::detect::{Manager, OverrideError};
use crate::error::{Errno, HostError};
use crate::name::Profile;
use crate::ops::OpsError;
use crate::record::lock::LockError;
use crate::supervisor::{Cause, SupervisorError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Ops(#[from] OpsError),
    #[error(transparent)]
    Override(#[from] OverrideError),
    #[error("no home: set HERMES_HOME, or HOME")]
    NoHome,
    #[error("HERMES_HOME is {0:?}, which is not an absolute path")]
    RelativeHome(String),
    #[error("nobody supervises gateways here ({0})")]
    Unsupervised(Manager),
    #[error("only a container's boot is hermes' own: here {0} brings gateways back")]
    NoBoot(Manager),
    #[error("the container's own command is the gateway")]
    Foreground(&'static str),
    #[error("another container supervises this home: this one is its guest")]
    Guest,
    #[error("refused to delete profile '{0}' without being told so")]
    Unconfirmed(String),
    #[error("no log of gateway '{0}' yet")]
    NoLog(String),
    #[error("HERMES_GATEWAY_BOOTSTRAP_STATE is {0:?}: it can only be \"running\"")]
    Bootstrap(String),
    #[error("{0}")]
    Message(String),
}

impl From<HostError> for CliError {
    fn from(error: HostError) -> Self {
        Self::Ops(OpsError::Host(error))
    }
}

impl From<SupervisorError> for CliError {
    fn from(error: SupervisorError) -> Self {
        Self::Ops(OpsError::Supervisor(error))
    }
}

impl CliError {
    /// The exit code that goes with it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Override(_)
            | Self::NoHome
            | Self::RelativeHome(_)
            | Self::Bootstrap(_)
            | Self::Unconfirmed(_) => Exit::Usage,
            Self::Ops(
                OpsError::Misconfigured { .. }
                | OpsError::Supervisor(SupervisorError::Ended { permanent: true, .. }),
            ) => Exit::Misconfigured,
            Self::Ops(_)
            | Self::Unsupervised(_)
            | Self::NoBoot(_)
            | Self::Foreground(_)
            | Self::Guest
            | Self::NoLog(_)
            | Self::Message(_) => Exit::Failed,
        }
    }

    /// What stderr shows.
    pub fn to_text(&self) -> String {
        // The only error with its advice in the same sentence: operators grep for it.
        if let Self::Ops(OpsError::Supervisor(SupervisorError::NotRegistered(profile))) = self {
            return format!("✗ {self}: {}\n", register_first(profile));
        }
        match self.hint() {
            Some(hint) => format!("✗ {self}\n  hint: {hint}\n"),
            None => format!("✗ {self}\n"),
        }
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        json!({ "message": self.to_string(), "hint": self.hint(), "exit_code": self.exit().code() })
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Ops(error) => ops_hint(error),
            Self::Unsupervised(_) => Some(
                "gateways can be supervised by systemd (a machine that it booted, or your own with `systemctl --user`), by launchd, by Windows' Task Scheduler or by s6 (the hermes image); `hermes gateway run` runs one in the foreground"
                    .to_owned(),
            ),
            Self::NoBoot(_) => Some("`hermes gateway install --all` brings their units up to date".to_owned()),
            Self::Foreground(docker) => Some(format!(
                "use `{docker}` on the container, or an image whose PID 1 is s6-svscan"
            )),
            Self::Guest => Some(
                "run the command in the container that supervises it, or stop that container"
                    .to_owned(),
            ),
            Self::Unconfirmed(_) => Some("repeat with -y".to_owned()),
            Self::NoLog(name) => Some(format!(
                "it appears when the gateway first runs: `hermes -p {name} gateway start`"
            )),
            Self::Override(_)
            | Self::NoHome
            | Self::RelativeHome(_)
            | Self::Bootstrap(_)
            | Self::Message(_) => None,
        }
    }
}

fn register_first(profile: &Profile) -> String {
    format!(
        "register it with `hermes profile create {profile}` first, or pass an existing profile name via `-p <name>`"
    )
}

fn ops_hint(error: &OpsError) -> Option<String> {
    match error {
        OpsError::Supervisor(error) => supervisor_hint(error),
        OpsError::Host(error) | OpsError::Lock(LockError::Host(error)) => host_hint(error),
        OpsError::Lock(LockError::Busy { .. }) => {
            Some("wait for it to end, or give more time with --timeout".to_owned())
        }
        OpsError::IntentUnreadable(_) => Some(
            "without it nobody knows whether the gateway should run: nothing was changed"
                .to_owned(),
        ),
        OpsError::NoSuchProfile(_) => Some("`hermes profile list` names them".to_owned()),
        OpsError::StillHeld { .. } => {
            Some("it may live in another container on the same volume: stop it there".to_owned())
        }
        OpsError::Misconfigured { profile, .. } => Some(format!(
            "mend it, then `hermes -p {profile} gateway start`: it is not tried again by itself"
        )),
        OpsError::ProfileExists(_) | OpsError::DefaultIsFixed(_) | OpsError::Overtaken { .. } => {
            None
        }
    }
}

const ROOTS: &str =
    "the machine's own units are root's: use sudo, or leave --system out for units of your own";

fn supervisor_hint(error: &SupervisorError) -> Option<String> {
    let hint = match error {
        SupervisorError::Command { tool: "systemctl", cause: Cause::Forbidden, .. } => ROOTS,
        SupervisorError::Command { tool: "launchctl", cause: Cause::NoBus, .. } => {
            "launch agents live while their user is logged in at the screen: log in there first"
        }
        SupervisorError::Command { cause: Cause::NoBus, .. } => {
            "your systemd does not answer in this session: log in by ssh or a console instead of `su`, or have it start at boot (`sudo loginctl enable-linger $USER`) and set XDG_RUNTIME_DIR=/run/user/$(id -u); the machine's own systemd: `sudo hermes --system …`"
        }
        SupervisorError::Masked { .. } => {
            "its operator wants it never to start: `systemctl unmask` takes that back (with --user for your own units)"
        }
        SupervisorError::Distrusted { .. } => {
            "no unit was changed; if it shall be so, take its units away (`systemctl disable --now`, then remove their files from `/etc/systemd/system`) and install them anew"
        }
        SupervisorError::Taken { .. } => {
            "give the profile another name, or `hermes gateway uninstall` it with that HERMES_HOME"
        }
        SupervisorError::Command { cause: Cause::Forbidden, .. }
        | SupervisorError::Forbidden(_) => {
            "this scan directory belongs to another user's s6: run as that user, or have its boot hook hand the control FIFOs over; `hermes doctor` says which"
        }
        SupervisorError::Command { cause: Cause::NotListening, .. }
        | SupervisorError::NotListening(_) => {
            "s6-svscan does not run on the scan directory, or has not been told of the slot: `hermes boot reconcile`"
        }
        SupervisorError::NoTool { tool: "systemctl" | "loginctl", .. } => {
            "install systemd, or set HERMES_SYSTEMD_BIN_DIR; elsewhere HERMES_SUPERVISOR says who supervises"
        }
        SupervisorError::NoTool { tool: "launchctl", .. } => {
            "this is no macOS, or set HERMES_LAUNCHD_BIN_DIR; elsewhere HERMES_SUPERVISOR says who supervises"
        }
        SupervisorError::NoTool { tool: "schtasks", .. } => {
            "this is no Windows, or set HERMES_WINDOWS_BIN_DIR; elsewhere HERMES_SUPERVISOR says who supervises"
        }
        SupervisorError::NoTool { .. } => {
            "install s6 (Debian: `apt-get install s6`), or set HERMES_S6_BIN_DIR"
        }
        SupervisorError::Hung { .. } => "the tool was killed; `hermes doctor` looks further",
        SupervisorError::NotRegistered(profile) => return Some(register_first(profile)),
        SupervisorError::TimedOut { profile, .. } => {
            return Some(format!(
                "the request stands; `hermes -p {profile} gateway status` says what is so, and --timeout waits longer"
            ));
        }
        SupervisorError::Ended { profile, permanent: true, .. } => {
            return Some(format!(
                "its configuration is wrong: `hermes -p {profile} gateway logs` says where; it is not tried again until it is started"
            ));
        }
        SupervisorError::Ended { profile, permanent: false, .. } => {
            return Some(format!(
                "it is tried again, ever more slowly: `hermes -p {profile} gateway logs` says why it ended"
            ));
        }
        SupervisorError::Host(error) if error.object.starts_with("/etc/systemd") => ROOTS,
        SupervisorError::Host(error) => return host_hint(error),
        SupervisorError::Command { cause: Cause::Unknown, .. }
        | SupervisorError::OddStatus { .. } => return None,
    };
    Some(hint.to_owned())
}

fn host_hint(error: &HostError) -> Option<String> {
    let hint = match error.errno {
        Errno::ACCESS => {
            "it belongs to another user: `docker exec` as root with HERMES_DOCKER_EXEC_AS_ROOT=1 leaves such files, and a restart of the container mends them"
        }
        Errno::NOSPC => {
            "the disk is full: nothing was changed; free some space and repeat the command"
        }
        Errno::ROFS => "the file system is read-only: mount the home writable",
        _ => return None,
    };
    Some(hint.to_owned())
}
