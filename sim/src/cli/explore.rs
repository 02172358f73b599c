//! `explore`: one search of one scenario, with budgets of one's own. `shrink`: the same, and only the smallest scenario.

use std::path::PathBuf;
use std::sync::Arc;

use hermes_sim::check::report::{self, ReportInput, ReportLimits};
use hermes_sim::check::search::Budget;

use super::budget::{SHRINK_RUNS, Size, TRACE_LINES};
use super::search_unit::{SearchUnit, UnitResult};
use super::{UsageError, Verdict, files, run, search_table};
use hermes_sim::check::search::SearchKind;

/// Makes one search of one scenario, or all that it asks for.
#[derive(Debug, clap::Args)]
pub struct ExploreArgs {
    #[command(flatten)]
    pub search_args: SearchArgs,
    /// Prints whole traces
    #[arg(long)]
    pub full: bool,
}

/// Finds a failure of a scenario, makes it small, and prints the scenario that shows it as JSON.
///
/// Example: hermes-sim shrink fixtures/scenarios/verb-stop.json > fixtures/regressions/NAME.json
#[derive(Debug, clap::Args)]
pub struct ShrinkArgs {
    #[command(flatten)]
    pub search_args: SearchArgs,
}

/// What is searched, and how far.
#[derive(Debug, clap::Args)]
pub struct SearchArgs {
    /// The scenario
    pub file: PathBuf,
    /// Which search; left out, all that the scenario asks for
    #[arg(long, value_enum)]
    pub search: Option<SearchKind>,
    /// At most so many runs
    #[arg(long)]
    pub runs: Option<u64>,
    /// At most so many states in a closed search
    #[arg(long)]
    pub states: Option<u64>,
    /// At most so many surprises in one run
    #[arg(long)]
    pub faults: Option<u8>,
    /// Which of many equal choices are taken where not all can be
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl SearchArgs {
    fn run_searches(&self) -> Result<Vec<UnitResult>, UsageError> {
        let scenario = Arc::new(files::read_scenario(&self.file)?);
        let kinds =
            self.search.map_or_else(|| SearchKind::requested_by(&scenario), |kind| vec![kind]);
        let units = kinds.into_iter().map(|kind| {
            let usual = Size::Ci.budget(kind, &scenario, self.seed);
            let budget = Budget {
                runs: self.runs.unwrap_or(usual.runs),
                states: self.states.unwrap_or(usual.states),
                faults_max: self.faults.unwrap_or(usual.faults_max.max(1)),
                seed: self.seed,
            };
            SearchUnit { scenario: Arc::clone(&scenario), kind, budget, runs_twice: false }
        });
        Ok(run::run_units(units.collect(), 1))
    }
}

/// Runs `explore`.
pub fn run(args: &ExploreArgs) -> Result<Verdict, UsageError> {
    let made = args.search_args.run_searches()?;
    print!("{}", search_table::render(&made, 0));
    let lines = (!args.full).then_some(TRACE_LINES);
    let date = files::today();
    for made in &made {
        for found in &made.tally.findings {
            let (scenario, by) = (&*made.unit.scenario, made.unit.kind.found_by());
            let case = ReportInput {
                scenario,
                found_by: by,
                seed: args.search_args.seed,
                date: &date,
                finding: found,
            };
            let report =
                report::report(&case, ReportLimits { runs: SHRINK_RUNS, trace_lines_max: lines });
            println!("\n─── {} {}", scenario.name, made.unit.kind.name());
            print!("{}", report.text());
        }
    }
    Ok(if made.iter().all(UnitResult::holds) { Verdict::Held } else { Verdict::Broken })
}

/// Runs `shrink`.
pub fn shrink(args: &ShrinkArgs) -> Result<Verdict, UsageError> {
    let made = args.search_args.run_searches()?;
    let date = files::today();
    let first = made.iter().find_map(|made| Some((made, made.tally.findings.first()?)));
    let Some((made, found)) = first else {
        eprintln!("hermes-sim: everything held");
        return Ok(Verdict::Held);
    };
    let (scenario, by) = (&*made.unit.scenario, made.unit.kind.found_by());
    let case = ReportInput {
        scenario,
        found_by: by,
        seed: args.search_args.seed,
        date: &date,
        finding: found,
    };
    let report =
        report::report(&case, ReportLimits { runs: SHRINK_RUNS, trace_lines_max: Some(0) });
    eprintln!("{}: {}", report.failure.kind, report.failure.detail);
    match report.minimal {
        Ok(minimal) => print!("{}", minimal.to_json()),
        Err(why) => eprintln!("hermes-sim: no scenario of its own: {why}"),
    }
    Ok(Verdict::Broken)
}
