//! What came of each story on each machine, kept in target/outcomes for the page that joins them: one file a machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hermes_sim::real;
use hermes_sim::scenario::Scenario;
use serde::{Deserialize, Serialize};

use super::UsageError;

const FOLDER: &str = "target/outcomes";

/// What came of a story on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioOutcome {
    /// All of it held.
    Held,
    /// Something did not.
    Broken,
    /// It was not played, for this reason.
    Skipped(String),
}

impl ScenarioOutcome {
    /// Of a story that was played.
    pub fn from_held(held: bool) -> Self {
        if held { Self::Held } else { Self::Broken }
    }
}

/// Of one machine, by the stories' names.
pub type ScenarioOutcomes = BTreeMap<String, ScenarioOutcome>;

fn outcome_file(machine: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{}.json", machine.replace(' ', "-")))
}

/// What is kept of a machine; nothing if nobody has played on it.
pub fn read_outcomes(machine: &str) -> Result<ScenarioOutcomes, UsageError> {
    let path = outcome_file(machine);
    let said = |error: &dyn std::fmt::Display| UsageError(format!("`{}`: {error}", path.display()));
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| said(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(ScenarioOutcomes::new()),
        Err(error) => Err(said(&error)),
    }
}

/// Keeps these; what is known of other stories stays.
pub fn store_outcomes(machine: &str, new: ScenarioOutcomes) -> Result<(), UsageError> {
    let mut all = read_outcomes(machine)?;
    all.extend(new);
    let path = outcome_file(machine);
    let text = serde_json::to_string_pretty(&all).map_err(|error| UsageError(error.to_string()))?;
    std::fs::create_dir_all(FOLDER)
        .and_then(|()| std::fs::write(&path, text + "\n"))
        .map_err(|error| UsageError(format!("failed to write `{}`: {error}", path.display())))
}

/// Keeps what came of all these: of those that were played whether they held, of the others why they were not.
pub fn store_all(
    machine: &str,
    scenarios: &[Scenario],
    played: &BTreeMap<&str, bool>,
    skipped: &BTreeMap<String, String>,
) -> Result<(), UsageError> {
    let of = |scenario: &Scenario| {
        let name = &scenario.name;
        let outcome = match (played.get(name.as_str()), skipped.get(name)) {
            (Some(held), _) => ScenarioOutcome::from_held(*held),
            (None, Some(why)) => ScenarioOutcome::Skipped(why.clone()),
            (None, None) => {
                let version = real::version_name(scenario.world.s6);
                ScenarioOutcome::Skipped(format!("it is about s6 {version} alone"))
            }
        };
        (name.clone(), outcome)
    };
    store_outcomes(machine, scenarios.iter().map(of).collect())
}
