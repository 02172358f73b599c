//! `cells`: the crash matrix of commands on real machines, by way of the gate, and the counts.

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

/// Has a command crash, or be refused something, before each of its effects on real s6, or in real containers, and looks
/// whether every promise holds afterwards.
///
/// Each cell is played in a tree of its own: the command is asked for once more, or the machine boots twice. The program
/// is built with the feature `gate`. Needs root, and what tests/roots.sh makes; `./x cells` sees to both. Containers need
/// an engine of this machine's and its images; `./x docker-e2e cells` sees to those. A cell that does not hold is told in
/// full in target/cells-broken.
#[derive(Debug, clap::Args)]
pub struct CrashMatrixArgs {
    /// Only this one; may be given several times
    #[arg(long = "verb", value_name = "VERB")]
    verbs: Vec<CrashedCommand>,
    #[command(flatten)]
    grounds: testbeds::TestbedArgs,
    /// One cell in so many, chosen by the seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: u64,
    /// Which cells and which errnos are chosen
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Every errno that an effect may have, and both what may come after; else each effect is killed and refused once
    #[arg(long)]
    all: bool,
    /// Only cells that are told with this text: their place in the words of a scenario, and what comes after
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Tell of each cell
    #[arg(long)]
    full: bool,
}

/// Where it is told why a cell did not hold.
const BROKEN: &str = "target/cells-broken";

/// What is cut short.
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
    fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// The story that tells of it.
    fn story(self) -> PathBuf {
        let name = match self {
            Self::Init | Self::Tree => "boot".to_owned(),
            other => other.word(),
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

    /// Nobody repeats a boot but by booting.
    fn afters(self) -> &'static [RecoveryAction] {
        match self {
            Self::Init | Self::Tree => &[RecoveryAction::Boot],
            _ => &[RecoveryAction::Boot, RecoveryAction::Repeat],
        }
    }
}

/// One cell, and what came of it.
struct CrashPointRun {
    surprise: FaultSpec,
    after: RecoveryAction,
    ended: CrashPointOutcome,
}

/// One line of the table.
struct CrashMatrixRow {
    testbed: String,
    verb: CrashedCommand,
    effects: usize,
    planned: usize,
    /// Left out: a wait that looks more or less often leads past them.
    unstable: usize,
    played: Vec<CrashPointRun>,
    seconds: f64,
}

impl CrashMatrixRow {
    fn count(&self, is: impl Fn(&CrashPointOutcome) -> bool) -> usize {
        self.played.iter().filter(|it| is(&it.ended)).count()
    }
}

/// Runs it.
pub fn run(args: &CrashMatrixArgs) -> Result<Verdict, UsageError> {
    let grounds = Testbeds::prepare(&args.grounds, "cells")?;
    let _ = std::fs::remove_dir_all(BROKEN); // of another run; there may be none
    let verbs = if args.verbs.is_empty() { CrashedCommand::value_variants() } else { &args.verbs };
    let mut lines = Vec::new();
    for ground in &grounds.all {
        self_test_observer(ground)?;
        for &verb in verbs {
            let line = one_verb(args, ground, verb)?;
            println!("{}", row(&line));
            lines.push(line);
        }
    }
    grounds.finish(table(&lines))
}

/// What is found broken counts for nothing if nothing could be found.
fn self_test_observer(ground: &Testbed) -> Result<(), UsageError> {
    let mut scenario = files::read_scenario(&CrashedCommand::Start.story())?;
    scenario.world.s6 = ground.s6();
    let own = ground.with_scratch(&format!("{ground}-eyes"));
    let seen = crash_points::self_test_observer(&own, &scenario, &CrashedCommand::Start.task());
    testbeds::remove_leftovers(&own);
    let seen = seen.map_err(|what| UsageError(format!("the observer is blind: {what}")))?;
    println!("{ground}: of {seen} kinds of damage done on purpose the observer saw all");
    Ok(())
}

fn one_verb(
    args: &CrashMatrixArgs,
    ground: &Testbed,
    verb: CrashedCommand,
) -> Result<CrashMatrixRow, UsageError> {
    let began = Instant::now();
    let mut scenario = files::read_scenario(&verb.story())?;
    scenario.world.s6 = ground.s6();
    let task = verb.task();
    let scenario = Arc::new(crash_points::with_container_gate(&scenario, &task));
    let name = format!("{ground}-{}", verb.word());
    let calm = run_baseline(ground, &name, &scenario, &task)?;
    compare_with_simulation(&name, &scenario, &task, &calm)?;
    let other = self::run_baseline(ground, &name, &scenario, &task)?;
    let pairs = plan_crash_points(
        args,
        verb,
        crash_matrix::crash_points(&calm.asked, &task, calm.scenario_start),
    );
    let (pairs, unsure): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|(it, _)| crash_matrix::recurs(&it.at, &other.asked));
    let chosen =
        |index: &usize| hash::digest(&(args.seed, *index)) % u128::from(args.every.max(1)) == 0;
    let units: Vec<_> = pairs.iter().enumerate().filter(|(index, _)| chosen(index)).collect();
    let play = |(index, (surprise, after)): &(usize, &(FaultSpec, RecoveryAction))| {
        let own = ground.with_scratch(&format!("{name}-{index}"));
        let ended = crash_points::run_crash_point(&own, &scenario, surprise, *after, &calm);
        testbeds::remove_leftovers(&own);
        let cell = CrashPointRun { surprise: FaultSpec::clone(surprise), after: *after, ended };
        report_crash_point(args.full, &format!("{name}-{index}"), &cell);
        cell
    };
    let played = run_parallel(&units, args.grounds.jobs, |unit| {
        (!wait::is_interrupted()).then(|| play(unit))
    });
    let effects = calm.asked[calm.scenario_start..].iter().filter(|it| it.task == task).count();
    let seconds = began.elapsed().as_secs_f64();
    let (planned, unsure) = (pairs.len(), unsure.len());
    let ground = ground.to_string();
    Ok(CrashMatrixRow {
        testbed: ground,
        verb,
        effects,
        planned,
        unstable: unsure,
        played,
        seconds,
    })
}

