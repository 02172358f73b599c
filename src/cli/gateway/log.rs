//! `hermes gateway log` (hidden): a slot's `log/run`. Prepares the log directory and becomes s6-log.
//!
//! In root's tree it hands the slot over first: only root can do that, and a logger always starts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::backend::s6::{Tools, hand_over};
use crate::cli::errors::CliError;
use crate::cli::invocation::Invocation;
use crate::cli::output::Output;
use crate::cli::{session, slot};
use crate::error::{Errno, HostError};
use crate::host::effect::Program;
use crate::host::{Host, fs, proc};
use crate::layout::Layout;
use crate::name::Profile;
use crate::ops::identity;
use crate::record::file;

/// A probe directory: if it can be made and removed, s6-log can write there.
const PROBE: &str = ".hermes-probe";

/// Returns only to say why there is no logger.
pub(in crate::cli) async fn run<H: Host>(
    host: &H,
    invocation: &Invocation,
    output: &Output<'_, H>,
    profile: &Profile,
) -> CliError {
    match become_logger(host, invocation, output, profile).await {
        Ok(error) => error.into(),
        Err(error) => error,
    }
}

async fn become_logger<H: Host>(
    host: &H,
    invocation: &Invocation,
    output: &Output<'_, H>,
    profile: &Profile,
) -> Result<HostError, CliError> {
    let invocation = slot::in_container(host, invocation).await?;
    if invocation.uid == 0 {
        let gid = identity::hermes(host).await?.gid;
        // If a slot could not be handed over in time, the command that is refused there reports it; its lines are
        // logged.
        hand_over::slot(host, Path::new(".."), Path::new("."), gid).await?;
    }
    let invocation = slot::as_hermes(host, invocation).await?;
    proc::set_umask(host, 0o022).await?;
    let tools = Tools::find(host, invocation.var("HERMES_S6_BIN_DIR").map(PathBuf::from)).await;
    let path = tools.path("s6-log")?;
    let layout = Layout::from_home(&session::home(host, &invocation).await?);
    let dir = layout.gateway_log(profile);
    let args: Vec<OsString> = match prepare(host, &dir).await {
        Ok(()) => {
            ["1", "n10", "s1000000", "T"].map(Into::into).into_iter().chain([dir.into()]).collect()
        }
        // A logger that dies would block the gateway as soon as the pipe is full.
        Err(error) => {
            let name = profile.as_str();
            output
                .print_error(&format!(
                    "hermes: gateway '{name}' logs to the container's log only: {error}\n"
                ))
                .await;
            vec!["1".into()]
        }
    };
    let program = Program { path, args, env: invocation.env, ..Program::default() };
    Ok(proc::exec(host, program).await)
}

/// Makes the directory if it is missing, else sees whether something can be made in it.
async fn prepare(host: &impl Host, dir: &Path) -> Result<(), HostError> {
    match fs::make_dir(host, dir, 0o755).await {
        Err(error) if error.errno == Errno::EXIST => {}
        Err(error) if error.is_absent() => return file::make_dirs(host, dir, 0o755).await,
        made => return made,
    }
    let probe = dir.join(PROBE);
    match fs::make_dir(host, &probe, 0o700).await {
        // One that was killed here left it.
        Err(error) if error.errno != Errno::EXIST => return Err(error),
        _ => {}
    }
    fs::remove_dir(host, &probe).await
}
