//! `hermes profile show NAME`: its directory and what its files say. Asks no supervisor.

use serde_json::{Value, json};

use crate::cli::args::NameArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;
use crate::name::Profile;
use crate::ops::{OpsError, home, profiles};
use crate::record::config::{self, Config, ConfigError};
use crate::record::intent::{self, InferredIntent};
use crate::record::state;

/// What a profile's files say.
pub(super) struct ProfileFiles {
    pub inferred_intent: InferredIntent,
    pub port: u16,
    pub config: Result<Config, ConfigError>,
    pub notes: Vec<String>,
}

/// Reads a profile's files.
pub(super) async fn read_profile_files<H: Host>(
    session: &Session<'_, H>,
    profile: &Profile,
) -> ProfileFiles {
    let (host, layout) = (session.host, &session.layout);
    let record = intent::read(host, &layout.intent(profile)).await;
    let state = state::read(host, &layout.state(profile)).await;
    ProfileFiles {
        inferred_intent: intent::infer(&record, &state, None),
        port: profiles::port_of(host, layout, profile).await,
        config: config::read(host, &layout.config(profile)).await,
        notes: intent::read_warnings(&record, &state).iter().map(ToString::to_string).collect(),
    }
}

impl ProfileFiles {
    /// The JSON object.
    pub fn to_json<H: Host>(&self, session: &Session<'_, H>, profile: &Profile) -> Value {
        json!({
            "profile": profile.as_str(),
            "directory": session.layout.profile(profile),
            "intent": self.inferred_intent.intent.as_str(),
            "intent_source": self.inferred_intent.source.as_str(),
            "port": self.port,
            "command": self.command(),
            "config_error": self.config.as_ref().err().map(ToString::to_string),
            "notes": self.notes,
        })
    }

    fn command(&self) -> Option<Vec<String>> {
        let command = self.config.as_ref().ok()?.command.as_ref()?;
        Some([std::slice::from_ref(&command.program), &command.args].concat())
    }
}

/// Shows one profile.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    args: &NameArgs,
) -> Result<Exit, CliError> {
    let profile = &args.name;
    if !home::exists(session.host, &session.layout, profile).await? {
        return Err(OpsError::NoSuchProfile(profile.clone()).into());
    }
    let facts = read_profile_files(session, profile).await;
    output.print_notes(&facts.notes).await;
    let gateway = match (&facts.config, facts.command()) {
        (Err(error), _) => format!("✗ {error}"),
        (Ok(_), Some(command)) => command.join(" "),
        (Ok(_), None) => "built-in".to_owned(),
    };
    let text = format!(
        "{profile}\n    Directory: {}\n    Intent:    {} (from {})\n    Gateway:   {gateway}\n    Port:      {}\n    Log:       {}\n",
        session.layout.profile(profile).display(),
        facts.inferred_intent.intent,
        facts.inferred_intent.source.as_str(),
        facts.port,
        session.layout.gateway_log(profile).display(),
    );
    Ok(output.print_report(facts.to_json(session, profile), &text).await)
}
