//! `planted`: is every planted bug found? One row a bug: by which search, after how many runs and how long, shrunk to how
//! many surprises, which promise it broke. The last row is the control: the same searches, and no bug.

mod hunt;

use std::sync::Arc;
use std::time::Instant;

use hermes::probe;
use hermes_sim::check::planted::{Planted, TABLE};
use hermes_sim::check::report::{self, Case, Effort};
use hermes_sim::check::search::Found;
use hermes_sim::scenario::Scenario;

use self::hunt::{Control, Hunted};
use super::side_by_side::side_by_side;
use super::unit::Unit;
use super::{Usage, Verdict, files, table};

const HEAD: [&str; 8] =
    ["bug", "scenario", "search", "runs", "ms", "surprises", "promise", "takes out"];

/// Runs to make one find small.
const SHRINK_RUNS: u64 = 10;

/// Plants each known bug in turn and searches until a promise breaks that it must break.
///
/// What the same search breaks without a bug does not count, and the last row says whether it breaks anything that a row
/// counts.
#[derive(Debug, clap::Args)]
pub struct Args {
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
    pub tell: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Verdict, Usage> {
    let (scenarios, _) = files::read_all(&[])?;
    if args.jobs == Some(0) {
        return Err(Usage("--jobs must be at least 1".to_owned()));
    }
    let asked: Vec<&Planted> = TABLE.iter().filter(|planted| is_asked(args, planted)).collect();
    let start = Instant::now();
    let control = Control::default();
    let rows = hunt_all(&asked, &scenarios, args, &control);
    let found = rows.iter().flatten().count();
    let mut lines: Vec<Vec<String>> = asked
        .iter()
        .zip(&rows)
        .map(|(planted, row)| row.clone().unwrap_or_else(|| not_found(planted)))
        .collect();
    let broke = control.broke();
    lines.push(control_row(&control, &broke));
    print!("{}", table::columns(&HEAD, &lines));
    println!("\n{found} of {} found, {:.0} s", asked.len(), start.elapsed().as_secs_f64());
    let is_blind = found < asked.len();
    Ok(if is_blind || !broke.is_empty() { Verdict::Broken } else { Verdict::Held })
}

fn is_asked(args: &Args, planted: &Planted) -> bool {
    args.only.as_ref().is_none_or(|only| {
        planted.hazard.eq_ignore_ascii_case(only) || format!("{:?}", planted.bug).contains(only)
    })
}

/// Hunts on so many threads: a bug is planted for one of them at a time.
fn hunt_all(
    asked: &[&Planted],
    scenarios: &[Arc<Scenario>],
    args: &Args,
    control: &Control,
) -> Vec<Option<Vec<String>>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    side_by_side(asked, args.jobs.unwrap_or(cores), |planted| {
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

fn not_found(planted: &Planted) -> Vec<String> {
    let words = [
        &format!("{:?}", planted.bug),
        planted.scenario,
        "NOT FOUND",
        "-",
        "-",
        "-",
        "-",
        planted.takes_out,
    ];
    words.map(str::to_owned).to_vec()
}

fn row(planted: &Planted, hunted: &Hunted, millis: u128, seed: u64) -> Vec<String> {
    let Hunted { unit, found, runs } = hunted;
    let surprises = match found.schedule.0.is_empty() && unit.scenario.surprises.is_empty() {
        // The story shows it by itself: there is nothing to shrink.
        true => "0".to_owned(),
        false => shrunk(unit, found, seed),
    };
    vec![
        format!("{:?}", planted.bug),
        unit.scenario.name.clone(),
        unit.kind.word().to_owned(),
        runs.to_string(),
        millis.to_string(),
        surprises,
        found.failure.promise.clone(),
        planted.takes_out.to_owned(),
    ]
}

/// How many surprises are left when it was made small; in parentheses, if it has no scenario of its own.
fn shrunk(unit: &Unit, found: &Found, seed: u64) -> String {
    let case = Case {
        scenario: &unit.scenario,
        by: unit.kind.finder(),
        seed,
        date: &files::today(),
        found,
    };
    let report = report::report(&case, Effort { runs: SHRINK_RUNS, lines: Some(0) });
    match &report.minimal {
        Ok(minimal) => minimal.surprises.len().to_string(),
        Err(_) => format!("({})", found.schedule.0.len()),
    }
}

fn control_row(control: &Control, broke: &[String]) -> Vec<String> {
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
