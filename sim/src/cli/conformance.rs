//! `conformance`: the fake s6 against real ones, and the counts.

use std::path::{Path, PathBuf};
use std::time::Instant;

use hermes_sim::real::conformance::sequence::{self, Sequence};
use hermes_sim::real::conformance::{self, ConformanceCount, random};
use hermes_sim::real::{self, MachinePaths};
use hermes_sim::scenario::world::S6Spec;

use super::parallel::run_parallel;
use super::{UsageError, Verdict, real_s6};

const FOLDER: &str = "fixtures/conformance";

/// Plays sequences of acts on the fake s6 and on real ones in lockstep, and compares answers and worlds.
///
/// Needs root, and what tests/roots.sh makes; `./x conformance` sees to both.
#[derive(Debug, clap::Args)]
pub struct ConformanceArgs {
    /// Sequences; every one in fixtures/conformance if none is named
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub real: real_s6::RealS6Args,
    /// How many sequences are made from seeds
    #[arg(long, default_value_t = 40)]
    pub random: u64,
    /// The first of these seeds
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many sequences are played at a time; they wait more than they work
    #[arg(long, default_value_t = 8)]
    pub jobs: usize,
    /// Prints the sequence of the first seed as a file has it, and plays nothing
    #[arg(long)]
    pub print: bool,
}

/// Runs it.
pub fn run(args: &ConformanceArgs) -> Result<Verdict, UsageError> {
    if args.print {
        let json = serde_json::to_string_pretty(&random::sequence(args.seed));
        println!("{}", json.map_err(|error| UsageError(error.to_string()))?);
        return Ok(Verdict::Held);
    }
    let began = Instant::now();
    let mut sequences = read_all(&args.files)?;
    let told = sequences.len();
    sequences.extend((args.seed..args.seed + args.random).map(random::sequence));
    let seat = real_s6::prepare_shipped(&args.real, "conformance")?;
    let units = sequences
        .iter()
        .flat_map(|sequence| seat.versions.iter().map(move |&version| (version, sequence)))
        .enumerate();
    let units: Vec<(usize, (S6Spec, &Sequence))> = units.collect();
    let played = run_parallel(&units, args.jobs, |(index, (version, sequence))| {
        Some(play(&seat.parts, *index, *version, sequence))
    });
    let steps: usize = played.iter().flatten().map(|it| it.steps).sum();
    let differences: Vec<String> = played.into_iter().filter_map(Result::err).collect();
    for difference in &differences {
        println!("\n{difference}");
    }
    println!(
        "\nconformance: {} sequences ({told} told, {} random from seed {}), {steps} steps compared on s6 {}; {} differences; {:.0} s",
        sequences.len(),
        args.random,
        args.seed,
        seat.words(),
        differences.len(),
        began.elapsed().as_secs_f64()
    );
    if units.is_empty() {
        return Err(UsageError("nothing to compare".to_owned()));
    }
    Ok(if differences.is_empty() { Verdict::Held } else { Verdict::Broken })
}

fn read_all(files: &[PathBuf]) -> Result<Vec<Sequence>, UsageError> {
    let listed;
    let files = if files.is_empty() {
        listed = everything()?;
        &listed
    } else {
        files
    };
    files.iter().map(|path| read(path)).collect()
}

fn everything() -> Result<Vec<PathBuf>, UsageError> {
    let entries =
        std::fs::read_dir(FOLDER).map_err(|error| UsageError(format!("`{FOLDER}`: {error}")))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Sequence, UsageError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| UsageError(format!("failed to read `{shown}`: {error}")))?;
    sequence::load(&shown, &text).map_err(UsageError)
}

fn play(
    parts: &MachinePaths,
    index: usize,
    version: S6Spec,
    sequence: &Sequence,
) -> Result<ConformanceCount, String> {
    let scratch = parts.scratch.join(index.to_string());
    let own = MachinePaths { scratch: scratch.clone(), ..parts.clone() };
    let played = std::panic::catch_unwind(|| conformance::run_sequence(&own, version, sequence))
        .unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()));
            Err(format!("{}: the fake panicked: {}", sequence.name, said.unwrap_or_default()))
        });
    if let Err(error) = std::fs::remove_dir_all(&scratch) {
        eprintln!("hermes-sim: failed to remove `{}`: {error}", scratch.display());
    }
    let verdict = if played.is_ok() { "equal" } else { "DIFFERENT" };
    eprintln!("{} {}: {verdict}", real::version_name(version), sequence.name);
    played
}
