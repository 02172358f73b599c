//! `native`: runs the scenarios on real s6, on each version, and prints the counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hermes_sim::real::{self, MachinePaths};
use hermes_sim::scenario::world::S6Spec;
use hermes_sim::scenario::{MachineKind, Scenario};

use super::parallel::run_parallel;
use super::{UsageError, Verdict, files, outcome, real_s6};

/// Runs the scenarios on real s6, each in namespaces of its own, on the Debian release of each version.
///
/// Needs root, and the root file systems that tests/roots.sh builds; `./x native` provides both. Scenarios that this machine
/// cannot run are skipped by name and counted.
#[derive(Debug, clap::Args)]
pub struct NativeArgs {
    /// Scenario files; all of fixtures/scenarios and fixtures/regressions if none is given
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub real: real_s6::RealS6Args,
    /// Number of scenarios that run in parallel
    #[arg(long, default_value_t = 4)]
    pub jobs: usize,
}

/// The result of one scenario on one version.
struct NativeRun {
    name: String,
    version: S6Spec,
    held: Result<(), String>,
}

/// Runs it.
pub fn run(args: &NativeArgs) -> Result<Verdict, UsageError> {
    let start = Instant::now();
    let scenarios = files::read_all(&args.files)?;
    let lease = real_s6::prepare_shipped(&args.real, "native")?;
    let mut skipped = BTreeMap::new();
    let mut units = Vec::new();
    for scenario in &scenarios {
        match real::skip_reason(scenario, MachineKind::S6) {
            Some(reason) => drop(skipped.insert(scenario.name.clone(), reason)),
            None => {
                units.extend(versions(&lease.versions, scenario).map(|version| (version, scenario)))
            }
        }
    }
    let runs = run_parallel(&units, args.jobs, |(version, scenario)| {
        Some(run_one(&lease.parts, *version, scenario))
    });
    for run in &runs {
        if let Err(failure) = &run.held {
            println!("\n{} on s6 {}: {failure}", run.name, real::version_name(run.version));
        }
    }
    if !skipped.is_empty() {
        println!("\nSkipped:");
    }
    for (name, reason) in &skipped {
        println!("  {name}: {reason}");
    }
    for version in &lease.versions {
        let of_version = runs.iter().filter(|run| run.version == *version);
        let held = of_version.map(|run| (run.name.as_str(), run.held.is_ok())).collect();
        let machine = format!("s6 {}", real::version_name(*version));
        outcome::store_all(&machine, &scenarios, &held, &skipped)?;
    }
    let broken = runs.iter().filter(|run| run.held.is_err()).count();
    println!(
        "\nnative: {} scenarios on s6 {}: {} runs held, {broken} broken; {} scenarios skipped; {:.0} s",
        scenarios.len() - skipped.len(),
        lease.version_names(),
        runs.len() - broken,
        skipped.len(),
        start.elapsed().as_secs_f64()
    );
    if runs.is_empty() {
        return Err(UsageError("none of these scenarios can run here".to_owned()));
    }
    Ok(if broken == 0 { Verdict::Held } else { Verdict::Broken })
}

/// All requested versions; a scenario that names another version than the default runs on that version only.
fn versions<'a>(
    requested: &'a [S6Spec],
    scenario: &'a Scenario,
) -> impl Iterator<Item = S6Spec> + 'a {
    let named = (scenario.world.s6 != S6Spec::default()).then_some(scenario.world.s6);
    requested.iter().copied().filter(move |version| named.is_none_or(|named| named == *version))
}

fn run_one(parts: &MachinePaths, version: S6Spec, scenario: &Scenario) -> NativeRun {
    let name = scenario.name.clone();
    let scratch = parts.scratch.join(format!("{}-{name}", real::version_name(version)));
    let own_paths = MachinePaths { scratch: scratch.clone(), ..parts.clone() };
    let start = Instant::now();
    let held = real::run_scenario(&own_paths, version, scenario);
    let elapsed = start.elapsed();
    remove(&scratch);
    let verdict = if held.is_ok() { "held" } else { "BROKEN" };
    eprintln!("{} {name}: {verdict}, {:.1} s", real::version_name(version), elapsed.as_secs_f64());
    NativeRun { name, version, held }
}

/// Removes the scratch directory of a machine. Its mounts ended with the machine.
fn remove(scratch: &Path) {
    if let Err(error) = std::fs::remove_dir_all(scratch) {
        eprintln!("hermes-sim: failed to remove `{}`: {error}", scratch.display());
    }
}
