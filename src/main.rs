//! Floor 7: collects arguments, environment and ids once, selects the real machine, and returns the exit code.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the process for what it was started with"
)]

#[cfg(all(any(feature = "planted", feature = "gate"), not(debug_assertions)))]
compile_error!(
    "no released `hermes` can have planted bugs or a gate: build it without the features `planted` and `gate`"
);

use std::io::IsTerminal as _;
use std::process::ExitCode;

use hermes::cli::{self, invocation::Invocation};
use hermes::environment;
#[cfg(feature = "gate")]
use hermes::host::os::gate;
use hermes::host::os::{OsHost, run_ready, run_waiting};

fn main() -> ExitCode {
    let invocation = Invocation {
        argv: std::env::args_os().collect(),
        env: environment::present(std::env::vars_os()),
        program: std::env::current_exe().unwrap_or_else(|_| "hermes".into()),
        pid: std::process::id(),
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        stdin_is_terminal: std::io::stdin().is_terminal(),
    };
    let host = OsHost::new();
    #[cfg(feature = "gate")]
    let host = gate::Gated::new(
        host,
        gate::socket(invocation.var(gate::SOCKET)).as_deref(),
        &invocation.argv,
    );
    let command = cli::run(&host, &invocation);
    let code =
        if cli::is_long_lived(&invocation) { run_waiting(command) } else { run_ready(command) };
    ExitCode::from(code)
}
