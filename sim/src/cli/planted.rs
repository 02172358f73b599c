//! `planted`: checks that every planted bug is found. One row a bug: the search that found it, its runs and time, the number
//! of faults after shrinking, and the violated invariant. The last row is the control: the same searches without a bug.

mod hunt;

use std::sync::Arc;
use std::time::Instant;

use hermes::probe;
use hermes_sim::check::planted::{PLANTED_BUGS, PlantedBug};
use hermes_sim::check::report::{self, ReportInput, ReportLimits};
use hermes_sim::check::search::Finding;
use hermes_sim::scenario::Scenario;

use self::hunt::{ControlRuns, HuntResult};
use super::parallel::run_parallel;
use super::search_unit::SearchUnit;
use super::{UsageError, Verdict, files, search_table};

const HEAD: [&str; 8] =
    ["bug", "scenario", "search", "runs", "ms", "faults", "invariant", "removed protection"];

/// Runs to shrink one finding.
const SHRINK_RUNS: u64 = 10;

/// Plants each known bug in turn and searches until an invariant is violated that the bug must violate.
///
/// A violation that the same search finds without the bug does not count. The last row shows whether there was any that a
/// row would have counted.
#[derive(Debug, clap::Args)]
pub struct PlantedArgs {
    /// Plant only bugs whose name contains this text, or whose hazard it is
    pub only: Option<String>,
    /// Seed for sampling when the budget does not cover every case
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Number of bugs that are hunted in parallel; by default the number of cores
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Print every violation to stderr, not only the one that counts
    #[arg(long)]
    pub verbose: bool,
}

/// Runs it.
pub fn run(args: &PlantedArgs) -> Result<Verdict, UsageError> {
    let (scenarios, _) = files::read_simulated(&[])?;
    if args.jobs == Some(0) {
        return Err(UsageError("--jobs must be at least 1".to_owned()));
    }
    let selected: Vec<&PlantedBug> =
        PLANTED_BUGS.iter().filter(|planted| is_selected(args, planted)).collect();
    let start = Instant::now();
    let control = ControlRuns::default();
    let rows = hunt_all(&selected, &scenarios, args, &control);
    let found = rows.iter().flatten().count();
    let mut lines: Vec<Vec<String>> = selected
        .iter()
        .zip(&rows)
        .map(|(planted, row)| row.clone().unwrap_or_else(|| not_found(planted)))
        .collect();
    let violations = control.violations();
    lines.push(control_row(&control, &violations));
    print!("{}", search_table::align(&HEAD, &lines));
    println!("\n{found} of {} found, {:.0} s", selected.len(), start.elapsed().as_secs_f64());
    let misses_bugs = found < selected.len();
    Ok(if misses_bugs || !violations.is_empty() { Verdict::Broken } else { Verdict::Held })
}

fn is_selected(args: &PlantedArgs, planted: &PlantedBug) -> bool {
    args.only.as_ref().is_none_or(|only| {
        planted.hazard.eq_ignore_ascii_case(only) || format!("{:?}", planted.bug).contains(only)
    })
}

/// Hunts in parallel: a bug is planted for its own thread only.
fn hunt_all(
    selected: &[&PlantedBug],
    scenarios: &[Arc<Scenario>],
    args: &PlantedArgs,
    control: &ControlRuns,
) -> Vec<Option<Vec<String>>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    run_parallel(selected, args.jobs.unwrap_or(cores), |planted| {
        let start = Instant::now();
        probe::plant(Some(planted.bug));
        let hunted = hunt::hunt(planted, scenarios, args, control);
        let millis = start.elapsed().as_millis();
        let row = hunted.map(|hunted| row(planted, &hunted, millis, args.seed));
        probe::plant(None);
        let cells = row.clone().unwrap_or_else(|| not_found(planted));
        eprintln!("{} ({millis} ms)", cells[..7].join(" "));
        Some(row)
    })
}

fn not_found(planted: &PlantedBug) -> Vec<String> {
    let cells = [
        &format!("{:?}", planted.bug),
        planted.scenario,
        "NOT FOUND",
        "-",
        "-",
        "-",
        "-",
        planted.removed_protection,
    ];
    cells.map(str::to_owned).to_vec()
}

fn row(planted: &PlantedBug, hunted: &HuntResult, millis: u128, seed: u64) -> Vec<String> {
    let HuntResult { unit, finding, runs } = hunted;
    let faults = match finding.schedule.0.is_empty() && unit.scenario.faults.is_empty() {
        // The scenario shows the bug without a fault: there is nothing to shrink.
        true => "0".to_owned(),
        false => shrunk(unit, finding, seed),
    };
    vec![
        format!("{:?}", planted.bug),
        unit.scenario.name.clone(),
        unit.kind.name().to_owned(),
        runs.to_string(),
        millis.to_string(),
        faults,
        finding.failure.kind.to_string(),
        planted.removed_protection.to_owned(),
    ]
}

/// The number of faults after shrinking; in parentheses if no scenario can show the finding.
fn shrunk(unit: &SearchUnit, finding: &Finding, seed: u64) -> String {
    let input = ReportInput {
        scenario: &unit.scenario,
        found_by: unit.kind.found_by(),
        seed,
        date: &files::today(),
        finding,
    };
    let report =
        report::report(&input, ReportLimits { runs: SHRINK_RUNS, trace_lines_max: Some(0) });
    match &report.minimal {
        Ok(minimal) => minimal.faults.len().to_string(),
        Err(_) => format!("({})", finding.schedule.0.len()),
    }
}

fn control_row(control: &ControlRuns, violations: &[String]) -> Vec<String> {
    let (searches, runs, millis) = control.effort();
    let (verdict, invariants) = match violations {
        [] => ("NOT FOUND", "-".to_owned()),
        _ => ("FOUND", violations.join(", ")),
    };
    vec![
        "none".to_owned(),
        format!("the same {searches} searches"),
        verdict.to_owned(),
        runs.to_string(),
        millis.to_string(),
        "-".to_owned(),
        invariants,
        "nothing".to_owned(),
    ]
}
