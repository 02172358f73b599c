//! `hermes gateway list`: one line a gateway. Exit 0 whatever their states.

use serde_json::json;

use super::{report, status};
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;

/// Lists all gateways.
pub(super) async fn run<H: Host>(session: &Session<'_, H>, output: &Output<'_, H>) -> Exit {
    let looked = match status::read_all_reports(session).await {
        Ok(looked) => looked,
        Err(error) => return output.print_failure(&error.into()).await,
    };
    let mut text = String::new();
    let mut objects = Vec::new();
    for (profile, result) in looked {
        match result {
            Ok(report) => {
                text.push_str(&report::line(&report, session.manager));
                objects.push(report::report_json(&report));
            }
            Err(error) => {
                let error = CliError::from(error);
                text.push_str(&format!("✗ {profile}  {error}\n"));
                objects.push(json!({ "profile": profile.as_str(), "error": error.to_json() }));
            }
        }
    }
    let document = json!({ "manager": session.manager.as_str(), "gateways": objects });
    output.print_report(document, &text).await
}
