//! `cells`: runs the crash matrix of commands on real machines, through the gate, and prints the counts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::ValueEnum;
use hermes_sim::hash;
use hermes_sim::real::crash_points::{
    self, BaselineRun, CrashPointOutcome, RecoveryAction, Testbed,
};
use hermes_sim::real::gate::{crash_matrix, effect_diff};
use hermes_sim::real::wait;
use hermes_sim::scenario::values::ContainerName;
use hermes_sim::scenario::{FaultSpec, Scenario, TaskAddress};

use super::parallel::run_parallel;
use super::testbeds::{self, Testbeds};
use super::{UsageError, Verdict, files};

/// Kills a command, or lets a system call of it fail, before each of its effects on real s6 or in real containers, and
/// checks every invariant afterwards.
///
/// Each crash point runs in a tree of its own: afterwards the command is repeated, or the machine boots twice. The program
/// is built with the feature `gate`. Needs root, and the root file systems that tests/roots.sh builds; `./x cells` provides
/// both. Containers need a local engine and its images; `./x docker-e2e cells` provides those. A crash point that fails is
/// reported in full in target/cells-broken.
#[derive(Debug, clap::Args)]
pub struct CrashMatrixArgs {
    /// Run only this command; may be given several times
    #[arg(long = "verb", value_name = "VERB")]
    verbs: Vec<CrashedCommand>,
    #[command(flatten)]
    testbed_args: testbeds::TestbedArgs,
    /// Run one crash point in N, chosen by the seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: u64,
    /// Seed for the choice of crash points and errnos
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Run every errno of an effect, and both recoveries; without it, each effect is killed once and fails once
    #[arg(long)]
    all: bool,
    /// Run only crash points whose description contains TEXT: the fault as JSON, and the recovery
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Print every crash point, not only those that fail
    #[arg(long)]
    full: bool,
}

/// Directory for the reports of failed crash points.
const BROKEN: &str = "target/cells-broken";

/// The command that is crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CrashedCommand {
    Start,
    Stop,
    Create,
    Delete,
    Reconcile,
    Init,
    Tree,
}

impl CrashedCommand {
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// The scenario that runs it.
    fn scenario_path(self) -> PathBuf {
        let name = match self {
            Self::Init | Self::Tree => "boot".to_owned(),
            other => other.name(),
        };
        Path::new("fixtures/scenarios").join(format!("verb-{name}.json"))
    }

    fn task(self) -> TaskAddress {
        match self {
            Self::Init => TaskAddress::Init(ContainerName(1)),
            Self::Tree => TaskAddress::Tree(ContainerName(1)),
            _ => TaskAddress::Run("A".to_owned()),
        }
    }

    /// A boot can be repeated only by booting again.
    fn recovery_actions(self) -> &'static [RecoveryAction] {
        match self {
            Self::Init | Self::Tree => &[RecoveryAction::Boot],
            _ => &[RecoveryAction::Boot, RecoveryAction::Repeat],
        }
    }
}

/// One crash point, and its outcome.
struct CrashPointRun {
    fault: FaultSpec,
    recovery: RecoveryAction,
    outcome: CrashPointOutcome,
}

/// One line of the table.
struct CrashMatrixRow {
    testbed: String,
    verb: CrashedCommand,
    effects: usize,
    planned: usize,
    /// Crash points that only one of two baseline runs has, because a wait polled more or less often. They are left out.
    unstable: usize,
    runs: Vec<CrashPointRun>,
    seconds: f64,
}

impl CrashMatrixRow {
    fn count(&self, matches: impl Fn(&CrashPointOutcome) -> bool) -> usize {
        self.runs.iter().filter(|run| matches(&run.outcome)).count()
    }
}

/// Runs it.
pub fn run(args: &CrashMatrixArgs) -> Result<Verdict, UsageError> {
    let testbeds = Testbeds::prepare(&args.testbed_args, "cells")?;
    let _ = std::fs::remove_dir_all(BROKEN); // of another run; there may be none
    let verbs = if args.verbs.is_empty() { CrashedCommand::value_variants() } else { &args.verbs };
    let mut rows = Vec::new();
    for testbed in &testbeds.all {
        self_test_observer(testbed)?;
        for &verb in verbs {
            let row = run_verb(args, testbed, verb)?;
            println!("{}", format_row(&row));
            rows.push(row);
        }
    }
    testbeds.finish(print_table(&rows))
}

