//! `boot tree`: how the service `gateways` of PID 1's tree becomes the s6-svscan that supervises the gateways.
//!
//! ```text
//!   (hermes by now) ──► claim the home ──► leftovers down ──► reconcile ──► exec s6-svscan, the claim held through it
//!                          └── another container has it: waits for its end
//! ```
//!
//! A container that asked to be a guest goes no further than its role. Nothing here runs as root. It does not decide what a gateway shall do; that is reconcile's.
//! For `cli` only, which prints the notes and then performs the `exec`, or exits with [`GUEST_EXIT_CODE`].

mod leftovers;
mod scan_dir;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::OpsContext;
use super::init::{self, Settings, SettingsError};
use super::reconcile::{self, RescanTiming};
use crate::backend::s6::{S6, Tools};
use crate::error::{Errno, HostError};
use crate::host::effect::{OpenMode, Program};
use crate::host::{Host, fs, proc, time};
use crate::name::Profile;
use crate::record::intent::Operator;
use crate::record::{config, file};
use crate::role::{self, Role};
use crate::supervisor::SupervisorError;

pub use init::{GUEST_EXIT_CODE, WAITING_FLAG};

/// What the process was started with, collected once by `main`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeInputs {
    /// Whom it runs as: hermes by now.
    pub uid: u32,
    /// The container's environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Absolute path of the `hermes` program.
    pub program: PathBuf,
    /// Its own number and arguments, for records that say who wrote them.
    pub pid: u32,
    /// Its arguments.
    pub argv: Vec<String>,
    /// The descriptor on which s6-svscan says that it is ready (`notification-fd`).
    pub notification_fd: i32,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeOutcome {
    /// What was done and is worth a line on stderr.
    pub notes: Vec<String>,
    /// What to become.
    pub exec: Program,
}

