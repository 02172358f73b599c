//! `explore`: searches one scenario, with budgets from the command line. `shrink`: the same, and prints only the smallest
//! scenario that fails.

use std::path::PathBuf;
use std::sync::Arc;

use hermes_sim::check::report::{self, ReportInput, ReportLimits};
use hermes_sim::check::search::Budget;

use super::budget::{SHRINK_RUNS, Size, TRACE_LINES};
use super::search_unit::{SearchUnit, UnitResult};
use super::{UsageError, Verdict, files, run, search_table};
use hermes_sim::check::search::SearchKind;

/// Runs one search of one scenario, or all searches that it requests.
#[derive(Debug, clap::Args)]
pub struct ExploreArgs {
    #[command(flatten)]
    pub search_args: SearchArgs,
    /// Print whole traces
    #[arg(long)]
    pub full: bool,
}

/// Finds a failure of a scenario, shrinks it, and prints the smallest scenario that shows it, as JSON.
///
/// Example: hermes-sim shrink fixtures/scenarios/verb-stop.json > fixtures/regressions/NAME.json
#[derive(Debug, clap::Args)]
pub struct ShrinkArgs {
    #[command(flatten)]
    pub search_args: SearchArgs,
}

/// Which search, and its budget.
#[derive(Debug, clap::Args)]
pub struct SearchArgs {
    /// The scenario file
    pub file: PathBuf,
    /// The search to run; by default all that the scenario requests
    #[arg(long, value_enum)]
    pub search: Option<SearchKind>,
    /// Maximum number of runs
    #[arg(long)]
    pub runs: Option<u64>,
    /// Maximum number of states of an exhaustive search
    #[arg(long)]
    pub states: Option<u64>,
    /// Maximum number of faults in one run
    #[arg(long)]
    pub faults: Option<u8>,
    /// Seed for sampling when the budget does not cover every case
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl SearchArgs {
    fn run_searches(&self) -> Result<Vec<UnitResult>, UsageError> {
        let scenario = Arc::new(files::read_scenario(&self.file)?);
        let kinds =
            self.search.map_or_else(|| SearchKind::requested_by(&scenario), |kind| vec![kind]);
        let units = kinds.into_iter().map(|kind| {
            let default = Size::Ci.budget(kind, &scenario, self.seed);
            let budget = Budget {
                runs: self.runs.unwrap_or(default.runs),
                states: self.states.unwrap_or(default.states),
                faults_max: self.faults.unwrap_or(default.faults_max.max(1)),
                seed: self.seed,
            };
            SearchUnit { scenario: Arc::clone(&scenario), kind, budget, runs_twice: false }
        });
        Ok(run::run_units(units.collect(), 1))
    }
}

/// Runs `explore`.
pub fn run(args: &ExploreArgs) -> Result<Verdict, UsageError> {
    let results = args.search_args.run_searches()?;
    print!("{}", search_table::render(&results, 0));
    let lines = (!args.full).then_some(TRACE_LINES);
    let date = files::today();
    for result in &results {
        for finding in &result.tally.findings {
            let scenario = &*result.unit.scenario;
            let input = ReportInput {
                scenario,
                found_by: result.unit.kind.found_by(),
                seed: args.search_args.seed,
                date: &date,
                finding,
            };
            let report =
                report::report(&input, ReportLimits { runs: SHRINK_RUNS, trace_lines_max: lines });
            println!("\n─── {} {}", scenario.name, result.unit.kind.name());
            print!("{}", report.text());
        }
    }
    Ok(if results.iter().all(UnitResult::holds) { Verdict::Held } else { Verdict::Broken })
}

/// Runs `shrink`.
pub fn shrink(args: &ShrinkArgs) -> Result<Verdict, UsageError> {
    let results = args.search_args.run_searches()?;
    let date = files::today();
    let first = results.iter().find_map(|result| Some((result, result.tally.findings.first()?)));
    let Some((result, finding)) = first else {
        eprintln!("hermes-sim: everything held");
        return Ok(Verdict::Held);
    };
    let input = ReportInput {
        scenario: &result.unit.scenario,
        found_by: result.unit.kind.found_by(),
        seed: args.search_args.seed,
        date: &date,
        finding,
    };
    let report =
        report::report(&input, ReportLimits { runs: SHRINK_RUNS, trace_lines_max: Some(0) });
    eprintln!("{}: {}", report.failure.kind, report.failure.detail);
    match report.minimal {
        Ok(minimal) => print!("{}", minimal.to_json()),
        Err(reason) => eprintln!("hermes-sim: no scenario can show this failure: {reason}"),
    }
    Ok(Verdict::Broken)
}
