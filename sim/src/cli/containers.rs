//! `containers`: the same stories in containers of the real image, on each base, and the counts.

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

/// Plays the scenarios in containers of the real image, on each Debian that it is built on.
///
/// Needs a container engine, 20.10 or newer, behind the usual socket, and the images hermes-test:BASE; `./x docker-e2e`
/// sees to both. What a container cannot do is skipped by name and counted. Of a story that does not hold there are
/// logs, slots and processes in target/docker-e2e/BASE-STORY. SIGINT and SIGTERM end the run, and nothing of it is left.
#[derive(Debug, clap::Args)]
pub struct ContainersArgs {
    /// Scenarios; every one in fixtures/scenarios and fixtures/regressions if none is named
    pub files: Vec<PathBuf>,
    /// Only on this Debian; may be given several times
    #[arg(long = "base", value_name = "BASE")]
    pub bases: Vec<DebianBase>,
    /// Only the few stories that a commit has to wait for
    #[arg(long, conflicts_with = "files")]
    pub ci: bool,
    /// Of each story with a crash matrix, so many of the trees that a power cut leaves, instead of the story
    #[arg(long, value_name = "N", conflicts_with = "ci")]
    pub power_cuts: Option<u64>,
    /// How many stories are played at a time
    #[arg(long, default_value_t = 4)]
    pub jobs: usize,
}

/// What only a container shows, and the verbs: restarts, stops, signals from outside, two on one home, other people's
/// files.
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

/// What came of one story on one base.
struct ContainerRun {
    name: String,
    base: DebianBase,
    held: Result<(), ScenarioFailure>,
}

/// Runs it.
pub fn run(args: &ContainersArgs) -> Result<Verdict, UsageError> {
    let began = Instant::now();
    let scenarios = chosen(args)?;
    let bases = if args.bases.is_empty() { DebianBase::value_variants() } else { &args.bases };
    let engine = Engine::connect(&std::process::id().to_string())?;
    let images = base::images(&engine, bases)?;
    engine.interrupt_on_signals()?;
    let mut skipped = BTreeMap::new();
    let mut units = Vec::new();
    for base in bases {
        for scenario in &scenarios {
            match skip_reason(scenario, MachineKind::Container) {
                Some(why) => drop(skipped.insert(scenario.name.clone(), why)),
                None if is_about(scenario, *base) => units.push((*base, scenario)),
                None => {}
            }
        }
    }
    let played = run_parallel(&units, args.jobs, |(base, scenario)| {
        let played = (!wait::is_interrupted()).then(|| play(&engine, &images, *base, scenario));
        // What an interruption broke was not played to its end.
        played.filter(|it| it.held.is_ok() || !wait::is_interrupted())
    });
    engine.remove_run()?;
    if units.is_empty() {
        return Err(UsageError("none of these scenarios can be played here".to_owned()));
    }
    print_failures(&played, &skipped);
    if args.power_cuts.is_none() && !wait::is_interrupted() {
        for base in bases {
            let mine = played.iter().filter(|it| it.base == *base);
            let mine = mine.map(|it| (it.name.as_str(), it.held.is_ok())).collect();
            outcome::store_all(base.name(), &scenarios, &mine, &skipped)?;
        }
    }
    if args.files.is_empty() && !args.ci && args.power_cuts.is_none() && !wait::is_interrupted() {
        let told = units.iter().filter_map(|(_, scenario)| scenario.hazard.as_deref());
        print!("\n{}", hazard_coverage::render_coverage(&told.collect()));
    }
    let broken = played.iter().filter(|it| it.held.is_err()).count();
    let words: Vec<&str> = bases.iter().map(|it| it.name()).collect();
    println!(
        "\ncontainers: {} scenarios on {}: {} runs held, {broken} broken; {} scenarios skipped; {:.0} s",
        scenarios.len() - skipped.len(),
        words.join(", "),
        played.len() - broken,
        skipped.len(),
        began.elapsed().as_secs_f64()
    );
    if wait::is_interrupted() {
        println!("interrupted: {} of {} runs were played", played.len(), units.len());
        return Ok(Verdict::Broken);
    }
    Ok(if broken == 0 { Verdict::Held } else { Verdict::Broken })
}

/// A story that names an s6 other than the usual is about that one.
fn is_about(scenario: &Scenario, base: DebianBase) -> bool {
    scenario.world.s6 == S6Spec::default() || scenario.world.s6 == base.s6()
}

fn chosen(args: &ContainersArgs) -> Result<Vec<Scenario>, UsageError> {
    let mut all = files::read_all(&args.files)?;
    if args.ci {
        all.retain(|scenario| CI.contains(&scenario.name.as_str()));
        if all.len() != CI.len() {
            return Err(UsageError(
                "a story of the CI's list is not among the fixtures".to_owned(),
            ));
        }
    }
    match args.power_cuts {
        None => Ok(all),
        Some(at_most) => Ok(all.into_iter().flat_map(|it| power_cuts(it, at_most)).collect()),
    }
}

/// What power cuts leave on the simulated machine's volume, as stories: this image boots on it, and comes to the same.
fn power_cuts(scenario: Scenario, at_most: u64) -> Vec<Scenario> {
    let is_asked = scenario.search.crash_kinds.contains(&CrashKind::Power);
    if scenario.search.crash_matrix.is_empty() || !is_asked || scenario.world.containers > 1 {
        return Vec::new();
    }
    let budget = Budget { runs: at_most, states: 0, faults_max: 0, seed: 0 };
    match Explorer::new(&Arc::new(scenario), budget) {
        Ok(search) => search.power_cut_scenarios(at_most),
        // The simulator's own run tells of this.
        Err(_) => Vec::new(),
    }
}

fn print_failures(played: &[ContainerRun], skipped: &BTreeMap<String, String>) {
    for ContainerRun { name, base, held } in played {
        if let Err(broken) = held {
            println!("\n{name} on {}: {}", base.name(), broken.what);
            println!("  more in {}", failure_dir(*base, name).display());
        }
    }
    if !skipped.is_empty() {
        println!("\nSkipped:");
    }
    for (name, why) in skipped {
        println!("  {name}: {why}");
    }
}

fn play(
    engine: &Arc<Engine>,
    images: &Images,
    base: DebianBase,
    scenario: &Scenario,
) -> ContainerRun {
    let name = scenario.name.clone();
    let place = failure_dir(base, &name);
    let _ = std::fs::remove_dir_all(&place); // of another run; there may be none
    let began = Instant::now();
    let held = engine::run_scenario(engine, &images[base.name()], base.name(), scenario);
    let took = began.elapsed();
    if let Err(broken) = &held {
        if let Err(error) = write_evidence(&place, scenario, broken) {
            eprintln!("hermes-sim: failed to write `{}`: {error}", place.display());
        }
    }
    let verdict = if held.is_ok() { "held" } else { "BROKEN" };
    eprintln!("{} {name}: {verdict}, {:.1} s", base.name(), took.as_secs_f64());
    ContainerRun { name, base, held }
}

/// Where it is told why a story did not hold.
fn failure_dir(base: DebianBase, name: &str) -> PathBuf {
    Path::new("target/docker-e2e").join(format!("{}-{name}", base.name()))
}

fn write_evidence(
    place: &Path,
    scenario: &Scenario,
    broken: &ScenarioFailure,
) -> std::io::Result<()> {
    std::fs::create_dir_all(place)?;
    std::fs::write(place.join("what"), format!("{}\n", broken.what))?;
    std::fs::write(place.join("story.json"), scenario.to_json())?;
    broken.evidence.iter().try_for_each(|(name, text)| std::fs::write(place.join(name), text))
}
