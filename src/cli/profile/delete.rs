//! `hermes profile delete NAME`.

use serde_json::json;

use crate::cli::args::DeleteArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::{Host, fs, proc};
use crate::ops::{Patience, profiles};

/// Removes a profile, after asking.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    args: &DeleteArgs,
) -> Result<Exit, CliError> {
    let is_confirmed = args.yes || confirmed(session, output, args).await?;
    if !is_confirmed {
        return Err(CliError::Unconfirmed(args.name.to_string()));
    }
    let patience = args.timeout.map_or(Patience::Usual, Patience::For);
    let notes = profiles::delete(&session.context(), &args.name, patience).await?;
    output.print_notes(&notes).await;
    let document = json!({ "profile": args.name.as_str(), "outcome": "deleted", "notes": notes });
    Ok(output.print_report(document, &format!("✓ Deleted profile '{}'\n", args.name)).await)
}

async fn confirmed<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    args: &DeleteArgs,
) -> Result<bool, CliError> {
    if !session.invocation.stdin_is_terminal {
        return Ok(false);
    }
    let dir = session.layout.profile(&args.name);
    output
        .print_error(&format!(
            "Delete profile '{}' with all files in `{}`? [y/N] ",
            args.name,
            dir.display()
        ))
        .await;
    let stdin = proc::inherited(session.host, 0).await?;
    let answer = fs::read(session.host, &stdin, 64).await?;
    Ok(matches!(answer.first(), Some(b'y' | b'Y')))
}
