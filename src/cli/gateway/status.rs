//! `hermes gateway status [--all]`: the actual state, beside the intent.

use serde_json::json;

use super::report;
use crate::cli::args::StatusArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;
use crate::ops::status::{self, Verdict};
use crate::ops::{OpsError, home};

/// Reports one gateway or all.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    args: &StatusArgs,
) -> Exit {
    match args.all {
        true => report_all(session, output).await,
        false => report_one(session, output).await,
    }
}

async fn report_one<H: Host>(session: &Session<'_, H>, output: &Output<'_, H>) -> Exit {
    let looked =
        status::read_report(session.host, &session.layout, &session.backend, &session.profile);
    let report = match looked.await {
        Ok(report) => report,
        Err(error) => return output.print_failure(&error.into()).await,
    };
    output.print_notes(&report.notes).await;
    let text = report::paragraph(&report, session.manager);
    let document =
        json!({ "manager": session.manager.as_str(), "gateways": [report::report_json(&report)] });
    match (output.print_report(document, &text).await, report.verdict()) {
        (Exit::Done, Verdict::Up) => Exit::Done,
        (Exit::Done, Verdict::Down) => Exit::DownAsIntended,
        (Exit::Done, Verdict::Drift) => Exit::NotAsIntended,
        (failed, _) => failed,
    }
}

async fn report_all<H: Host>(session: &Session<'_, H>, output: &Output<'_, H>) -> Exit {
    let looked = match read_all_reports(session).await {
        Ok(looked) => looked,
        Err(error) => return output.print_failure(&error.into()).await,
    };
    let mut text = format!("Manager: {}\n", session.manager);
    let mut objects = Vec::new();
    let mut exit = Exit::Done;
    for (profile, result) in looked {
        match result {
            Ok(report) => {
                output.print_notes(&report.notes).await;
                text.push_str(&report::line(&report, session.manager));
                objects.push(report::report_json(&report));
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
    let document = json!({ "manager": session.manager.as_str(), "gateways": objects });
    match output.print_report(document, &text).await {
        Exit::Done => exit,
        failed => failed,
    }
}

type ProfileReports = Vec<(crate::name::Profile, Result<status::StatusReport, OpsError>)>;

/// All real profiles: a failure with one does not keep the others from being reported.
pub(super) async fn read_all_reports<H: Host>(
    session: &Session<'_, H>,
) -> Result<ProfileReports, OpsError> {
    let mut looked = Vec::new();
    for profile in home::profiles(session.host, &session.layout).await? {
        let report =
            status::read_report(session.host, &session.layout, &session.backend, &profile).await;
        looked.push((profile, report));
    }
    Ok(looked)
}
