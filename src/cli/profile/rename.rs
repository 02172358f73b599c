//! `hermes profile rename OLD NEW`.

use serde_json::json;

use crate::cli::args::RenameArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;
use crate::ops::{Patience, profiles};

/// Gives a profile another name.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    args: &RenameArgs,
) -> Result<Exit, CliError> {
    let (old, new) = (&args.old, &args.new);
    let notes = profiles::rename(&session.context(), old, new, Patience::Usual).await?;
    output.print_notes(&notes).await;
    let port = profiles::port_of(session.host, &session.layout, new).await;
    let text = format!("✓ Renamed profile '{old}' to '{new}'; its port is {port}\n");
    let document = json!({
        "profile": new.as_str(),
        "renamed_from": old.as_str(),
        "outcome": "renamed",
        "port": port,
        "notes": notes,
    });
    Ok(output.print_report(document, &text).await)
}
