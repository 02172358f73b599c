//! `hermes boot …`: what a container does when it starts.

mod init;
mod reconcile;
mod tree;

use super::args::{BootCommand, Cli};
use super::invocation::Invocation;
use super::output::Output;
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
    };
    match result {
        Ok(exit) => exit.code(),
        Err(error) => output.print_failure(&error).await.code(),
    }
}
