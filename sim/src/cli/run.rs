//! `run`: every search that the scenarios ask for, on so many threads, and a table of what came of it.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hermes::probe;
use hermes_sim::check::report::{self, Report, ReportInput, ReportLimits};
use hermes_sim::scenario::Scenario;
use indicatif::{ProgressBar, ProgressStyle};

use super::budget::{REPORTS, SHRINK_RUNS, Size, TRACE_LINES};
use super::outcome::{self, ScenarioOutcome};
use super::search_unit::{SearchUnit, UnitResult};
use super::{UsageError, Verdict, files, search_table};
use hermes_sim::check::search::SearchKind;

/// Makes every search that the scenarios ask for: calm and laws always; crash matrix and recovery, surprises and closed as
/// `search` says.
///
/// Prints a table, the totals, and each failure with the smallest scenario that shows it. The results and their order do not
/// depend on --jobs.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Scenarios; every one in fixtures/scenarios and fixtures/regressions if none is named
    pub files: Vec<PathBuf>,
    /// Which search of those that the scenarios ask for; left out, all
    #[arg(long, value_enum)]
    pub search: Option<SearchKind>,
    /// How much is tried
    #[arg(long, value_enum, default_value_t = Size::Ci)]
    pub size: Size,
    /// How many searches are made at a time; as many as there are cores if left out
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Which of many equal choices are taken where not all can be
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Makes each search twice: a difference is a failure
    #[arg(long)]
    pub twice: bool,
    /// Prints one JSON object instead of the table
    #[arg(long)]
    pub json: bool,
    /// Prints whole traces
    #[arg(long)]
    pub full: bool,
    /// So many failures are made small and told in full
    #[arg(long, default_value_t = REPORTS)]
    pub reports: usize,
}

/// Runs it.
pub fn run(args: &RunArgs) -> Result<Verdict, UsageError> {
    let (scenarios, others) = files::read_simulated(&args.files)?;
    if args.jobs == Some(0) {
        return Err(UsageError("--jobs must be at least 1".to_owned()));
    }
    let units = units(args, &scenarios);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let made = run_units(units, args.jobs.unwrap_or(cores));
    let lines = (!args.full).then_some(TRACE_LINES);
    // One search of many does not say what came of a story.
    if args.search.is_none() {
        store_outcomes(&scenarios, &made)?;
    }
    let reports = reports(&made, args.reports, args.seed, lines);
    match args.json {
        true => println!("{}", search_table::json(&made, &reports, others)),
        false => {
            print!("{}", search_table::render(&made, others));
            print!("{}", search_table::failures(&made, &reports));
        }
    }
    let is_all_reached = report_marks(args, &made);
    let is_green = made.iter().all(UnitResult::holds) && is_all_reached;
    Ok(if is_green { Verdict::Held } else { Verdict::Broken })
}

/// A story held if all of its searches did.
fn store_outcomes(scenarios: &[Arc<Scenario>], made: &[UnitResult]) -> Result<(), UsageError> {
    let of = |scenario: &Arc<Scenario>| {
        let mut searches = made.iter().filter(|it| it.unit.scenario.name == scenario.name);
        (scenario.name.clone(), ScenarioOutcome::from_held(searches.all(UnitResult::holds)))
    };
    outcome::store_outcomes("simulated", scenarios.iter().map(of).collect())
}

/// Says which protections no search reached; where every scenario was searched, there must be none.
fn report_marks(args: &RunArgs, made: &[UnitResult]) -> bool {
    let reached: BTreeSet<&str> = made.iter().flat_map(|made| made.marks.iter().copied()).collect();
    let never: Vec<&str> =
        probe::MARKS.into_iter().filter(|mark| !reached.contains(mark)).collect();
    if !args.json {
        println!("{}", search_table::marks(probe::MARKS.len(), &never));
    }
    let is_judged = args.files.is_empty() && args.search.is_none();
    if is_judged && !never.is_empty() {
        eprintln!("hermes-sim: no search reached the protection against {}", never.join(" "));
    }
    never.is_empty() || !is_judged
}

fn units(args: &RunArgs, scenarios: &[Arc<Scenario>]) -> Vec<SearchUnit> {
    let mut units = Vec::new();
    for scenario in scenarios {
        let mut kinds = SearchKind::requested_by(scenario);
        kinds.retain(|kind| args.search.is_none_or(|only| only == *kind));
        for kind in kinds {
            let budget = args.size.budget(kind, scenario, args.seed);
            let scenario = Arc::clone(scenario);
            units.push(SearchUnit { scenario, kind, budget, runs_twice: args.twice });
        }
    }
    units
}

/// Makes them on so many threads, the long ones first, so that none of those is left for the end; what came of them stands in
/// the order of the units.
pub fn run_units(units: Vec<SearchUnit>, jobs: usize) -> Vec<UnitResult> {
    let progress = progress(units.len());
    let slots: Vec<Mutex<Option<UnitResult>>> = units.iter().map(|_| Mutex::new(None)).collect();
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by_key(|&index| units[index].kind.rank());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, units.len().max(1)) {
            scope.spawn(|| {
                while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (unit, slot) = (&units[index], &slots[index]);
                    let made = unit.clone().run();
                    report_progress(progress.as_ref(), &made);
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
                }
            });
        }
    });
    if let Some(progress) = progress {
        progress.finish_and_clear();
    }
    let taken =
        slots.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    taken.map(|made| made.expect("every unit was made")).collect()
}

fn progress(units: usize) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::new(units as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    Some(bar)
}

fn report_progress(progress: Option<&ProgressBar>, made: &UnitResult) {
    let (name, search) = (&made.unit.scenario.name, made.unit.kind.name());
    match progress {
        Some(bar) => {
            bar.set_message(format!("{name} {search}"));
            bar.inc(1);
        }
        None => {
            let verdict = if made.holds() { "held" } else { "BROKEN" };
            eprintln!("{name} {search}: {verdict}, {:.2} s", made.elapsed.as_secs_f64());
        }
    }
}

/// The first failures made small and told, each with the number of its unit.
fn reports(
    made: &[UnitResult],
    at_most: usize,
    seed: u64,
    lines: Option<usize>,
) -> Vec<(usize, Report)> {
    let date = files::today();
    let all = made.iter().enumerate().flat_map(|(index, made)| {
        made.tally.findings.iter().map(move |found| (index, made, found))
    });
    let cases = all.take(at_most).map(|(index, made, found)| {
        let (scenario, by) = (&*made.unit.scenario, made.unit.kind.found_by());
        let case = ReportInput { scenario, found_by: by, seed, date: &date, finding: found };
        (index, report::report(&case, ReportLimits { runs: SHRINK_RUNS, trace_lines_max: lines }))
    });
    cases.collect()
}
