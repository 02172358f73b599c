//! Floor 6: arguments → command → report → text or JSON → exit code.
//!
//! ```text
//!   Invocation (argv, environment, ids: collected by main) ─► args ─► settings ─► one file a command ─► Exit
//! ```
//!
//! Texts for people, hints and exit codes live here and nowhere below.

pub mod args;
pub mod exit;
pub mod invocation;

mod boot;
mod doctor;
mod errors;
mod gateway;
mod generated_docs;
mod output;
mod privilege;
mod profile;
mod session;

pub use gateway::GatewayRun;

use args::{Cli, CliCommand};
use clap::Parser as _;
use exit::Exit;
use invocation::Invocation;
use output::Output;

use crate::host::Host;

/// The progress of one command.
///
/// Commands run to their end in one call; a gateway runs turn by turn, and can be stopped, copied and compared between
/// turns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// It has ended, with this exit code.
    Exit(u8),
    /// It is a gateway: [`next_turn`] takes it further.
    Gateway(Box<GatewayRun>),
}

/// Runs one command to its end.
pub async fn run<H: Host>(host: &H, invocation: &Invocation) -> u8 {
    let mut progress = begin(host, invocation).await;
    loop {
        match progress {
            Progress::Exit(code) => return code,
            Progress::Gateway(running) => progress = next_turn(host, *running).await,
        }
    }
}

/// Begins one command.
pub async fn begin<H: Host>(host: &H, invocation: &Invocation) -> Progress {
    match Cli::try_parse_from(&invocation.argv) {
        Ok(cli) => dispatch(host, invocation, cli).await,
        Err(error) => {
            let output = Output { host, json: false };
            let text = error.render().to_string();
            // Help and version were asked for; anything else is a usage error.
            Progress::Exit(if error.use_stderr() {
                output.print_error(&text).await;
                Exit::Usage.code()
            } else {
                output.print(&text).await.code()
            })
        }
    }
}

/// Runs one turn of a gateway.
pub async fn next_turn<H: Host>(host: &H, running: GatewayRun) -> Progress {
    gateway::next_turn(host, running).await
}

/// Does this invocation live long, so that it needs a runtime that can wait for several events?
pub fn is_long_lived(invocation: &Invocation) -> bool {
    matches!(
        Cli::try_parse_from(&invocation.argv),
        Ok(Cli { command: CliCommand::Gateway(args::GatewayCommand::Run(_)), .. })
    )
}

async fn dispatch<H: Host>(host: &H, invocation: &Invocation, cli: Cli) -> Progress {
    let output = Output { host, json: cli.json };
    let outcome = match &cli.command {
        CliCommand::Boot(boot) => {
            return Progress::Exit(boot::run(host, invocation, &cli, boot).await);
        }
        CliCommand::Completions(args) => Ok(generated_docs::completions(&output, args).await),
        CliCommand::Man(args) => Ok(generated_docs::man(&output, args).await),
        CliCommand::Gateway(command) => {
            match session::Session::open(host, invocation, &cli).await {
                Ok(session) => return gateway::run(&session, &output, command).await,
                Err(error) => Err(error),
            }
        }
        CliCommand::Profile(command) => {
            match session::Session::open(host, invocation, &cli).await {
                Ok(session) => Ok(profile::run(&session, &output, command).await),
                Err(error) => Err(error),
            }
        }
        CliCommand::Doctor => match session::Session::open(host, invocation, &cli).await {
            Ok(session) => Ok(doctor::run(&session, &output).await),
            Err(error) => Err(error),
        },
    };
    Progress::Exit(match outcome {
        Ok(exit) => exit.code(),
        Err(error) => output.print_failure(&error).await.code(),
    })
}
