//! `native`: the same stories on real s6, one version after the other, and the counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hermes_sim::real::{self, MachinePaths};
use hermes_sim::scenario::world::S6Spec;
use hermes_sim::scenario::{MachineKind, Scenario};

use super::parallel::run_parallel;
use super::{UsageError, Verdict, files, outcome, real_s6};

/// Plays the scenarios on real s6, each in namespaces of its own, on the Debian of each version.
///
/// Needs root, and what tests/roots.sh makes; `./x native` sees to both. What this machine cannot play is skipped by
/// name and counted.
#[derive(Debug, clap::Args)]
pub struct NativeArgs {
    /// Scenarios; every one in fixtures/scenarios and fixtures/regressions if none is named
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub real: real_s6::RealS6Args,
    /// How many stories are played at a time
    #[arg(long, default_value_t = 4)]
    pub jobs: usize,
}

/// What came of one story on one version.
struct NativeRun {
    name: String,
    version: S6Spec,
    held: Result<(), String>,
}

/// Runs it.
pub fn run(args: &NativeArgs) -> Result<Verdict, UsageError> {
    let began = Instant::now();
    let scenarios = files::read_all(&args.files)?;
    let seat = real_s6::prepare_shipped(&args.real, "native")?;
    let mut skipped = BTreeMap::new();
    let mut units = Vec::new();
    for scenario in &scenarios {
        match real::skip_reason(scenario, MachineKind::S6) {
            Some(why) => drop(skipped.insert(scenario.name.clone(), why)),
            None => units.extend(versions(&seat.versions, scenario).map(|it| (it, scenario))),
        }
    }
    let played = run_parallel(&units, args.jobs, |(version, scenario)| {
        Some(play(&seat.parts, *version, scenario))
    });
    for played in &played {
        if let Err(what) = &played.held {
            println!("\n{} on s6 {}: {what}", played.name, real::version_name(played.version));
        }
    }
    if !skipped.is_empty() {
        println!("\nSkipped:");
    }
    for (name, why) in &skipped {
        println!("  {name}: {why}");
    }
    for version in &seat.versions {
        let mine = played.iter().filter(|it| it.version == *version);
        let mine = mine.map(|it| (it.name.as_str(), it.held.is_ok())).collect();
        let machine = format!("s6 {}", real::version_name(*version));
        outcome::store_all(&machine, &scenarios, &mine, &skipped)?;
    }
    let broken = played.iter().filter(|it| it.held.is_err()).count();
    println!(
        "\nnative: {} scenarios on s6 {}: {} runs held, {broken} broken; {} scenarios skipped; {:.0} s",
        scenarios.len() - skipped.len(),
        seat.words(),
        played.len() - broken,
        skipped.len(),
        began.elapsed().as_secs_f64()
    );
    if played.is_empty() {
        return Err(UsageError("none of these scenarios can be played here".to_owned()));
    }
    Ok(if broken == 0 { Verdict::Held } else { Verdict::Broken })
}

/// All that are asked for; a story that names one other than the usual is about that one.
fn versions<'a>(asked: &'a [S6Spec], scenario: &'a Scenario) -> impl Iterator<Item = S6Spec> + 'a {
    let named = (scenario.world.s6 != S6Spec::default()).then_some(scenario.world.s6);
    asked.iter().copied().filter(move |it| named.is_none_or(|named| named == *it))
}

fn play(parts: &MachinePaths, version: S6Spec, scenario: &Scenario) -> NativeRun {
    let name = scenario.name.clone();
    let scratch = parts.scratch.join(format!("{}-{name}", real::version_name(version)));
    let own = MachinePaths { scratch: scratch.clone(), ..parts.clone() };
    let began = Instant::now();
    let held = real::run_scenario(&own, version, scenario);
    let took = began.elapsed();
    remove(&scratch);
    let verdict = if held.is_ok() { "held" } else { "BROKEN" };
    eprintln!("{} {name}: {verdict}, {:.1} s", real::version_name(version), took.as_secs_f64());
    NativeRun { name, version, held }
}

/// What a machine left outside; its mounts went with it.
fn remove(scratch: &Path) {
    if let Err(error) = std::fs::remove_dir_all(scratch) {
        eprintln!("hermes-sim: failed to remove `{}`: {error}", scratch.display());
    }
}