fn run_baseline(
    ground: &Testbed,
    name: &str,
    scenario: &Scenario,
    task: &TaskAddress,
) -> Result<BaselineRun, UsageError> {
    let own = ground.with_scratch(&format!("{name}-calm"));
    let calm = crash_points::run_baseline(&own, scenario, task);
    testbeds::remove_leftovers(&own);
    calm.map_err(|what| UsageError(format!("{name}: the calm run does not hold: {what}")))
}

/// What is tried, each with what comes after it.
fn plan_crash_points(
    args: &CrashMatrixArgs,
    verb: CrashedCommand,
    cells: Vec<Vec<FaultSpec>>,
) -> Vec<(FaultSpec, RecoveryAction)> {
    let seed = usize::try_from(args.seed).unwrap_or_default();
    let cells = if args.all { cells } else { crash_matrix::one_errno_each(cells, seed) };
    let mut pairs = Vec::new();
    for (index, here) in cells.into_iter().enumerate() {
        for (number, surprise) in here.into_iter().enumerate() {
            let afters = verb.afters();
            let turn = (index + number + seed) % afters.len();
            let afters = if args.all { afters } else { &afters[turn..=turn] };
            pairs.extend(afters.iter().map(|after| (surprise.clone(), *after)));
        }
    }
    pairs.retain(|(it, after)| describe_crash_point(it, *after).contains(&args.only));
    pairs
}

/// The real command beside the simulated one.
fn compare_with_simulation(
    name: &str,
    scenario: &Arc<Scenario>,
    task: &TaskAddress,
    calm: &BaselineRun,
) -> Result<(), UsageError> {
    let simulated = effect_diff::simulated_effects(scenario, task)
        .map_err(|failure| UsageError(format!("{name}, simulated: {}", failure.detail)))?;
    let story = &calm.asked[calm.scenario_start..];
    let real: Vec<_> =
        story.iter().filter(|it| it.task == *task).map(|it| it.effect.clone()).collect();
    let differences = effect_diff::differences(&real, &simulated);
    let (here, there) = (real.len(), simulated.len());
    println!("{name}: {here} effects, {there} simulated; {} differences", differences.len());
    for difference in &differences {
        println!("  {difference}");
    }
    Ok(())
}

/// Where it befell, in the words of a scenario.
fn describe_crash_point(surprise: &FaultSpec, after: RecoveryAction) -> String {
    let text = serde_json::to_string(surprise).unwrap_or_default();
    format!("{text}, then {}", format!("{after:?}").to_lowercase())
}

fn report_crash_point(full: bool, name: &str, cell: &CrashPointRun) {
    let place = describe_crash_point(&cell.surprise, cell.after);
    match &cell.ended {
        CrashPointOutcome::Broken(what) => {
            println!("\n{name} {place}: BROKEN: {what}\n");
            let kept = Path::new(BROKEN).join(name);
            let told = std::fs::create_dir_all(BROKEN)
                .and_then(|()| std::fs::write(&kept, format!("{place}\n{what}\n")));
            if let Err(error) = told {
                eprintln!("hermes-sim: failed to write `{}`: {error}", kept.display());
            }
        }
        other if full => println!("{name} {place}: {other:?}"),
        _ => {}
    }
}

fn table(lines: &[CrashMatrixRow]) -> Verdict {
    println!("\n on        verb       effects  cells  played   held  broken  skipped  seconds");
    lines.iter().for_each(|line| println!("{}", row(line)));
    let unsure: usize = lines.iter().map(|it| it.unstable).sum();
    println!(
        "\nSkipped: {unsure} that come up in one calm run and not in the other, and these, which did not in theirs:"
    );
    list(lines, |it| *it == CrashPointOutcome::NotReached);
    if !lines.iter().any(|line| line.count(is_broken) > 0) {
        return Verdict::Held;
    }
    println!("\nBroken, each told in full in {BROKEN}:");
    list(lines, is_broken);
    Verdict::Broken
}

/// Those that ended so.
fn list(lines: &[CrashMatrixRow], is: impl Fn(&CrashPointOutcome) -> bool) {
    for line in lines {
        for cell in line.played.iter().filter(|it| is(&it.ended)) {
            let place = describe_crash_point(&cell.surprise, cell.after);
            println!("  {} {}: {place}", line.testbed, line.verb.word());
        }
    }
}

fn is_broken(ended: &CrashPointOutcome) -> bool {
    matches!(ended, CrashPointOutcome::Broken(_))
}

fn row(line: &CrashMatrixRow) -> String {
    format!(
        " {:<9} {:<10} {:>7} {:>6} {:>7} {:>6} {:>7} {:>8} {:>8.0}",
        line.testbed,
        line.verb.word(),
        line.effects,
        line.planned + line.unstable,
        line.played.len(),
        line.count(|it| *it == CrashPointOutcome::Held),
        line.count(is_broken),
        line.unstable + line.count(|it| *it == CrashPointOutcome::NotReached),
        line.seconds
    )
}
