//! The outcome of each scenario on each machine, stored in target/outcomes for the verb `table`: one file a machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hermes_sim::real;
use hermes_sim::scenario::Scenario;
use serde::{Deserialize, Serialize};

use super::UsageError;

const FOLDER: &str = "target/outcomes";

/// The outcome of a scenario on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioOutcome {
    /// Everything held.
    Held,
    /// An expectation or an invariant was violated.
    Broken,
    /// It did not run, for this reason.
    Skipped(String),
}

impl ScenarioOutcome {
    /// The outcome of a scenario that ran.
    pub fn from_held(held: bool) -> Self {
        if held { Self::Held } else { Self::Broken }
    }
}

/// The outcomes on one machine, by scenario name.
pub type ScenarioOutcomes = BTreeMap<String, ScenarioOutcome>;

fn outcome_file(machine: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{}.json", machine.replace(' ', "-")))
}

/// The stored outcomes of a machine; empty if nothing has run on it.
pub fn read_outcomes(machine: &str) -> Result<ScenarioOutcomes, UsageError> {
    let path = outcome_file(machine);
    let usage_error =
        |error: &dyn std::fmt::Display| UsageError(format!("`{}`: {error}", path.display()));
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| usage_error(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(ScenarioOutcomes::new()),
        Err(error) => Err(usage_error(&error)),
    }
}

/// Stores these outcomes; those of other scenarios stay.
pub fn store_outcomes(machine: &str, new: ScenarioOutcomes) -> Result<(), UsageError> {
    let mut all = read_outcomes(machine)?;
    all.extend(new);
    let path = outcome_file(machine);
    let text = serde_json::to_string_pretty(&all).map_err(|error| UsageError(error.to_string()))?;
    std::fs::create_dir_all(FOLDER)
        .and_then(|()| std::fs::write(&path, text + "\n"))
        .map_err(|error| UsageError(format!("failed to write `{}`: {error}", path.display())))
}

/// Stores an outcome for every scenario: whether it held if it ran, or else why it did not run.
pub fn store_all(
    machine: &str,
    scenarios: &[Scenario],
    held: &BTreeMap<&str, bool>,
    skipped: &BTreeMap<String, String>,
) -> Result<(), UsageError> {
    let outcome_of = |scenario: &Scenario| {
        let name = &scenario.name;
        let outcome = match (held.get(name.as_str()), skipped.get(name)) {
            (Some(held), _) => ScenarioOutcome::from_held(*held),
            (None, Some(reason)) => ScenarioOutcome::Skipped(reason.clone()),
            (None, None) => {
                let version = real::version_name(scenario.world.s6);
                ScenarioOutcome::Skipped(format!("it is about s6 {version} alone"))
            }
        };
        (name.clone(), outcome)
    };
    store_outcomes(machine, scenarios.iter().map(outcome_of).collect())
}
