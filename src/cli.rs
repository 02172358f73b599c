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
mod slot;

pub use gateway::GatewayRun;

use args::{Cli, CliCommand, GatewayCommand, RunArgs};
use clap::Parser as _;
use errors::CliError;
use exit::Exit;
use invocation::Invocation;
use output::Output;

use crate::host::Host;
use crate::name::Profile;

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
        Ok(cli) if privilege::drops_root_itself(&cli.command) => {
            dispatch(host, invocation, cli).await
        }
        Ok(cli) => match privilege::drop_root(host, invocation).await {
            Ok(invocation) => dispatch(host, &invocation, cli).await,
            Err(error) => {
                let output = Output { host, json: cli.json };
                Progress::Exit(output.print_failure(&error.into()).await.code())
            }
        },
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
        CliCommand::Gateway(GatewayCommand::Finish(args)) => {
            return Progress::Exit(gateway::finish::code(args));
        }
        CliCommand::Gateway(GatewayCommand::Log) => {
            let profile = cli.profile.clone().unwrap_or_else(Profile::default_profile);
            Err(gateway::log::run(host, invocation, &output, &profile).await)
        }
        CliCommand::Gateway(command) => match of_gateways(host, invocation, &cli, command).await {
            Ok(progress) => return progress,
            Err(error) => Err(error),
        },
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

async fn of_gateways<H: Host>(
    host: &H,
    invocation: &Invocation,
    cli: &Cli,
    command: &GatewayCommand,
) -> Result<Progress, CliError> {
    let output = Output { host, json: cli.json };
    let in_slot;
    let invocation = match command {
        GatewayCommand::Run(RunArgs { slot: true, .. }) => {
            in_slot = slot::gateway(host, invocation).await?;
            &in_slot
        }
        _ => invocation,
    };
    let session = session::Session::open(host, invocation, cli).await?;
    Ok(gateway::run(&session, &output, command).await)
}
