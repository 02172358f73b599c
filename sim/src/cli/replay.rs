//! `replay`: runs one scenario with its own faults, and prints every event.

use std::path::PathBuf;
use std::sync::Arc;

use hermes_sim::check::report::retrace_with_source;
use hermes_sim::check::retrace::ReplayOutcome;
use hermes_sim::check::trace::Trace;
use hermes_sim::scenario::MachineKind;

use super::{UsageError, Verdict, files};

/// Runs a scenario or a regression with its own faults, and prints one line per event.
///
/// A `!` marks an injected fault. The same scenario gives the same lines, byte for byte.
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// The scenario file
    pub file: PathBuf,
    /// Print only the last N lines
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
    /// Print every line, as without --last
    #[arg(long, conflicts_with = "last")]
    pub full: bool,
}

/// Runs it.
pub fn run(args: &ReplayArgs) -> Result<Verdict, UsageError> {
    let scenario = Arc::new(files::read_scenario(&args.file)?);
    if !scenario.runs_on.contains(&MachineKind::Simulated) {
        return Err(UsageError(format!("`{}` is not for the simulated machine", scenario.name)));
    }
    let mut trace = Trace::new(args.last);
    let (outcome, source) = retrace_with_source(&scenario, &mut trace);
    print!("{}", trace.text());
    match outcome {
        ReplayOutcome::Held => {
            println!("\n{}: everything held", scenario.name);
            Ok(Verdict::Held)
        }
        ReplayOutcome::FaultNotReached(failure) => {
            println!("\n{}: {}", scenario.name, failure.detail);
            Ok(Verdict::Broken)
        }
        ReplayOutcome::Violated(failure) => {
            let kind = failure.kind;
            println!("\n{kind}: {}\n   because {}", kind.statement(), kind.reason());
            println!("   detail: {}", failure.detail);
            for line in source {
                println!("   at:     {line}");
            }
            Ok(Verdict::Broken)
        }
    }
}
