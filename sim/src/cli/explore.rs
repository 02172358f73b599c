//! `explore`: one search of one scenario, with budgets of one's own. `shrink`: the same, and only the smallest scenario.

use std::path::PathBuf;
use std::sync::Arc;

use hermes_sim::check::report::{self, Case, Effort};
use hermes_sim::check::search::Budget;

use super::budget::{SHRINK_RUNS, Size, TRACE_LINES};
use super::unit::{Kind, Made, Unit};
use super::{Usage, Verdict, files, run, table};

/// Makes one search of one scenario, or all that it asks for.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub what: What,
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
    pub what: What,
}

/// What is searched, and how far.
#[derive(Debug, clap::Args)]
pub struct What {
    /// The scenario
    pub file: PathBuf,
    /// Which search; left out, all that the scenario asks for
    #[arg(long, value_enum)]
    pub search: Option<Kind>,
    /// At most so many runs
    #[arg(long)]
    pub runs: Option<u64>,
    /// At most so many states in a closed search
    #[arg(long)]
    pub states: Option<u64>,
    /// At most so many surprises in one run
    #[arg(long)]
    pub surprises: Option<u8>,
    /// Which of many equal choices are taken where not all can be
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl What {
    fn make(&self) -> Result<Vec<Made>, Usage> {
        let scenario = Arc::new(files::read(&self.file)?);
        let kinds = self.search.map_or_else(|| Kind::asked(&scenario), |kind| vec![kind]);
        let units = kinds.into_iter().map(|kind| {
            let usual = Size::Ci.budget(kind, &scenario, self.seed);
            let budget = Budget {
                runs: self.runs.unwrap_or(usual.runs),
                states: self.states.unwrap_or(usual.states),
                surprises: self.surprises.unwrap_or(usual.surprises.max(1)),
                seed: self.seed,
            };
            Unit { scenario: Arc::clone(&scenario), kind, budget, is_twice: false }
        });
        Ok(run::make(units.collect(), 1))
    }
}

/// Runs `explore`.
pub fn run(args: &Args) -> Result<Verdict, Usage> {
    let made = args.what.make()?;
    print!("{}", table::text(&made, 0));
    let lines = (!args.full).then_some(TRACE_LINES);
    let date = files::today();
    for made in &made {
        for found in &made.tally.found {
            let (scenario, by) = (&*made.unit.scenario, made.unit.kind.finder());
            let case = Case { scenario, by, seed: args.what.seed, date: &date, found };
            let report = report::report(&case, Effort { runs: SHRINK_RUNS, lines });
            println!("\n─── {} {}", scenario.name, made.unit.kind.word());
            print!("{}", report.text());
        }
    }
    Ok(if made.iter().all(Made::is_green) { Verdict::Held } else { Verdict::Broken })
}

/// Runs `shrink`.
pub fn shrink(args: &ShrinkArgs) -> Result<Verdict, Usage> {
    let made = args.what.make()?;
    let date = files::today();
    let first = made.iter().find_map(|made| Some((made, made.tally.found.first()?)));
    let Some((made, found)) = first else {
        eprintln!("hermes-sim: everything held");
        return Ok(Verdict::Held);
    };
    let (scenario, by) = (&*made.unit.scenario, made.unit.kind.finder());
    let case = Case { scenario, by, seed: args.what.seed, date: &date, found };
    let report = report::report(&case, Effort { runs: SHRINK_RUNS, lines: Some(0) });
    eprintln!("{}: {}", report.failure.promise, report.failure.what);
    match report.minimal {
        Ok(minimal) => print!("{}", minimal.to_json()),
        Err(why) => eprintln!("hermes-sim: no scenario of its own: {why}"),
    }
    Ok(Verdict::Broken)
}
