//! `hermes profile list`.

use serde_json::json;

use super::show;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;
use crate::ops::home;

/// Lists all real profiles.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
) -> Result<Exit, CliError> {
    let mut text = String::new();
    let mut objects = Vec::new();
    for profile in home::profiles(session.host, &session.layout).await.map_err(CliError::from)? {
        let facts = show::read_profile_files(session, &profile).await;
        text.push_str(&format!(
            "{profile}  intent {}, port {}\n",
            facts.inferred_intent.intent, facts.port
        ));
        objects.push(facts.to_json(session, &profile));
    }
    Ok(output.print_report(json!({ "profiles": objects }), &text).await)
}
