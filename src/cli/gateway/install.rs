//! `hermes gateway install | uninstall`: under s6 there is nothing to install, and they say so.

use serde_json::{Value, json};

use crate::cli::args::Registering;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;
use crate::name::Profile;
use crate::ops::install::{self, Registered};
use crate::ops::{OpsError, Patience, home};
use crate::supervisor::{Registrar as _, Registration, Supervisor as _};

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

/// Installs one gateway or all, or the other way round.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    way: Way,
    args: &Registering,
) -> Exit {
    if let Err(error) = session.must_be_supervised("docker run --restart unless-stopped").await {
        return output.fail(&error).await;
    }
    if session.backend.registration() == Registration::WithProfile {
        return explain(session, output, way).await;
    }
    let profiles = match (args.all, way) {
        (false, _) => Ok(vec![session.profile.clone()]),
        (true, Way::In) => {
            home::profiles(session.host, &session.layout).await.map_err(CliError::from)
        }
        (true, Way::Out) => {
            session.backend.list().await.map(|listing| listing.profiles).map_err(CliError::from)
        }
    };
    match profiles {
        Ok(profiles) => each(session, output, way, &profiles).await,
        Err(error) => output.fail(&error).await,
    }
}

async fn each<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    way: Way,
    profiles: &[Profile],
) -> Exit {
    let mut exit = Exit::Done;
    let (mut text, mut results, mut said) = (String::new(), Vec::new(), Vec::new());
    for profile in profiles {
        match one(session, way, profile).await {
            Ok((registered, notes)) => {
                let new: Vec<String> =
                    notes.iter().filter(|note| !said.contains(*note)).cloned().collect();
                output.notes(&new).await;
                said.extend(new);
                text.push_str(&sentence(session, profile, registered));
                results.push(result(profile, registered, &notes));
            }
            Err(error) => {
                let error = CliError::from(error);
                output.err(&error.to_text()).await;
                results.push(json!({ "profile": profile.as_str(), "error": error.to_json() }));
                exit = if profiles.len() == 1 { error.exit() } else { Exit::Failed };
            }
        }
    }
    match output.report(json!({ "results": results }), &text).await {
        Exit::Done => exit,
        failed => failed,
    }
}

async fn one<H: Host>(
    session: &Session<'_, H>,
    way: Way,
    profile: &Profile,
) -> Result<(Registered, Vec<String>), OpsError> {
    let context = session.context();
    match way {
        Way::In => install::install(&context, profile).await,
        Way::Out => install::uninstall(&context, profile, Patience::Usual).await,
    }
}

fn sentence<H>(session: &Session<'_, H>, profile: &Profile, registered: Registered) -> String {
    let manager = session.manager;
    match registered {
        Registered::Installed => format!(
            "✓ Installed gateway '{profile}': {manager} looks after it; `hermes -p {profile} gateway start` starts it\n"
        ),
        Registered::InstalledAndStarted => format!(
            "✓ Installed gateway '{profile}': {manager} looks after it, and starts it, as its files ask\n"
        ),
        Registered::Updated => format!("✓ Brought gateway '{profile}' up to date with {manager}\n"),
        Registered::Unchanged => format!("✓ Gateway '{profile}' is installed already\n"),
        Registered::Uninstalled => {
            format!("✓ Uninstalled gateway '{profile}'; its profile stays, and is stopped\n")
        }
        Registered::Absent => format!("✓ Gateway '{profile}' is not installed\n"),
    }
}

fn result(profile: &Profile, registered: Registered, notes: &[String]) -> Value {
    let outcome = match registered {
        Registered::Installed | Registered::InstalledAndStarted => "installed",
        Registered::Updated => "updated",
        Registered::Unchanged => "already-installed",
        Registered::Uninstalled => "uninstalled",
        Registered::Absent => "not-installed",
    };
    json!({ "profile": profile.as_str(), "outcome": outcome, "notes": notes })
}

/// Says which command does it.
async fn explain<H: Host>(session: &Session<'_, H>, output: &Output<'_, H>, way: Way) -> Exit {
    let instead = match way {
        Way::In => "profile create",
        Way::Out => "profile delete",
    };
    let text = format!(
        "Gateways here are supervised by {}. A profile's slot comes and goes with the profile:\n\
         `hermes {instead} NAME` does it. Nothing was changed.\n",
        session.manager
    );
    let document = json!({ "manager": session.manager.word(), "instead": instead });
    output.report(document, &text).await
}
