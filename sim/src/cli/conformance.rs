//! `conformance`: compares the fake s6 with real ones, and prints the counts.

use std::path::{Path, PathBuf};
use std::time::Instant;

use hermes_sim::real::conformance::sequence::{self, Sequence};
use hermes_sim::real::conformance::{self, ConformanceCount, random};
use hermes_sim::real::{self, MachinePaths};
use hermes_sim::scenario::world::S6Spec;

use super::parallel::run_parallel;
use super::{UsageError, Verdict, real_s6};

const FOLDER: &str = "fixtures/conformance";

/// Runs sequences of operations on the fake s6 and on real ones in lockstep, and compares their answers and their worlds.
///
/// Needs root, and the root file systems that tests/roots.sh builds; `./x conformance` provides both.
#[derive(Debug, clap::Args)]
pub struct ConformanceArgs {
    /// Sequence files; all of fixtures/conformance if none is given
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub real: real_s6::RealS6Args,
    /// Number of random sequences, one per seed
    #[arg(long, default_value_t = 40)]
    pub random: u64,
    /// First seed of the random sequences
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of sequences that run in parallel; they mostly wait
    #[arg(long, default_value_t = 8)]
    pub jobs: usize,
    /// Print the sequence of the first seed as JSON, and run nothing
    #[arg(long)]
    pub print: bool,
}

/// Runs count.
pub fn run(args: &ConformanceArgs) -> Result<Verdict, UsageError> {
    if args.print {
        let json = serde_json::to_string_pretty(&random::sequence(args.seed));
        println!("{}", json.map_err(|error| UsageError(error.to_string()))?);
        return Ok(Verdict::Held);
    }
    let start = Instant::now();
    let mut sequences = read_all(&args.files)?;
    let from_files = sequences.len();
    sequences.extend((args.seed..args.seed + args.random).map(random::sequence));
    let lease = real_s6::prepare_shipped(&args.real, "conformance")?;
    let units = sequences
        .iter()
        .flat_map(|sequence| lease.versions.iter().map(move |&version| (version, sequence)))
        .enumerate();
    let units: Vec<(usize, (S6Spec, &Sequence))> = units.collect();
    let results = run_parallel(&units, args.jobs, |(index, (version, sequence))| {
        Some(run_one(&lease.parts, *index, *version, sequence))
    });
    let steps: usize = results.iter().flatten().map(|count| count.steps).sum();
    let differences: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    for difference in &differences {
        println!("\n{difference}");
    }
    println!(
        "\nconformance: {} sequences ({from_files} from files, {} random from seed {}), {steps} steps compared on s6 {}; {} differences; {:.0} s",
        sequences.len(),
        args.random,
        args.seed,
        lease.version_names(),
        differences.len(),
        start.elapsed().as_secs_f64()
    );
    if units.is_empty() {
        return Err(UsageError("nothing to compare".to_owned()));
    }
    Ok(if differences.is_empty() { Verdict::Held } else { Verdict::Broken })
}

fn read_all(files: &[PathBuf]) -> Result<Vec<Sequence>, UsageError> {
    let listed;
    let files = if files.is_empty() {
        listed = all_sequence_files()?;
        &listed
    } else {
        files
    };
    files.iter().map(|path| read(path)).collect()
}

fn all_sequence_files() -> Result<Vec<PathBuf>, UsageError> {
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

fn run_one(
    parts: &MachinePaths,
    index: usize,
    version: S6Spec,
    sequence: &Sequence,
) -> Result<ConformanceCount, String> {
    let scratch = parts.scratch.join(index.to_string());
    let own_paths = MachinePaths { scratch: scratch.clone(), ..parts.clone() };
    let result =
        std::panic::catch_unwind(|| conformance::run_sequence(&own_paths, version, sequence))
            .unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                let text =
                    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                Err(format!("{}: the fake panicked: {}", sequence.name, text.unwrap_or_default()))
            });
    if let Err(error) = std::fs::remove_dir_all(&scratch) {
        eprintln!("hermes-sim: failed to remove `{}`: {error}", scratch.display());
    }
    let verdict = if result.is_ok() { "equal" } else { "DIFFERENT" };
    eprintln!("{} {}: {verdict}", real::version_name(version), sequence.name);
    result
}
