//! The crash matrix of one command on real s6: each cell in a tree of its own, and the simulator's promises afterwards.
//!
//! ```text
//!   ground   what a cell's machine is made of: namespaces, or containers of the image
//!   calm     the story once, through the gate: what the command asks for, and what it comes to
//!   cell     the story up to the command, one thing befalls it, then the machine boots, or the command is repeated
//!   replay   a story with surprises at addresses: what simulation found, on the real thing
//!   eyes     damage done on purpose: is it seen?
//!   held     what is so, read into the simulator's world (view), and its watch
//! ```
//!
//! A command is named in the story's `search.crash`; `init` and `tree` are the image's own boot.

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