/// A run that finds nothing counts only if the observer would have found something.
fn self_test_observer(testbed: &Testbed) -> Result<(), UsageError> {
    let mut scenario = files::read_scenario(&CrashedCommand::Start.scenario_path())?;
    scenario.world.s6 = testbed.s6();
    let own_testbed = testbed.with_scratch(&format!("{testbed}-self-test"));
    let kinds =
        crash_points::self_test_observer(&own_testbed, &scenario, &CrashedCommand::Start.task());
    testbeds::remove_leftovers(&own_testbed);
    let kinds =
        kinds.map_err(|failure| UsageError(format!("observer self-test failed: {failure}")))?;
    println!("{testbed}: the observer noticed all {kinds} kinds of damage done on purpose");
    Ok(())
}

fn run_verb(
    args: &CrashMatrixArgs,
    testbed: &Testbed,
    verb: CrashedCommand,
) -> Result<CrashMatrixRow, UsageError> {
    let start = Instant::now();
    let mut scenario = files::read_scenario(&verb.scenario_path())?;
    scenario.world.s6 = testbed.s6();
    let task = verb.task();
    let scenario = Arc::new(crash_points::with_container_gate(&scenario, &task));
    let name = format!("{testbed}-{}", verb.name());
    let baseline = run_baseline(testbed, &name, &scenario, &task)?;
    compare_with_simulation(&name, &scenario, &task, &baseline)?;
    let second = run_baseline(testbed, &name, &scenario, &task)?;
    let pairs = plan_crash_points(
        args,
        verb,
        crash_matrix::crash_points(&baseline.requests, &task, baseline.scenario_start),
    );
    let (pairs, unstable): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|(fault, _)| crash_matrix::recurs(&fault.at, &second.requests));
    let is_chosen =
        |index: &usize| hash::digest(&(args.seed, *index)) % u128::from(args.every.max(1)) == 0;
    let units: Vec<_> = pairs.iter().enumerate().filter(|(index, _)| is_chosen(index)).collect();
    let run_one = |(index, (fault, recovery)): &(usize, &(FaultSpec, RecoveryAction))| {
        let own_testbed = testbed.with_scratch(&format!("{name}-{index}"));
        let outcome =
            crash_points::run_crash_point(&own_testbed, &scenario, fault, *recovery, &baseline);
        testbeds::remove_leftovers(&own_testbed);
        let run = CrashPointRun { fault: FaultSpec::clone(fault), recovery: *recovery, outcome };
        report_crash_point(args.full, &format!("{name}-{index}"), &run);
        run
    };
    let runs = run_parallel(&units, args.testbed_args.jobs, |unit| {
        (!wait::is_interrupted()).then(|| run_one(unit))
    });
    let of_scenario = &baseline.requests[baseline.scenario_start..];
    Ok(CrashMatrixRow {
        testbed: testbed.to_string(),
        verb,
        effects: of_scenario.iter().filter(|request| request.task == task).count(),
        planned: pairs.len(),
        unstable: unstable.len(),
        runs,
        seconds: start.elapsed().as_secs_f64(),
    })
}

fn run_baseline(
    testbed: &Testbed,
    name: &str,
    scenario: &Scenario,
    task: &TaskAddress,
) -> Result<BaselineRun, UsageError> {
    let own_testbed = testbed.with_scratch(&format!("{name}-baseline"));
    let baseline = crash_points::run_baseline(&own_testbed, scenario, task);
    testbeds::remove_leftovers(&own_testbed);
    baseline.map_err(|failure| UsageError(format!("{name}: the baseline run failed: {failure}")))
}

/// Each fault with the recovery that follows it.
fn plan_crash_points(
    args: &CrashMatrixArgs,
    verb: CrashedCommand,
    crash_points: Vec<Vec<FaultSpec>>,
) -> Vec<(FaultSpec, RecoveryAction)> {
    let seed = usize::try_from(args.seed).unwrap_or_default();
    let crash_points = match args.all {
        true => crash_points,
        false => crash_matrix::one_errno_each(crash_points, seed),
    };
    let mut pairs = Vec::new();
    for (index, faults) in crash_points.into_iter().enumerate() {
        for (number, fault) in faults.into_iter().enumerate() {
            let recoveries = verb.recovery_actions();
            let turn = (index + number + seed) % recoveries.len();
            let recoveries = if args.all { recoveries } else { &recoveries[turn..=turn] };
            pairs.extend(recoveries.iter().map(|recovery| (fault.clone(), *recovery)));
        }
    }
    pairs.retain(|(fault, recovery)| describe_crash_point(fault, *recovery).contains(&args.only));
    pairs
}

