//! `planted`: is every planted bug found? One row a bug: by which search, after how many runs and how long, shrunk to how
//! many surprises, which promise it broke. The last row is the control: the same searches, and no bug.

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
    ["bug", "scenario", "search", "runs", "ms", "surprises", "promise", "takes out"];

/// Runs to make one find small.
const SHRINK_RUNS: u64 = 10;

/// Plants each known bug in turn and searches until a promise breaks that it must break.
///
/// What the same search breaks without a bug does not count, and the last row says whether it breaks anything that a row
/// counts.
#[derive(Debug, clap::Args)]
pub struct PlantedArgs {
    /// Only bugs whose name or hazard holds this text
    pub only: Option<String>,
    /// Which of many equal choices are taken where not all can be
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How many bugs are hunted at a time; as many as there are cores if left out
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Tells on stderr what else broke
    #[arg(long)]
    pub verbose: bool,
}

/// Runs it.
pub fn run(args: &PlantedArgs) -> Result<Verdict, UsageError> {
    let (scenarios, _) = files::read_simulated(&[])?;
    if args.jobs == Some(0) {
        return Err(UsageError("--jobs must be at least 1".to_owned()));
    }
    let asked: Vec<&PlantedBug> =
        PLANTED_BUGS.iter().filter(|planted| is_selected(args, planted)).collect();
    let start = Instant::now();
    let control = ControlRuns::default();
    let rows = hunt_all(&asked, &scenarios, args, &control);
    let found = rows.iter().flatten().count();
    let mut lines: Vec<Vec<String>> = asked
        .iter()
        .zip(&rows)
        .map(|(planted, row)| row.clone().unwrap_or_else(|| not_found(planted)))
        .collect();
    let broke = control.broke();
    lines.push(control_row(&control, &broke));
    print!("{}", search_table::align(&HEAD, &lines));
    println!("\n{found} of {} found, {:.0} s", asked.len(), start.elapsed().as_secs_f64());
    let is_blind = found < asked.len();
    Ok(if is_blind || !broke.is_empty() { Verdict::Broken } else { Verdict::Held })
}

fn is_selected(args: &PlantedArgs, planted: &PlantedBug) -> bool {
    args.only.as_ref().is_none_or(|only| {
        planted.hazard.eq_ignore_ascii_case(only) || format!("{:?}", planted.bug).contains(only)
    })
}

/// Hunts on so many threads: a bug is planted for one of them at a time.
fn hunt_all(
    asked: &[&PlantedBug],
    scenarios: &[Arc<Scenario>],
    args: &PlantedArgs,
    control: &ControlRuns,
) -> Vec<Option<Vec<String>>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    run_parallel(asked, args.jobs.unwrap_or(cores), |planted| {
        let start = Instant::now();
        probe::plant(Some(planted.bug));
        let hunted = hunt::hunt(planted, scenarios, args, control);
        let millis = start.elapsed().as_millis();
        let row = hunted.map(|hunted| row(planted, &hunted, millis, args.seed));
        probe::plant(None);
        let told = row.clone().unwrap_or_else(|| not_found(planted));
        eprintln!("{} ({millis} ms)", told[..7].join(" "));
        Some(row)
    })
}

fn not_found(planted: &PlantedBug) -> Vec<String> {
    let words = [
        &format!("{:?}", planted.bug),
        planted.scenario,
        "NOT FOUND",
        "-",
        "-",
        "-",
        "-",
        planted.removed_protection,
    ];
    words.map(str::to_owned).to_vec()
}

fn row(planted: &PlantedBug, hunted: &HuntResult, millis: u128, seed: u64) -> Vec<String> {
    let HuntResult { unit, finding: found, runs } = hunted;
    let surprises = match found.schedule.0.is_empty() && unit.scenario.faults.is_empty() {
        // The story shows it by itself: there is nothing to shrink.
        true => "0".to_owned(),
        false => shrunk(unit, found, seed),
    };
    vec![
        format!("{:?}", planted.bug),
        unit.scenario.name.clone(),
        unit.kind.name().to_owned(),
        runs.to_string(),
        millis.to_string(),
        surprises,
        found.failure.kind.to_string(),
        planted.removed_protection.to_owned(),
    ]
}

/// How many surprises are left when it was made small; in parentheses, if it has no scenario of its own.
fn shrunk(unit: &SearchUnit, found: &Finding, seed: u64) -> String {
    let case = ReportInput {
        scenario: &unit.scenario,
        found_by: unit.kind.found_by(),
        seed,
        date: &files::today(),
        finding: found,
    };
    let report =
        report::report(&case, ReportLimits { runs: SHRINK_RUNS, trace_lines_max: Some(0) });
    match &report.minimal {
        Ok(minimal) => minimal.faults.len().to_string(),
        Err(_) => format!("({})", found.schedule.0.len()),
    }
}

fn control_row(control: &ControlRuns, broke: &[String]) -> Vec<String> {
    let (searches, runs, millis) = control.effort();
    let verdict = if broke.is_empty() { "NOT FOUND" } else { "FOUND" };
    let broken = if broke.is_empty() { "-".to_owned() } else { broke.join(", ") };
    vec![
        "none".to_owned(),
        format!("the same {searches} searches"),
        verdict.to_owned(),
        runs.to_string(),
        millis.to_string(),
        "-".to_owned(),
        broken,
        "nothing".to_owned(),
    ]
}
