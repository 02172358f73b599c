//! `hermes boot …`: what a container does when it starts.

mod ends;
mod hand_over;
mod init;
mod main;
mod reconcile;
mod stop;
mod tree;

use super::args::{Boot, Cli, Reconcile};
use super::errors::CliError;
use super::exit::Exit;
use super::invocation::Invocation;
use super::output::Output;
use super::session::Session;
use crate::host::Host;

/// Runs one of them.
pub(super) async fn run<H: Host>(
    host: &H,
    invocation: &Invocation,
    cli: &Cli,
    command: &Boot,
) -> u8 {
    let output = Output { host, json: cli.json };
    let result = match command {
        Boot::Reconcile(args) => match Session::open(host, invocation, cli).await {
            Ok(session) => reconcile::run(&session, &output, args).await,
            Err(error) => Err(error),
        },
        Boot::Init(args) => init::run(host, invocation, &output, args).await,
        Boot::Tree(args) => tree::run(host, invocation, &output, args).await,
        Boot::HandOver => hand_over_and_reconcile(host, invocation, cli, &output).await,
        Boot::Stop(args) => stop::run(host, invocation, args).await,
        Boot::Main(args) => return main::run(host, invocation, &output, args).await,
        Boot::MainFinish(_) | Boot::GatewaysFinish(_) | Boot::ExitCode => {
            return match ends::run(host, command).await {
                Ok(code) => code,
                Err(error) => output.fail(&error).await.code(),
            };
        }
    };
    match result {
        Ok(exit) => exit.code(),
        Err(error) => output.fail(&error).await.code(),
    }
}

async fn hand_over_and_reconcile<H: Host>(
    host: &H,
    invocation: &Invocation,
    cli: &Cli,
    output: &Output<'_, H>,
) -> Result<Exit, CliError> {
    hand_over::run(host, invocation).await?;
    let session = Session::open(host, invocation, cli).await?;
    reconcile::run(&session, output, &Reconcile { dry_run: false }).await
}
