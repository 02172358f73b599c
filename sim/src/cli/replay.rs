//! `replay`: one scenario, calmly, with its own surprises, event by event.

use std::path::PathBuf;
use std::sync::Arc;

use hermes_sim::check::report::retrace::Ended;
use hermes_sim::check::report::{promises, retold};
use hermes_sim::check::trace::Trace;
use hermes_sim::scenario::Machine;

use super::{Usage, Verdict, files};

/// Plays a scenario or a regression with its own surprises, and prints what happens, one line an event.
///
/// A `!` marks what befalls. The same scenario gives the same lines, byte for byte.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenario
    pub file: PathBuf,
    /// Prints only the last so many lines
    #[arg(long)]
    pub last: Option<usize>,
    /// Prints every line, as without --last
    #[arg(long, conflicts_with = "last")]
    pub full: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Verdict, Usage> {
    let scenario = Arc::new(files::read(&args.file)?);
    if !scenario.runs_on.contains(&Machine::Simulated) {
        return Err(Usage(format!("`{}` is not for the simulated machine", scenario.name)));
    }
    let mut trace = Trace::new(args.last);
    let (ended, source) = retold(&scenario, &mut trace);
    print!("{}", trace.text());
    match ended {
        Ended::Held => {
            println!("\n{}: everything held", scenario.name);
            Ok(Verdict::Held)
        }
        Ended::Unmet(failure) => {
            println!("\n{}: {}", scenario.name, failure.what);
            Ok(Verdict::Broken)
        }
        Ended::Broke(failure) => {
            let (promise, reason) = promises::by_name(&failure.promise);
            println!("\n{}: {promise}\n   because {reason}", failure.promise);
            println!("   broken: {}", failure.what);
            for line in source {
                println!("   at:     {line}");
            }
            Ok(Verdict::Broken)
        }
    }
}
