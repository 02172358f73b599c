//! The command line of `hermes-sim`: its verbs, their options, and what each prints. Only this room of the simulator
//! (and `real`) uses files, clocks and threads.
//!
//! Exit codes: 0 everything held, 1 something was violated, 2 the arguments or a scenario are invalid.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the command reads scenarios, measures and prints; the simulated machine does not"
)]

mod base;
mod budget;
mod conformance;
mod containers;
mod crash_matrix;
mod explore;
mod fault_replay;
mod files;
mod hazard_coverage;
mod list_explain;
mod native;
mod outcome;
mod parallel;
mod planted;
mod real_s6;
mod replay;
mod run;
mod search_table;
mod search_unit;
mod table;
mod testbeds;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs scenarios on a simulated machine, with the production code of hermes unmodified, and searches crash points, faults
/// and interleavings for violated invariants.
#[derive(Debug, Parser)]
#[command(
    name = "hermes-sim",
    after_help = "\
Examples:
  hermes-sim run                                        every scenario, at the size of a commit
  hermes-sim run --size long --jobs 2                   the same, for hours
  hermes-sim explore fixtures/scenarios/verb-stop.json --search crash-matrix
  hermes-sim replay fixtures/scenarios/r1-container-restart.json --full
  hermes-sim explain S1                                 an invariant, and the reason for it
  hermes-sim explain H22                                the scenarios that cover a hazard

Exit codes: 0 everything held, 1 something was violated, 2 the arguments or a scenario are invalid."
)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    Run(run::RunArgs),
    Explore(explore::ExploreArgs),
    Replay(replay::ReplayArgs),
    Shrink(explore::ShrinkArgs),
    List(list_explain::ListArgs),
    Explain(list_explain::ExplainArgs),
    Planted(planted::PlantedArgs),
    Native(native::NativeArgs),
    Containers(containers::ContainersArgs),
    Table(table::TableArgs),
    Cells(crash_matrix::CrashMatrixArgs),
    #[command(name = "surprises")]
    FaultReplay(fault_replay::FaultReplayArgs),
    Conformance(conformance::ConformanceArgs),
}

/// What a verb ends with: exit code 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Held,
    Broken,
}

/// An error of the caller: exit code 2.
#[derive(Debug)]
struct UsageError(String);

impl From<String> for UsageError {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Parses the arguments, runs the verb, and returns the exit code.
pub fn main() -> ExitCode {
    // A panic of the simulated program is a result: it is printed in the report, not by the hook.
    std::panic::set_hook(Box::new(|_| {}));
    let result = match Cli::parse().command {
        CliCommand::Run(args) => run::run(&args),
        CliCommand::Explore(args) => explore::run(&args),
        CliCommand::Replay(args) => replay::run(&args),
        CliCommand::Shrink(args) => explore::shrink(&args),
        CliCommand::List(args) => list_explain::list(&args),
        CliCommand::Explain(args) => list_explain::explain(&args),
        CliCommand::Planted(args) => planted::run(&args),
        CliCommand::Native(args) => native::run(&args),
        CliCommand::Containers(args) => containers::run(&args),
        CliCommand::Table(args) => table::run(&args),
        CliCommand::Cells(args) => crash_matrix::run(&args),
        CliCommand::FaultReplay(args) => fault_replay::run(&args),
        CliCommand::Conformance(args) => conformance::run(&args),
    };
    match result {
        Ok(Verdict::Held) => ExitCode::SUCCESS,
        Ok(Verdict::Broken) => ExitCode::from(1),
        Err(UsageError(text)) => {
            eprintln!("hermes-sim: {text}");
            ExitCode::from(2)
        }
    }
}