/// Why gateways cannot be supervised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A variable says something that cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// s6 is not installed.
    #[error(transparent)]
    NoTool(#[from] SupervisorError),
    /// The kernel refused.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// How many services s6-svscan may have; its own default is 500 (2.11) or 1000 with their loggers.
const SERVICES_MAX: &str = "20000";

/// How often a waiting container looks whether the home is free.
const LOOK: Duration = Duration::from_secs(1);

/// What a process that is hermes by now goes on with.
#[derive(Debug)]
pub struct TreeScope {
    settings: Settings,
    uid: u32,
    /// What the container asked to be; a guest exits with [`GUEST_EXIT_CODE`].
    pub role: Role,
}

/// Reads what the container asks for.
pub async fn enter(host: &impl Host, facts: &TreeInputs) -> Result<TreeScope, TreeError> {
    let settings = Settings::read(&facts.env)?;
    let role =
        role::requested_role(settings.role_word.as_deref(), &[]).map_err(SettingsError::from)?;
    proc::set_umask(host, 0o022).await?;
    Ok(TreeScope { settings, uid: facts.uid, role })
}

/// Takes the home for this process and what it becomes; says whether it did.
pub async fn claim(host: &impl Host, seat: &TreeScope) -> Result<bool, TreeError> {
    Ok(role::claim(host, &seat.settings.layout).await?.is_some())
}

/// Looks until the home is claimed, however long that takes. Meanwhile `mark` tells the health check and the command.
pub async fn wait_for_claim(
    host: &impl Host,
    seat: &TreeScope,
    mark: &Path,
) -> Result<(), TreeError> {
    // A machine that `boot init` did not prepare has no place for it, and nothing reads it there.
    if let Ok(open) = fs::open_no_link(host, mark, OpenMode::Append { mode: 0o644 }).await {
        fs::close(host, open).await?;
    }
    wait!(begins);
    loop {
        wait!(round & ());
        if claim(host, seat).await? || planted!(SecondContainerGoesOn) {
            wait!(ends);
            return Ok(());
        }
        time::sleep(host, LOOK).await?;
    }
}

/// Once the home is claimed: prepares the scan directory and says what to become. Takes a mark away, also one of a
/// process that was ended while it waited.
pub async fn run(
    host: &impl Host,
    facts: &TreeInputs,
    seat: &TreeScope,
    mark: &Path,
) -> Result<TreeOutcome, TreeError> {
    file::remove(host, mark).await?;
    let settings = &seat.settings;
    let tools = Tools::find(host, settings.bin_dir.clone()).await;
    let svscan = tools.path("s6-svscan")?;
    let mut notes = Vec::new();
    scan_dir::prepare(host, &settings.scan_dir, &facts.program).await?;
    leftovers::bring_down(host, &settings.scan_dir, settings.stop_limit(), &mut notes).await?;
    reconcile(host, facts, settings, seat.uid, &mut notes).await;
    let exec = scanner(host, svscan, settings, facts).await?;
    Ok(TreeOutcome { notes, exec })
}

/// The slots are all there before the scanner starts. Whatever fails is noted: the gateways that can come back do.
async fn reconcile(
    host: &impl Host,
    facts: &TreeInputs,
    settings: &Settings,
    uid: u32,
    notes: &mut Vec<String>,
) {
    let operator = Operator { uid, pid: facts.pid, argv: facts.argv.clone() };
    // `boot init` refuses an invalid value; an operator who runs this by hand gets a warning.
    let bootstrap = init::settings::bootstrap(&facts.env).unwrap_or_else(|error| {
        notes.push(error.to_string());
        None
    });
    let supervisor = S6::open(host, settings.scan_dir.clone(), settings.bin_dir.clone()).await;
    let context = OpsContext {
        host,
        layout: &settings.layout,
        supervisor: &supervisor,
        operator: &operator,
        program: &facts.program,
    };
    let pass = reconcile::run(&context, bootstrap, RescanTiming::Later).await;
    notes.extend(pass.plans.iter().filter_map(|plan| {
        plan.failure.as_ref().map(|failure| format!("profile {}: {failure}", plan.name))
    }));
    notes.extend(pass.failures);
    for profile in pass.plans.into_iter().filter_map(|plan| plan.profile) {
        notes.extend(too_long_a_drain(host, settings, &profile).await);
    }
}

/// One number rules: a container that ends before its gateways have drained cuts them short.
async fn too_long_a_drain(
    host: &impl Host,
    settings: &Settings,
    profile: &Profile,
) -> Option<String> {
    // A configuration that cannot be read is said by reconcile.
    let config = config::read(host, &settings.layout.config(profile)).await.ok()?;
    (config.kill_after() > settings.stop_limit()).then(|| {
        format!(
            "profile {profile}: a drain_timeout of {} s does not fit into HERMES_STOP_GRACE ({} s with a second to spare): a stop of the container cuts it short",
            config.drain_timeout.0.as_secs_f32(),
            settings.stop_limit().as_secs_f32(),
        )
    })
}

/// The claim is a record lock: it stays with this process through `exec`, and its children do not share it.
async fn scanner(
    host: &impl Host,
    path: PathBuf,
    settings: &Settings,
    facts: &TreeInputs,
) -> Result<Program, HostError> {
    let mut args = limit_option(host, &path, &facts.env).await;
    let descriptor = facts.notification_fd;
    let mut inherit = Vec::new();
    match proc::inherited(host, descriptor).await {
        Ok(notification) => {
            args.extend(["-d".into(), descriptor.to_string().into()]);
            inherit.push((notification.handle, descriptor));
        }
        // Nobody waits for readiness: started by hand.
        Err(error) if error.errno == Errno::BADF => {}
        Err(error) => return Err(error),
    }
    args.extend(["--".into(), settings.scan_dir.clone().into_os_string()]);
    Ok(Program { path, args, env: facts.env.clone(), inherit, ..Program::default() })
}

/// s6 2.11 knows `-c`, 2.15 knows `-C`, those between know both. Asked for something it does not know, s6-svscan prints
/// its options (2.15: only a complaint) and does nothing.
async fn limit_option(
    host: &impl Host,
    svscan: &Path,
    env: &BTreeMap<OsString, OsString>,
) -> Vec<OsString> {
    let asked = Program {
        path: svscan.to_owned(),
        args: vec!["--help".into()],
        env: env.clone(),
        ..Program::default()
    };
    match proc::run(host, asked, Duration::from_secs(2)).await {
        Ok(finished) => {
            vec![
                limit_letter(&String::from_utf8_lossy(&finished.stderr)).into(),
                SERVICES_MAX.into(),
            ]
        }
        // Its own limit holds; with more services than that the log says so.
        Err(_) => Vec::new(),
    }
}

fn limit_letter(help: &str) -> &'static str {
    if help.contains("usage:") && !help.contains("-C ") { "-c" } else { "-C" }
}

#[cfg(all(test, unix))]
mod tests;
