//! `table`: joins the outcomes of every scenario on every machine into docs/scenarios.md. Runs nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hermes_sim::hash;
use hermes_sim::scenario::Scenario;

use super::outcome::{self, ScenarioOutcome, ScenarioOutcomes};
use super::{UsageError, Verdict, files};

/// Writes the page with the outcome of every scenario on every machine.
///
/// The outcomes are those that `run`, `native` and `containers` stored in target/outcomes. A scenario without an outcome
/// there is `not run`.
#[derive(Debug, clap::Args)]
pub struct TableArgs {
    /// File to write
    #[arg(long, default_value = "docs/scenarios.md")]
    pub page: PathBuf,
}

/// The columns.
const MACHINES: [&str; 7] =
    ["simulated", "s6 2.11", "s6 2.13", "s6 2.15", "bookworm", "trixie", "sid"];

/// Runs it. The exit code is 1 if any scenario failed or has not run.
pub fn run(args: &TableArgs) -> Result<Verdict, UsageError> {
    let scenarios = files::read_all(&[])?;
    let all = MACHINES.map(outcome::read_outcomes).into_iter().collect::<Result<Vec<_>, _>>()?;
    let text = page(&scenarios, &all);
    let path = args.page.display();
    std::fs::write(&args.page, &text)
        .map_err(|error| UsageError(format!("failed to write `{path}`: {error}")))?;
    let is_incomplete = scenarios
        .iter()
        .any(|scenario| all.iter().any(|outcomes| has_not_held(outcomes.get(&scenario.name))));
    println!("{path}: {} scenarios on {} machines", scenarios.len(), MACHINES.len());
    Ok(if is_incomplete { Verdict::Broken } else { Verdict::Held })
}

fn has_not_held(outcome: Option<&ScenarioOutcome>) -> bool {
    matches!(outcome, None | Some(ScenarioOutcome::Broken))
}

const HEAD: &str = "# Every scenario on every machine

The outcome of each file in `fixtures/` on the simulated machine, on real s6 in namespaces (2.11, 2.13, 2.15), and in containers
of the image on three Debian releases. Generated: `./x sim`, `./x native` and `./x docker-e2e` store the outcomes, and
`./x table` writes this page. A number stands for the reason, below, why a scenario does not run there.
";

/// The page: head, table, reasons, and a digest of all of it.
fn page(scenarios: &[Scenario], all: &[ScenarioOutcomes]) -> String {
    let mut reasons = BTreeMap::new();
    let mut rows = String::new();
    for scenario in scenarios {
        let cells = all.iter().map(|outcomes| cell(outcomes.get(&scenario.name), &mut reasons));
        let cells: Vec<String> = cells.collect();
        rows += &format!("| {} | {} |\n", scenario.name, cells.join(" | "));
    }
    let held = all.iter().map(|outcomes| {
        let held_here =
            |scenario: &&Scenario| outcomes.get(&scenario.name) == Some(&ScenarioOutcome::Held);
        scenarios.iter().filter(held_here).count().to_string()
    });
    let held = held.collect::<Vec<_>>().join(" | ");
    let mut text = format!("{HEAD}\n| scenario | {} |\n", MACHINES.join(" | "));
    text += &format!("|---{}|\n{rows}", "|---".repeat(MACHINES.len()));
    text += &format!("| **held, of {}** | {held} |\n\n", scenarios.len());
    let mut numbered: Vec<(&String, &usize)> = reasons.iter().collect();
    numbered.sort_by_key(|(_, number)| **number);
    for (reason, number) in numbered {
        text += &format!("{number}. {reason}\n");
    }
    let digest = digest(&text);
    text + &digest
}

/// A reason gets its number where it first occurs.
fn cell(outcome: Option<&ScenarioOutcome>, reasons: &mut BTreeMap<String, usize>) -> String {
    match outcome {
        None => "not run".to_owned(),
        Some(ScenarioOutcome::Held) => "held".to_owned(),
        Some(ScenarioOutcome::Broken) => "**broken**".to_owned(),
        Some(ScenarioOutcome::Skipped(reason)) => {
            let next = reasons.len() + 1;
            reasons.entry(reason.clone()).or_insert(next).to_string()
        }
    }
}

/// The last line of the page: a digest, which a manual edit makes wrong.
fn digest(text: &str) -> String {
    format!("\n<!-- {:032x} -->\n", hash::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_printed_once_and_a_scenario_without_outcome_is_not_run() {
        let text = r#"{"name": "x", "summary": "x.", "runs_on": ["simulated"], "steps": [{"settle": "1s"}]}"#;
        let scenario = hermes_sim::scenario::load("x.json", text).expect("a scenario");
        let skipped = ScenarioOutcomes::from([(
            "x".to_owned(),
            ScenarioOutcome::Skipped("no power".to_owned()),
        )]);
        let mut all = vec![skipped; 5];
        all.push(ScenarioOutcomes::from([("x".to_owned(), ScenarioOutcome::Held)]));
        all.push(ScenarioOutcomes::new());
        let page = page(&[scenario], &all);
        assert!(page.contains("| x | 1 | 1 | 1 | 1 | 1 | held | not run |\n"), "{page}");
        assert_eq!(page.matches("1. no power\n").count(), 1, "{page}");
    }

    #[test]
    fn every_scenario_has_its_row_and_the_page_was_not_edited_by_hand() {
        let page = include_str!("../../../docs/scenarios.md");
        for scenario in files::read_all(&[]).expect("the fixtures") {
            let row = format!("\n| {} | ", scenario.name);
            assert!(page.contains(&row), "no row for {}: ./x table", scenario.name);
        }
        let end = page.rfind("\n<!--").expect("a digest");
        assert_eq!(page[end..], digest(&page[..end]), "./x table writes the page");
    }
}
