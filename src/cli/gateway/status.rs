//! `hermes gateway status [--all]`: what is so, beside what was asked.

use serde_json::json;

use super::report;
use crate::cli::args::Status;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;
use crate::ops::status::{self, Verdict};
use crate::ops::{OpsError, home};

/// Looks at one gateway or at all.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    args: &Status,
) -> Exit {
    match args.all {
        true => all(session, output).await,
        false => one(session, output).await,
    }
}

async fn one<H: Host>(session: &Session<'_, H>, output: &Output<'_, H>) -> Exit {
    let looked = status::report(session.host, &session.layout, &session.backend, &session.profile);
    let report = match looked.await {
        Ok(report) => report,
        Err(error) => return output.fail(&error.into()).await,
    };
    output.notes(&report.notes).await;
    let text = report::paragraph(&report, session.manager);
    let document =
        json!({ "manager": session.manager.word(), "gateways": [report::object(&report)] });
    match (output.report(document, &text).await, report.verdict()) {
        (Exit::Done, Verdict::Up) => Exit::Done,
        (Exit::Done, Verdict::Down) => Exit::DownAsIntended,
        (Exit::Done, Verdict::Drift) => Exit::NotAsIntended,
        (failed, _) => failed,
    }
}

async fn all<H: Host>(session: &Session<'_, H>, output: &Output<'_, H>) -> Exit {
    let looked = match look_at_all(session).await {
        Ok(looked) => looked,
        Err(error) => return output.fail(&error.into()).await,
    };
    let mut text = format!("Manager: {}\n", session.manager);
    let mut objects = Vec::new();
    let mut exit = Exit::Done;
    for (profile, result) in looked {
        match result {
            Ok(report) => {
                output.notes(&report.notes).await;
                text.push_str(&report::line(&report, session.manager));
                objects.push(report::object(&report));
                if report.verdict() == Verdict::Drift {
                    exit = Exit::NotAsIntended;
                }
            }
            Err(error) => {
                let error = CliError::from(error);
                text.push_str(&format!("✗ {profile}  {error}\n"));
                objects.push(json!({ "profile": profile.as_str(), "error": error.to_json() }));
                exit = Exit::NotAsIntended;
            }
        }
    }
    let document = json!({ "manager": session.manager.word(), "gateways": objects });
    match output.report(document, &text).await {
        Exit::Done => exit,
        failed => failed,
    }
}

type Looked = Vec<(crate::name::Profile, Result<status::Report, OpsError>)>;

/// All real profiles: what one of them is like keeps no other from being looked at.
pub(super) async fn look_at_all<H: Host>(session: &Session<'_, H>) -> Result<Looked, OpsError> {
    let mut looked = Vec::new();
    for profile in home::profiles(session.host, &session.layout).await? {
        let report =
            status::report(session.host, &session.layout, &session.backend, &profile).await;
        looked.push((profile, report));
    }
    Ok(looked)
}
