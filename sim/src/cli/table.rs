//! `table`: joins what came of every story on every machine into docs/scenarios.md. Plays nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hermes_sim::hash;
use hermes_sim::scenario::Scenario;

use super::outcome::{self, ScenarioOutcome, ScenarioOutcomes};
use super::{UsageError, Verdict, files};

/// Writes the page that says of every story what came of it on every machine.
///
/// It is made of what `run`, `native` and `containers` left in target/outcomes. A story that a machine has not played since
/// the folder was emptied is `not run`.
#[derive(Debug, clap::Args)]
pub struct TableArgs {
    /// The page
    #[arg(long, default_value = "docs/scenarios.md")]
    pub page: PathBuf,
}

/// The columns.
const MACHINES: [&str; 7] =
    ["simulated", "s6 2.11", "s6 2.13", "s6 2.15", "bookworm", "trixie", "sid"];

/// Runs it. A story that did not hold, or was not run, is on the page, and in the exit code.
pub fn run(args: &TableArgs) -> Result<Verdict, UsageError> {
    let scenarios = files::read_all(&[])?;
    let all = MACHINES.map(outcome::read_outcomes).into_iter().collect::<Result<Vec<_>, _>>()?;
    let text = page(&scenarios, &all);
    let path = args.page.display();
    std::fs::write(&args.page, &text)
        .map_err(|error| UsageError(format!("failed to write `{path}`: {error}")))?;
    let lacks = scenarios.iter().any(|it| all.iter().any(|of| is_lacking(of.get(&it.name))));
    println!("{path}: {} stories on {} machines", scenarios.len(), MACHINES.len());
    Ok(if lacks { Verdict::Broken } else { Verdict::Held })
}

fn is_lacking(outcome: Option<&ScenarioOutcome>) -> bool {
    matches!(outcome, None | Some(ScenarioOutcome::Broken))
}

const HEAD: &str = "# Every story on every machine

What came of each file in `fixtures/` on the simulated machine, on real s6 in namespaces (2.11, 2.13, 2.15), and in containers
of the image on three Debians. Not typed: `./x sim`, `./x native` and `./x docker-e2e` leave what came of it, and `./x table`
writes this page. A number is the reason, below, for which a story is not played there.
";

/// The page: head, table, reasons, and a digest of all that.
fn page(scenarios: &[Scenario], all: &[ScenarioOutcomes]) -> String {
    let mut reasons = BTreeMap::new();
    let mut rows = String::new();
    for scenario in scenarios {
        let cells = all.iter().map(|of| cell(of.get(&scenario.name), &mut reasons));
        let cells: Vec<String> = cells.collect();
        rows += &format!("| {} | {} |\n", scenario.name, cells.join(" | "));
    }
    let held = all.iter().map(|of| {
        let held = scenarios.iter().filter(|it| of.get(&it.name) == Some(&ScenarioOutcome::Held));
        held.count().to_string()
    });
    let held = held.collect::<Vec<_>>().join(" | ");
    let mut text = format!("{HEAD}\n| story | {} |\n", MACHINES.join(" | "));
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
        Some(ScenarioOutcome::Skipped(why)) => {
            let next = reasons.len() + 1;
            reasons.entry(why.clone()).or_insert(next).to_string()
        }
    }
}

/// The last line: whoever types into the page does not know it.
fn digest(text: &str) -> String {
    format!("\n<!-- {:032x} -->\n", hash::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_and_a_story_that_nobody_played_is_not_run() {
        let text = r#"{"name": "x", "summary": "x.", "runs_on": ["simulated"], "steps": [{"settle": "1s"}]}"#;
        let story = hermes_sim::scenario::load("x.json", text).expect("a scenario");
        let skipped = ScenarioOutcomes::from([(
            "x".to_owned(),
            ScenarioOutcome::Skipped("no power".to_owned()),
        )]);
        let mut all = vec![skipped; 5];
        all.push(ScenarioOutcomes::from([("x".to_owned(), ScenarioOutcome::Held)]));
        all.push(ScenarioOutcomes::new());
        let page = page(&[story], &all);
        assert!(page.contains("| x | 1 | 1 | 1 | 1 | 1 | held | not run |\n"), "{page}");
        assert_eq!(page.matches("1. no power\n").count(), 1, "{page}");
    }

    #[test]
    fn every_story_has_its_row_and_nobody_typed_on_the_page() {
        let page = include_str!("../../../docs/scenarios.md");
        for scenario in files::read_all(&[]).expect("the fixtures") {
            let row = format!("\n| {} | ", scenario.name);
            assert!(page.contains(&row), "no row for {}: ./x table", scenario.name);
        }
        let end = page.rfind("\n<!--").expect("a digest");
        assert_eq!(page[end..], digest(&page[..end]), "./x table writes the page");
    }
}
