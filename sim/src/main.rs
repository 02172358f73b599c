//! `hermes-sim`: collects the arguments, lets [`cli`] act, and ends with its code.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
