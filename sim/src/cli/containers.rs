//! `containers`: runs the scenarios in containers of the real image, on each base, and prints the counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::ValueEnum;
use hermes_sim::check::search::{Budget, Explorer};
use hermes_sim::real::engine::{self, Engine, ScenarioFailure};
use hermes_sim::real::{skip_reason, wait};
use hermes_sim::scenario::world::S6Spec;
use hermes_sim::scenario::{CrashKind, MachineKind, Scenario};

use super::base::{self, DebianBase, Images};
use super::parallel::run_parallel;
use super::{UsageError, Verdict, files, hazard_coverage, outcome};

/// Runs the scenarios in containers of the real image, on each Debian release that it is built on.
///
/// Needs a container engine, 20.10 or newer, at the usual socket, and the images hermes-test:BASE; `./x docker-e2e`
/// provides both. Scenarios that a container cannot run are skipped by name and counted. Logs, slots and processes of a
/// scenario that fails are stored in target/docker-e2e/BASE-SCENARIO. SIGINT and SIGTERM end the run; its containers and
/// volumes are removed.
#[derive(Debug, clap::Args)]
pub struct ContainersArgs {
    /// Scenario files; all of fixtures/scenarios and fixtures/regressions if none is given
    pub files: Vec<PathBuf>,
    /// Run only on this Debian release; may be given several times
    #[arg(long = "base", value_name = "BASE")]
    pub bases: Vec<DebianBase>,
    /// Run only the few scenarios that every commit waits for
    #[arg(long, conflicts_with = "files")]
    pub ci: bool,
    /// For each scenario with a crash matrix, boot on N of the volumes that a simulated power cut leaves, instead of running
    /// the scenario
    #[arg(long, value_name = "N", conflicts_with = "ci")]
    pub power_cuts: Option<u64>,
    /// Number of scenarios that run in parallel
    #[arg(long, default_value_t = 4)]
    pub jobs: usize,
}

/// What only a container shows, and the verbs: restarts, stops, signals from outside, two containers on one home, files of
/// other users.
const CI: [&str; 17] = [
    "exhaustive-two-containers",
    "h16-gateway-ignores-term",
    "h17-container-made-anew",
    "h17-container-paused",
    "h17-stopped-behind-our-back",
    "h18-supervisor-killed",
    "h24-directory-renamed",
    "h30-reconcile-on-a-live-system",
    "h35-guest-container",
    "h50-orphan-holds-the-log",
    "r1-container-restart",
    "r14-root-owned-files",
    "r2-stop-all-stays",
    "r3-mistyped-name",
    "r4-control-fifo-forbidden",
    "r9-corrupt-state",
    "verb-restart",
];

/// The result of one scenario on one base.
struct ContainerRun {
    name: String,
    base: DebianBase,
    held: Result<(), ScenarioFailure>,
}

/// Runs it.
pub fn run(args: &ContainersArgs) -> Result<Verdict, UsageError> {
    let start = Instant::now();
    let scenarios = select_scenarios(args)?;
    let bases = if args.bases.is_empty() { DebianBase::value_variants() } else { &args.bases };
    let engine = Engine::connect(&std::process::id().to_string())?;
    let images = base::images(&engine, bases)?;
    engine.interrupt_on_signals()?;
    let mut skipped = BTreeMap::new();
    let mut units = Vec::new();
    for base in bases {
        for scenario in &scenarios {
            match skip_reason(scenario, MachineKind::Container) {
                Some(reason) => drop(skipped.insert(scenario.name.clone(), reason)),
                None if runs_on_base(scenario, *base) => units.push((*base, scenario)),
                None => {}
            }
        }
    }
    let runs = run_parallel(&units, args.jobs, |(base, scenario)| {
        let run = (!wait::is_interrupted()).then(|| run_one(&engine, &images, *base, scenario));
        // A run that failed after an interruption says nothing: it was not finished.
        run.filter(|run| run.held.is_ok() || !wait::is_interrupted())
    });
    engine.remove_run()?;
    if units.is_empty() {
        return Err(UsageError("none of these scenarios can run here".to_owned()));
    }
    print_failures(&runs, &skipped);
    if args.power_cuts.is_none() && !wait::is_interrupted() {
        for base in bases {
            let of_base = runs.iter().filter(|run| run.base == *base);
            let held = of_base.map(|run| (run.name.as_str(), run.held.is_ok())).collect();
            outcome::store_all(base.name(), &scenarios, &held, &skipped)?;
        }
    }
    if args.files.is_empty() && !args.ci && args.power_cuts.is_none() && !wait::is_interrupted() {
        let covered = units.iter().filter_map(|(_, scenario)| scenario.hazard.as_deref());
        print!("\n{}", hazard_coverage::render_coverage(&covered.collect()));
    }
    let broken = runs.iter().filter(|run| run.held.is_err()).count();
    let names: Vec<&str> = bases.iter().map(|base| base.name()).collect();
    println!(
        "\ncontainers: {} scenarios on {}: {} runs held, {broken} broken; {} scenarios skipped; {:.0} s",
        scenarios.len() - skipped.len(),
        names.join(", "),
        runs.len() - broken,
        skipped.len(),
        start.elapsed().as_secs_f64()
    );
    if wait::is_interrupted() {
        println!("interrupted: {} of {} runs were finished", runs.len(), units.len());
        return Ok(Verdict::Broken);
    }
    Ok(if broken == 0 { Verdict::Held } else { Verdict::Broken })
}

