//! The main job on real s6: commands as uid 10000, real kills, real restarts, each test on a machine of its own.
//!
//! `tests/run.sh` leaves these out, by name, where there is no root, s6 or unshare.

mod boot;
mod config;
mod credentials;
mod damaged;
mod foreign;
mod kills;
mod logs;
mod profiles;
mod stopping;
mod torture;
mod verbs;

use std::path::Path;

use crate::support::machine::{Machine, Tree};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hermes");

/// Our image's kind of machine, booted.
fn machine() -> Machine {
    Machine::new(Path::new(PROGRAM))
}

/// The same with these profiles, none of them started.
fn machine_with(profiles: &[&str]) -> Machine {
    let machine = machine();
    for profile in profiles {
        machine.hermes_ok(&format!("profile create {profile}"));
    }
    machine
}

/// Only s6-svscan runs.
fn bare(tree: Tree) -> Machine {
    Machine::bare(Path::new(PROGRAM), tree)
}