/// Prints where the real command asks for other effects than the simulated one.
fn compare_with_simulation(
    name: &str,
    scenario: &Arc<Scenario>,
    task: &TaskAddress,
    baseline: &BaselineRun,
) -> Result<(), UsageError> {
    let simulated = effect_diff::simulated_effects(scenario, task)
        .map_err(|failure| UsageError(format!("{name}, simulated: {}", failure.detail)))?;
    let of_scenario = &baseline.requests[baseline.scenario_start..];
    let of_task = of_scenario.iter().filter(|request| request.task == *task);
    let real: Vec<_> = of_task.map(|request| request.effect.clone()).collect();
    let differences = effect_diff::differences(&real, &simulated);
    println!(
        "{name}: {} effects, {} simulated; {} differences",
        real.len(),
        simulated.len(),
        differences.len()
    );
    for difference in &differences {
        println!("  {difference}");
    }
    Ok(())
}

/// The fault as a scenario writes it, and the recovery.
fn describe_crash_point(fault: &FaultSpec, recovery: RecoveryAction) -> String {
    let text = serde_json::to_string(fault).unwrap_or_default();
    format!("{text}, then {}", format!("{recovery:?}").to_lowercase())
}

fn report_crash_point(full: bool, name: &str, run: &CrashPointRun) {
    let description = describe_crash_point(&run.fault, run.recovery);
    match &run.outcome {
        CrashPointOutcome::Broken(failure) => {
            println!("\n{name} {description}: BROKEN: {failure}\n");
            let path = Path::new(BROKEN).join(name);
            let written = std::fs::create_dir_all(BROKEN)
                .and_then(|()| std::fs::write(&path, format!("{description}\n{failure}\n")));
            if let Err(error) = written {
                eprintln!("hermes-sim: failed to write `{}`: {error}", path.display());
            }
        }
        other if full => println!("{name} {description}: {other:?}"),
        _ => {}
    }
}

fn print_table(rows: &[CrashMatrixRow]) -> Verdict {
    println!("\n on        verb       effects  points    runs   held  broken  skipped  seconds");
    rows.iter().for_each(|row| println!("{}", format_row(row)));
    let unstable: usize = rows.iter().map(|row| row.unstable).sum();
    println!(
        "\nSkipped: {unstable} that only one of two baseline runs has, and these, which their run did not reach:"
    );
    list_runs(rows, |outcome| *outcome == CrashPointOutcome::NotReached);
    if !rows.iter().any(|row| row.count(is_broken) > 0) {
        return Verdict::Held;
    }
    println!("\nBroken, each reported in full in {BROKEN}:");
    list_runs(rows, is_broken);
    Verdict::Broken
}

/// Prints the crash points whose outcome matches.
fn list_runs(rows: &[CrashMatrixRow], matches: impl Fn(&CrashPointOutcome) -> bool) {
    for row in rows {
        for run in row.runs.iter().filter(|run| matches(&run.outcome)) {
            let description = describe_crash_point(&run.fault, run.recovery);
            println!("  {} {}: {description}", row.testbed, row.verb.name());
        }
    }
}

fn is_broken(outcome: &CrashPointOutcome) -> bool {
    matches!(outcome, CrashPointOutcome::Broken(_))
}

fn format_row(row: &CrashMatrixRow) -> String {
    format!(
        " {:<9} {:<10} {:>7} {:>7} {:>7} {:>6} {:>7} {:>8} {:>8.0}",
        row.testbed,
        row.verb.name(),
        row.effects,
        row.planned + row.unstable,
        row.runs.len(),
        row.count(|outcome| *outcome == CrashPointOutcome::Held),
        row.count(is_broken),
        row.unstable + row.count(|outcome| *outcome == CrashPointOutcome::NotReached),
        row.seconds
    )
}
