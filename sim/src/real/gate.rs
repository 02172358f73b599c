//! The simulator's side of the gate: real processes of a gated build ask here before each effect, and wait for the answer.
//!
//! ```text
//!   hermes (feature `gate`) ──► controller    one socket a command, one a container; counts addresses, answers, holds
//!                                  │ requested effects
//!                                  ▼
//!                               effect_diff   compares the effects of a command here and on the simulated machine
//!                               crash_matrix  the crash points of a command, from the requests of a baseline run
//! ```
//!
//! Addresses are those of scenarios: task, effect kind, object and occurrence number. This module knows no machine.

pub mod controller;
pub mod crash_matrix;
pub mod effect_diff;

pub use controller::GateController;
pub use hermes::host::os::gate::SOCKET;
