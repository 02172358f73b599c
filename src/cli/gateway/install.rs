//! `hermes gateway install | uninstall`: under s6 there is nothing to install, and the commands say so.

use serde_json::{Value, json};

use crate::cli::args::InstallArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;
use crate::name::Profile;
use crate::ops::install::{self, InstallOutcome};
use crate::ops::{OpsError, Patience, home};
use crate::supervisor::{Registrar as _, Registration, Supervisor as _};

/// Install or uninstall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InstallDirection {
    Install,
    Uninstall,
}

/// Installs or uninstalls one gateway or all.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    way: InstallDirection,
    args: &InstallArgs,
) -> Exit {
    if let Err(error) = session.must_be_supervised("docker run --restart unless-stopped").await {
        return output.print_failure(&error).await;
    }
    if session.backend.registration() == Registration::WithProfile {
        return explain(session, output, way).await;
    }
    let profiles = match (args.all, way) {
        (false, _) => Ok(vec![session.profile.clone()]),
        (true, InstallDirection::Install) => {
            home::profiles(session.host, &session.layout).await.map_err(CliError::from)
        }
        (true, InstallDirection::Uninstall) => {
            session.backend.list().await.map(|listing| listing.profiles).map_err(CliError::from)
        }
    };
    match profiles {
        Ok(profiles) => install_each(session, output, way, &profiles).await,
        Err(error) => output.print_failure(&error).await,
    }
}

async fn install_each<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    way: InstallDirection,
    profiles: &[Profile],
) -> Exit {
    let mut exit = Exit::Done;
    let (mut text, mut results, mut printed) = (String::new(), Vec::new(), Vec::new());
    for profile in profiles {
        match install_one(session, way, profile).await {
            Ok((registered, notes)) => {
                let new: Vec<String> =
                    notes.iter().filter(|note| !printed.contains(*note)).cloned().collect();
                output.print_notes(&new).await;
                printed.extend(new);
                text.push_str(&sentence(session, profile, registered));
                results.push(result_json(profile, registered, &notes));
            }
            Err(error) => {
                let error = CliError::from(error);
                output.print_error(&error.to_text()).await;
                results.push(json!({ "profile": profile.as_str(), "error": error.to_json() }));
                exit = if profiles.len() == 1 { error.exit() } else { Exit::Failed };
            }
        }
    }
    match output.print_report(json!({ "results": results }), &text).await {
        Exit::Done => exit,
        failed => failed,
    }
}

async fn install_one<H: Host>(
    session: &Session<'_, H>,
    way: InstallDirection,
    profile: &Profile,
) -> Result<(InstallOutcome, Vec<String>), OpsError> {
    let context = session.context();
    match way {
        InstallDirection::Install => install::install(&context, profile).await,
        InstallDirection::Uninstall => install::uninstall(&context, profile, Patience::Usual).await,
    }
}

fn sentence<H>(session: &Session<'_, H>, profile: &Profile, registered: InstallOutcome) -> String {
    let manager = session.manager;
    match registered {
        InstallOutcome::Installed => format!(
            "✓ Installed gateway '{profile}': {manager} looks after it; `hermes -p {profile} gateway start` starts it\n"
        ),
        InstallOutcome::InstalledAndStarted => format!(
            "✓ Installed gateway '{profile}': {manager} looks after it, and starts it, as its files ask\n"
        ),
        InstallOutcome::Updated => {
            format!("✓ Brought gateway '{profile}' up to date with {manager}\n")
        }
        InstallOutcome::Unchanged => format!("✓ Gateway '{profile}' is installed already\n"),
        InstallOutcome::Uninstalled => {
            format!("✓ Uninstalled gateway '{profile}'; its profile stays, and is stopped\n")
        }
        InstallOutcome::Absent => format!("✓ Gateway '{profile}' is not installed\n"),
    }
}

fn result_json(profile: &Profile, registered: InstallOutcome, notes: &[String]) -> Value {
    let outcome = match registered {
        InstallOutcome::Installed | InstallOutcome::InstalledAndStarted => "installed",
        InstallOutcome::Updated => "updated",
        InstallOutcome::Unchanged => "already-installed",
        InstallOutcome::Uninstalled => "uninstalled",
        InstallOutcome::Absent => "not-installed",
    };
    json!({ "profile": profile.as_str(), "outcome": outcome, "notes": notes })
}

/// Names the command to use instead.
async fn explain<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    way: InstallDirection,
) -> Exit {
    let instead = match way {
        InstallDirection::Install => "profile create",
        InstallDirection::Uninstall => "profile delete",
    };
    let text = format!(
        "Gateways here are supervised by {}. A profile's slot comes and goes with the profile:\n\
         `hermes {instead} NAME` does it. Nothing was changed.\n",
        session.manager
    );
    let document = json!({ "manager": session.manager.as_str(), "instead": instead });
    output.print_report(document, &text).await
}
