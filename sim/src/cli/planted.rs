//! `planted`: is every planted bug found? One row a bug: by which search, after how many runs and how long, shrunk to how
//! many surprises, which promise it broke.

use std::sync::Arc;
use std::time::Instant;

use hermes::probe;
use hermes_sim::planted::{Planted, TABLE};
use hermes_sim::report::{self, Case, Effort};
use hermes_sim::scenario::Scenario;
use hermes_sim::search::{Budget, Found};

use super::budget::{SHRINK_RUNS, Size};
use super::unit::{Kind, Made, Unit};
use super::{Usage, Verdict, files, table};

const HEAD: [&str; 8] =
    ["bug", "scenario", "search", "runs", "ms", "surprises", "promise", "takes out"];

/// Plants each known bug in turn and searches until a promise breaks that it must break.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only bugs whose name or hazard holds this text
    pub only: Option<String>,
    /// Which of many equal choices are taken where not all can be
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// A bug that was found.
struct Hunted {
    made: Made,
    found: Found,
    runs: u64,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Verdict, Usage> {
    let (scenarios, _) = files::read_all(&[])?;
    let mut rows = Vec::new();
    let mut is_blind = false;
    for planted in TABLE.iter().filter(|planted| is_asked(args, planted)) {
        let start = Instant::now();
        probe::plant(Some(planted.bug));
        let hunted = hunt(planted, &scenarios, args.seed);
        let millis = start.elapsed().as_millis();
        is_blind |= hunted.is_none();
        let row = row(planted, hunted.as_ref(), millis, args.seed);
        probe::plant(None);
        eprintln!("{}", row.join(" "));
        rows.push(row);
    }
    print!("{}", table::columns(&HEAD, &rows));
    Ok(if is_blind { Verdict::Broken } else { Verdict::Held })
}

fn is_asked(args: &Args, planted: &Planted) -> bool {
    args.only.as_ref().is_none_or(|only| {
        planted.hazard.eq_ignore_ascii_case(only) || format!("{:?}", planted.bug).contains(only)
    })
}

/// The named scenario first, with each search; then all the others.
fn hunt(planted: &Planted, scenarios: &[Arc<Scenario>], seed: u64) -> Option<Hunted> {
    let (named, others): (Vec<_>, Vec<_>) =
        scenarios.iter().partition(|scenario| scenario.name == planted.scenario);
    let mut runs = 0;
    for group in [named, others] {
        for (kind, surprises) in searches() {
            for scenario in &group {
                if kind == Kind::Matrix && scenario.search.crash.is_empty() {
                    continue;
                }
                if kind == Kind::Closed && !scenario.search.closed {
                    continue;
                }
                let budget = Budget { surprises, ..Size::Ci.budget(kind, scenario, seed) };
                let scenario = Arc::clone(scenario);
                let made = Unit { scenario, kind, budget, is_twice: false }.make();
                runs += made.tally.runs.max(1);
                let breaks =
                    |found: &&Found| planted.breaks.contains(&found.failure.promise.as_str());
                if let Some(found) = made.tally.found.iter().find(breaks).cloned() {
                    return Some(Hunted { made, found, runs });
                }
            }
        }
    }
    None
}

fn searches() -> [(Kind, u8); 6] {
    [
        (Kind::Calm, 0),
        (Kind::Matrix, 0),
        (Kind::Surprises, 1),
        (Kind::Surprises, 2),
        (Kind::Surprises, 3),
        (Kind::Closed, 0),
    ]
}

fn row(planted: &Planted, hunted: Option<&Hunted>, millis: u128, seed: u64) -> Vec<String> {
    let bug = format!("{:?}", planted.bug);
    let Some(Hunted { made, found, runs }) = hunted else {
        let none = || "-".to_owned();
        let scenario = planted.scenario.to_owned();
        let takes_out = planted.takes_out.to_owned();
        return vec![
            bug,
            scenario,
            "NOT FOUND".to_owned(),
            none(),
            millis.to_string(),
            none(),
            none(),
            takes_out,
        ];
    };
    let (scenario, by) = (&*made.unit.scenario, made.unit.kind.finder());
    let case = Case { scenario, by, seed, date: &files::today(), found };
    let report = report::report(&case, Effort { runs: SHRINK_RUNS, lines: Some(0) });
    let surprises = match &report.minimal {
        Ok(minimal) => minimal.surprises.len().to_string(),
        Err(_) => format!("({})", found.schedule.0.len()),
    };
    vec![
        bug,
        scenario.name.clone(),
        made.unit.kind.word().to_owned(),
        runs.to_string(),
        millis.to_string(),
        surprises,
        found.failure.promise.clone(),
        planted.takes_out.to_owned(),
    ]
}