/// A scenario that names another s6 version than the default runs on that version only.
fn runs_on_base(scenario: &Scenario, base: DebianBase) -> bool {
    scenario.world.s6 == S6Spec::default() || scenario.world.s6 == base.s6()
}

fn select_scenarios(args: &ContainersArgs) -> Result<Vec<Scenario>, UsageError> {
    let mut all = files::read_all(&args.files)?;
    if args.ci {
        all.retain(|scenario| CI.contains(&scenario.name.as_str()));
        if all.len() != CI.len() {
            return Err(UsageError(
                "a scenario of the list for commits is not among the fixtures".to_owned(),
            ));
        }
    }
    match args.power_cuts {
        None => Ok(all),
        Some(count_max) => {
            Ok(all.into_iter().flat_map(|scenario| power_cuts(scenario, count_max)).collect())
        }
    }
}

/// The volumes that power cuts leave on the simulated machine, as scenarios: the real image boots on each of them and must
/// reach the same state.
fn power_cuts(scenario: Scenario, count_max: u64) -> Vec<Scenario> {
    let is_requested = scenario.search.crash_kinds.contains(&CrashKind::Power);
    if scenario.search.crash_matrix.is_empty() || !is_requested || scenario.world.containers > 1 {
        return Vec::new();
    }
    let budget = Budget { runs: count_max, states: 0, faults_max: 0, seed: 0 };
    match Explorer::new(&Arc::new(scenario), budget) {
        Ok(explorer) => explorer.power_cut_scenarios(count_max),
        // `hermes-sim run` reports this failure.
        Err(_) => Vec::new(),
    }
}

fn print_failures(runs: &[ContainerRun], skipped: &BTreeMap<String, String>) {
    for ContainerRun { name, base, held } in runs {
        if let Err(failure) = held {
            println!("\n{name} on {}: {}", base.name(), failure.detail);
            println!("  more in {}", failure_dir(*base, name).display());
        }
    }
    if !skipped.is_empty() {
        println!("\nSkipped:");
    }
    for (name, reason) in skipped {
        println!("  {name}: {reason}");
    }
}

fn run_one(
    engine: &Arc<Engine>,
    images: &Images,
    base: DebianBase,
    scenario: &Scenario,
) -> ContainerRun {
    let name = scenario.name.clone();
    let dir = failure_dir(base, &name);
    let _ = std::fs::remove_dir_all(&dir); // of another run; there may be none
    let start = Instant::now();
    let held = engine::run_scenario(engine, &images[base.name()], base.name(), scenario);
    let elapsed = start.elapsed();
    if let Err(failure) = &held {
        if let Err(error) = write_evidence(&dir, scenario, failure) {
            eprintln!("hermes-sim: failed to write `{}`: {error}", dir.display());
        }
    }
    let verdict = if held.is_ok() { "held" } else { "BROKEN" };
    eprintln!("{} {name}: {verdict}, {:.1} s", base.name(), elapsed.as_secs_f64());
    ContainerRun { name, base, held }
}

/// The directory for the evidence of a failed scenario.
fn failure_dir(base: DebianBase, name: &str) -> PathBuf {
    Path::new("target/docker-e2e").join(format!("{}-{name}", base.name()))
}

fn write_evidence(
    dir: &Path,
    scenario: &Scenario,
    failure: &ScenarioFailure,
) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("failure"), format!("{}\n", failure.detail))?;
    std::fs::write(dir.join("scenario.json"), scenario.to_json())?;
    failure.evidence.iter().try_for_each(|(name, text)| std::fs::write(dir.join(name), text))
}
