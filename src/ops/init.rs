//! `boot init`: what a container's PID 1 does before it becomes s6-svscan.
//!
//! ```text
//!   settings ──► ids of hermes ──► /run made anew ──► environment kept ──► ownership of the home ──► PID 1's tree
//!                                                                                                       │ exec
//!        PID 1: s6-svscan on /run/hermes/init (root's alone)  ◄─────────────────────────────────────────┘
//!                 ├── gateways: `hermes boot tree`, which becomes hermes and then a second s6-svscan on /run/service
//!                 └── main: the container's command, as hermes
//! ```
//!
//! Root never runs, reads as a program, or follows anything that hermes could have put there. Nothing here starts a
//! gateway or looks into a profile. For `cli` only, which prints the notes and then performs the `exec`.

pub mod command;
mod environment;
mod ids;
mod ownership;
mod root_tree;
mod runtime;
pub mod settings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::identity;
use crate::backend::s6::Tools;
use crate::error::HostError;
use crate::host::effect::Program;
use crate::host::{Host, proc};
use crate::record::container;
use crate::role::Role;
use crate::supervisor::SupervisorError;

pub use super::identity::HERMES;
pub use root_tree::GUEST_EXIT_CODE;
pub(crate) use root_tree::quote;
pub use runtime::{GUEST_FLAG, WAITING_FLAG};
pub use settings::{Settings, SettingsError};

/// What PID 1 was started with, collected once by `main`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitInputs {
    /// Whom it runs as.
    pub uid: u32,
    /// Its own number: 1.
    pub pid: u32,
    /// The container's environment.
    pub env: BTreeMap<OsString, OsString>,
    /// The container's command, as given after `--`.
    pub command: Vec<OsString>,
    /// Absolute path of the `hermes` program.
    pub program: PathBuf,
}

/// Everything is prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitOutcome {
    /// What was done and is worth a line on stderr.
    pub notes: Vec<String>,
    /// What PID 1 becomes.
    pub exec: Program,
}

/// Why the container cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InitError {
    /// Run by hand, it would empty the directories of live services.
    #[error("boot init is what a container starts as its PID 1; this is process {0}")]
    NotPid1(u32),
    /// A variable says something that cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Not root, and the directories of services belong to another user.
    #[error(
        "user {uid} cannot prepare `/run`: {source} (start the container as root, or make `/run/hermes`, `/run/s6` and the scan directory its own)"
    )]
    NotRoot {
        /// Whom we run as.
        uid: u32,
        /// What was refused.
        source: HostError,
    },
    /// s6 starts services by scripts, and none can be started there: it would try for ever.
    #[error(
        "{0}: `/run` is mounted `noexec`, and s6 runs its services there; mount it with `exec` (`docker run --tmpfs /run:exec`)"
    )]
    Noexec(HostError),
    /// s6 is not installed.
    #[error(transparent)]
    NoTool(#[from] SupervisorError),
    /// The kernel refused.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Prepares the machine and says what to become.
pub async fn run(host: &impl Host, facts: &InitInputs) -> Result<InitOutcome, InitError> {
    if facts.pid != 1 {
        return Err(InitError::NotPid1(facts.pid));
    }
    let settings = Settings::read(&facts.env)?;
    // What `boot tree` will start with; it cannot refuse to, being started again each second.
    settings::bootstrap(&facts.env)?;
    let role = crate::role::requested_role(settings.role_word.as_deref(), &facts.command)
        .map_err(SettingsError::from)?;
    let tools = Tools::find(host, settings.bin_dir.clone()).await;
    let svscan = tools.path("s6-svscan")?;
    let mut notes = Vec::new();
    if !planted!(UmaskKept) {
        proc::set_umask(host, 0o022).await?;
    }
    let user = match facts.uid {
        0 => {
            // Before all else: from here on a command that somebody types as root knows whom to become.
            let hermes = ids::hermes_ids(host, &settings).await?;
            identity::write_record(host, hermes).await?;
            Some(ids::settle(host, &settings, &mut notes).await?)
        }
        _ => ids::record_unused_ids(&settings, facts.uid, &mut notes),
    };
    runtime::prepare(host, &settings, user).await.map_err(|source| match facts.uid {
        0 => InitError::Host(source),
        uid => InitError::NotRoot { uid, source },
    })?;
    let kept = environment::complete(&facts.env, &settings, &tools, user, role);
    environment::keep(host, Path::new(container::ENVIRONMENT), &kept, user, &mut notes).await?;
    if let Some(user) = user {
        ownership::repair(host, settings.layout.root(), user, &mut notes).await;
    }
    let main = root_tree::Main::of(host, facts, &kept).await?;
    let plan =
        root_tree::RootTreeSpec { settings: &settings, program: &facts.program, user, role, main };
    root_tree::write(host, Path::new(root_tree::DIR), &root_tree::entries(&plan)).await?;
    if !planted!(NoexecNotTried) {
        root_tree::try_script(host).await.map_err(InitError::Noexec)?;
    }
    if role == Role::Guest {
        runtime::write_guest_flag(host).await?;
        notes.push("the command uses the home as a guest: no gateway is supervised here (HERMES_ROLE=supervisor changes that)".to_owned());
    }
    Ok(InitOutcome { notes, exec: root_tree::svscan(svscan, &kept) })
}
