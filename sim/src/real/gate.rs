//! The other side of the gate: real processes of a test build ask here before each effect, and wait for the answer.
//!
//! ```text
//!   hermes (feature `gate`) ──► controller   one socket a command, one a container; counts addresses, answers, holds
//!                                  │ what was asked
//!                                  ▼
//!                               trace        the same story here and on the simulated machine, held beside each other
//!                               plan         the cells of a crash matrix, from what a calm run asked
//! ```
//!
//! Addresses are the scenarios': task, kind of effect, what it touches, ordinal. Knows no machine.

pub mod controller;
pub mod crash_matrix;
pub mod effect_diff;

pub use controller::GateController;
pub use hermes::host::os::gate::SOCKET;
