//! `hermes profile …`: one file a command.

mod create;
mod delete;
mod list;
mod rename;
mod show;

use super::args::ProfileCommand;
use super::exit::Exit;
use super::output::Output;
use super::session::Session;
use crate::host::Host;

/// Runs one of the commands.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    command: &ProfileCommand,
) -> Exit {
    let changes = !matches!(command, ProfileCommand::List | ProfileCommand::Show(_));
    if let (true, Err(error)) = (changes, session.must_not_be_a_guest().await) {
        return output.print_failure(&error).await;
    }
    let result = match command {
        ProfileCommand::Create(args) => create::run(session, output, args).await,
        ProfileCommand::Delete(args) => delete::run(session, output, args).await,
        ProfileCommand::List => list::run(session, output).await,
        ProfileCommand::Show(args) => show::run(session, output, args).await,
        ProfileCommand::Rename(args) => rename::run(session, output, args).await,
    };
    match result {
        Ok(exit) => exit,
        Err(error) => output.print_failure(&error).await,
    }
}
