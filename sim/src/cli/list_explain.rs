//! `list` and `explain`: prints scenarios, invariants and hazards. Runs nothing.

use std::path::PathBuf;

use hermes_sim::scenario::{Invariant, Scenario};

use super::{UsageError, Verdict, files, search_table};
use hermes_sim::check::search::SearchKind;

/// Lists the scenarios of the simulated machine: name, hazard, searches, and the first sentence of the summary.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Scenario files; all of them if none is given
    pub files: Vec<PathBuf>,
}

/// Explains an invariant (S1 to S18, L1 to L7) or a hazard (R1 to R15, H1 to H111).
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// An invariant or a hazard
    pub name: String,
}

/// Runs `list`.
pub fn list(args: &ListArgs) -> Result<Verdict, UsageError> {
    let (scenarios, others) = files::read_simulated(&args.files)?;
    let rows: Vec<Vec<String>> = scenarios
        .iter()
        .map(|scenario| {
            let hazard = scenario.hazard.clone().unwrap_or_else(|| "-".to_owned());
            vec![format!("{:<46}", scenario.name), format!("{hazard:<4} {}", one_line(scenario))]
        })
        .collect();
    print!("{}", search_table::align(&["scenario", "hazard, searches, summary"], &rows));
    println!("\n{} scenarios; {others} for other machines only", scenarios.len());
    Ok(Verdict::Held)
}

fn one_line(scenario: &Scenario) -> String {
    let kinds: Vec<&str> =
        SearchKind::requested_by(scenario).into_iter().map(SearchKind::name).collect();
    let sentence = scenario.summary.split_inclusive(". ").next().unwrap_or_default();
    format!("{:<42} {}", kinds.join(" "), sentence.trim_end())
}

/// Runs `explain`.
pub fn explain(args: &ExplainArgs) -> Result<Verdict, UsageError> {
    let name = args.name.to_uppercase();
    if let Some(invariant) =
        Invariant::ALL.into_iter().find(|invariant| invariant.to_string() == name)
    {
        let (statement, reason) = (invariant.statement(), invariant.reason());
        println!("{invariant}: {statement}\n   because {reason}");
        return Ok(Verdict::Held);
    }
    let (scenarios, _) = files::read_simulated(&[])?;
    let covering = scenarios.iter().filter(|scenario| scenario.hazard.as_deref() == Some(&*name));
    let mut is_known = false;
    for scenario in covering {
        is_known = true;
        println!("{}: {}", scenario.name, scenario.summary);
    }
    match is_known {
        true => Ok(Verdict::Held),
        false => Err(UsageError(format!(
            "`{}` is not an invariant (S1 to S18, L1 to L7), and no scenario covers such a hazard",
            args.name
        ))),
    }
}
