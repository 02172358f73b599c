//! `hermes gateway install | uninstall`: under s6 there is nothing to install, and they say so.

use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;

/// Explains which command does it.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    instead: &str,
) -> Exit {
    if let Err(error) = session.must_be_supervised("docker run --restart unless-stopped").await {
        return output.fail(&error).await;
    }
    let text = format!(
        "Gateways here are supervised by {}. A profile's slot comes and goes with the profile:\n\
         `hermes {instead} NAME` does it. Nothing was changed.\n",
        session.manager
    );
    let document = json!({ "manager": session.manager.word(), "instead": instead });
    output.report(document, &text).await
}
