//! `hermes boot …`: what a container does when it starts.

mod ends;
mod hand_over;
mod init;
mod main;
mod reconcile;
mod stop;
mod tree;

use super::args::{BootCommand, Cli, ReconcileArgs};
use super::errors::CliError;
use super::exit::Exit;
use super::invocation::Invocation;
use super::output::Output;
use super::privilege;
use super::session::Session;
use crate::host::Host;

/// Runs one of them.
pub(super) async fn run<H: Host>(
    host: &H,
    invocation: &Invocation,
    cli: &Cli,
    command: &BootCommand,
) -> u8 {
    let output = Output { host, json: cli.json };
    let result = match command {
        BootCommand::Reconcile(args) => match Session::open(host, invocation, cli).await {
            Ok(session) => reconcile::run(&session, &output, args).await,
            Err(error) => Err(error),
        },
        BootCommand::Init(args) => init::run(host, invocation, &output, args).await,
        BootCommand::Tree(args) => tree::run(host, invocation, &output, args).await,
        BootCommand::HandOver => hand_over_and_reconcile(host, invocation, cli, &output).await,
        BootCommand::Stop(args) => stop::run(host, invocation, args).await,
        BootCommand::Main(args) => return main::run(host, invocation, &output, args).await,
        BootCommand::MainFinish(_) | BootCommand::GatewaysFinish(_) | BootCommand::ExitCode => {
            return match ends::run(host, command).await {
                Ok(code) => code,
                Err(error) => output.print_failure(&error).await.code(),
            };
        }
    };
    match result {
        Ok(exit) => exit.code(),
        Err(error) => output.print_failure(&error).await.code(),
    }
}

async fn hand_over_and_reconcile<H: Host>(
    host: &H,
    invocation: &Invocation,
    cli: &Cli,
    output: &Output<'_, H>,
) -> Result<Exit, CliError> {
    hand_over::run(host, invocation).await?;
    let invocation = &privilege::drop_root(host, invocation).await?;
    let session = Session::open(host, invocation, cli).await?;
    reconcile::run(&session, output, &ReconcileArgs { dry_run: false }).await
}
