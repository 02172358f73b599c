//! The crash matrix of one command on real s6: each crash point in a supervision tree of its own, and a check of the
//! simulator's invariants afterwards.
//!
//! ```text
//!   testbed             what the machine of a crash point consists of: namespaces, or containers of the image
//!   run                 the baseline: the scenario once, through the gate, with the requested effects and the end state;
//!                       a crash point: the scenario up to the command, one fault in it, then boots or a repetition
//!   replay              a scenario with faults at addresses: a finding of the simulation, on the real machine
//!   observer_self_test  damage done on purpose, which the observer must notice
//!   monitor             the simulator's monitor, on the real machine as world_reader reads it
//! ```
//!
//! A command is named in the scenario's `search.crash_matrix`; `init` and `tree` are the image's own boot.

mod monitor;
mod observer_self_test;
mod replay;
mod run;
mod testbed;
mod world_reader;

pub use observer_self_test::self_test_observer;
pub use replay::{replay_faults, skip_reason};
pub use run::{
    BaselineRun, CrashPointOutcome, RecoveryAction, run_baseline, run_crash_point,
    with_container_gate,
};
pub use testbed::{ImageId, Testbed, TestbedKind};
