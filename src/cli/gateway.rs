//! `hermes gateway …`: one file a command.

mod act;
mod install;
mod list;
mod logs;
mod report;
mod run;
mod status;

use super::args::Gateway;
use super::output::Output;
use super::session::Session;
use crate::host::Host;
use crate::ops::lifecycle::Verb;

/// Runs one of them; `run` ends with its gateway's own exit code.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    command: &Gateway,
) -> u8 {
    let exit = match command {
        Gateway::Run(args) => return run::run(session, output, args).await,
        Gateway::Start(args) => act::run(session, output, Verb::Start, args).await,
        Gateway::Stop(args) => act::run(session, output, Verb::Stop, args).await,
        Gateway::Restart(args) => act::run(session, output, Verb::Restart, args).await,
        Gateway::Status(args) => status::run(session, output, args).await,
        Gateway::List => list::run(session, output).await,
        Gateway::Logs(args) => logs::run(session, output, args).await,
        Gateway::Install => install::run(session, output, "profile create").await,
        Gateway::Uninstall => install::run(session, output, "profile delete").await,
    };
    exit.code()
}
