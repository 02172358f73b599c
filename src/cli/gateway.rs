//! `hermes gateway …`: one file a command.

mod act;
mod comeback;
pub(super) mod finish;
mod install;
mod intended;
mod list;
pub(super) mod log;
mod logs;
mod report;
mod run;
mod status;

use super::Progress;
use super::args::Gateway;
use super::output::Output;
use super::session::Session;
use crate::host::Host;
use crate::ops::lifecycle::Verb;
use install::Way;

pub use run::Running;
pub(super) use run::go_on;

/// Runs one of them to its end, or `run` to its first turn.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    command: &Gateway,
) -> Progress {
    let exit = match command {
        Gateway::Run(args) => return run::begin(session, output, args).await,
        Gateway::Start(args) => act::run(session, output, Verb::Start, args).await,
        Gateway::Stop(args) => act::run(session, output, Verb::Stop, args).await,
        Gateway::Restart(args) => act::run(session, output, Verb::Restart, args).await,
        Gateway::Status(args) => status::run(session, output, args).await,
        Gateway::List => list::run(session, output).await,
        Gateway::Logs(args) => logs::run(session, output, args).await,
        Gateway::Install(args) => install::run(session, output, Way::In, args).await,
        Gateway::Uninstall(args) => install::run(session, output, Way::Out, args).await,
        Gateway::Log | Gateway::Finish(_) => unreachable!("they need no session"),
        Gateway::Intended => return Progress::Exit(intended::run(session, output).await),
    };
    Progress::Exit(exit.code())
}
