//! `run`: runs every search that the scenarios request, on several threads, and prints a table of the results.

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

/// Runs every search that the scenarios request: baseline and relations always; crash matrix, recovery, bounded and
/// exhaustive as the key `search` of a scenario says.
///
/// Prints a table, the totals, and each failure with the smallest scenario that shows it. The results and their order do not
/// depend on --jobs.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Scenario files; all of fixtures/scenarios and fixtures/regressions if none is given
    pub files: Vec<PathBuf>,
    /// Run only this search, in the scenarios that request it; by default all searches
    #[arg(long, value_enum)]
    pub search: Option<SearchKind>,
    /// Budget of each search
    #[arg(long, value_enum, default_value_t = Size::Ci)]
    pub size: Size,
    /// Number of searches that run in parallel; by default the number of cores
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Seed for sampling when the budget does not cover every case
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Run each search twice; a difference between the two is a failure
    #[arg(long)]
    pub twice: bool,
    /// Print one JSON object instead of the table
    #[arg(long)]
    pub json: bool,
    /// Print whole traces
    #[arg(long)]
    pub full: bool,
    /// Maximum number of failures that are shrunk and reported in full
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
    let results = run_units(units, args.jobs.unwrap_or(cores));
    let lines = (!args.full).then_some(TRACE_LINES);
    // One search alone does not decide whether a scenario holds.
    if args.search.is_none() {
        store_outcomes(&scenarios, &results)?;
    }
    let reports = reports(&results, args.reports, args.seed, lines);
    match args.json {
        true => println!("{}", search_table::json(&results, &reports, others)),
        false => {
            print!("{}", search_table::render(&results, others));
            print!("{}", search_table::failures(&results, &reports));
        }
    }
    let is_all_reached = report_marks(args, &results);
    let holds = results.iter().all(UnitResult::holds) && is_all_reached;
    Ok(if holds { Verdict::Held } else { Verdict::Broken })
}

/// A scenario held if all of its searches did.
fn store_outcomes(scenarios: &[Arc<Scenario>], results: &[UnitResult]) -> Result<(), UsageError> {
    let outcome_of = |scenario: &Arc<Scenario>| {
        let mut searches =
            results.iter().filter(|result| result.unit.scenario.name == scenario.name);
        (scenario.name.clone(), ScenarioOutcome::from_held(searches.all(UnitResult::holds)))
    };
    outcome::store_outcomes("simulated", scenarios.iter().map(outcome_of).collect())
}

/// Prints which protections no search reached. After a run of every search of every scenario there must be none.
fn report_marks(args: &RunArgs, results: &[UnitResult]) -> bool {
    let reached: BTreeSet<&str> =
        results.iter().flat_map(|result| result.marks.iter().copied()).collect();
    let never: Vec<&str> =
        probe::MARKS.into_iter().filter(|mark| !reached.contains(mark)).collect();
    if !args.json {
        println!("{}", search_table::marks(probe::MARKS.len(), &never));
    }
    let is_full_run = args.files.is_empty() && args.search.is_none();
    if is_full_run && !never.is_empty() {
        eprintln!("hermes-sim: no search reached the protection against {}", never.join(" "));
    }
    never.is_empty() || !is_full_run
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

/// Runs the units on this many threads. Long searches start first, so that none of them is left for the end. The results
/// are in the order of the units.
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
                    let result = unit.clone().run();
                    report_progress(progress.as_ref(), &result);
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                }
            });
        }
    });
    if let Some(progress) = progress {
        progress.finish_and_clear();
    }
    let results =
        slots.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    results.map(|result| result.expect("every unit has run")).collect()
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

fn report_progress(progress: Option<&ProgressBar>, result: &UnitResult) {
    let (name, search) = (&result.unit.scenario.name, result.unit.kind.name());
    match progress {
        Some(bar) => {
            bar.set_message(format!("{name} {search}"));
            bar.inc(1);
        }
        None => {
            let verdict = if result.holds() { "held" } else { "BROKEN" };
            eprintln!("{name} {search}: {verdict}, {:.2} s", result.elapsed.as_secs_f64());
        }
    }
}

/// Reports of the first failures, shrunk, each with the index of its unit.
fn reports(
    results: &[UnitResult],
    count_max: usize,
    seed: u64,
    lines: Option<usize>,
) -> Vec<(usize, Report)> {
    let date = files::today();
    let all = results.iter().enumerate().flat_map(|(index, result)| {
        result.tally.findings.iter().map(move |finding| (index, result, finding))
    });
    let reports = all.take(count_max).map(|(index, result, finding)| {
        let (scenario, found_by) = (&*result.unit.scenario, result.unit.kind.found_by());
        let input = ReportInput { scenario, found_by, seed, date: &date, finding };
        (index, report::report(&input, ReportLimits { runs: SHRINK_RUNS, trace_lines_max: lines }))
    });
    reports.collect()
}
