//! `hermes gateway …`: one file a command.

pub(super) mod finish;
mod install;
mod intended;
mod lifecycle;
mod list;
pub(super) mod log;
mod logs;
mod report;
mod restart_code;
mod run;
mod status;

use super::Progress;
use super::args::GatewayCommand;
use super::output::Output;
use super::session::Session;
use crate::host::Host;
use crate::ops::lifecycle::Verb;
use install::InstallDirection;

pub use run::GatewayRun;
pub(super) use run::next_turn;

/// Runs a command to its end, or `run` to its first turn.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    command: &GatewayCommand,
) -> Progress {
    let exit = match command {
        GatewayCommand::Run(args) => return run::begin(session, output, args).await,
        GatewayCommand::Start(args) => lifecycle::run(session, output, Verb::Start, args).await,
        GatewayCommand::Stop(args) => lifecycle::run(session, output, Verb::Stop, args).await,
        GatewayCommand::Restart(args) => lifecycle::run(session, output, Verb::Restart, args).await,
        GatewayCommand::Status(args) => status::run(session, output, args).await,
        GatewayCommand::List => list::run(session, output).await,
        GatewayCommand::Logs(args) => logs::run(session, output, args).await,
        GatewayCommand::Install(args) => {
            install::run(session, output, InstallDirection::Install, args).await
        }
        GatewayCommand::Uninstall(args) => {
            install::run(session, output, InstallDirection::Uninstall, args).await
        }
        GatewayCommand::Log | GatewayCommand::Finish(_) => unreachable!("they need no session"),
        GatewayCommand::Intended => return Progress::Exit(intended::run(session, output).await),
    };
    Progress::Exit(exit.code())
}
