//! A simulated machine and a model checker: the production program runs on it unmodified, and every crash point, fault
//! and interleaving of a scenario is tried.
//!
//! The rooms, lowest first; a file names its own room and lower ones (`tests/tidy/floors.rs` checks it):
//!
//! | floor | room | what |
//! |---|---|---|
//! | 0 | [`hash`] | one hash function for states, and values that keep theirs |
//! | 1 | [`replay`] | one run of the production program as the list of its answers |
//! | 2 | [`machine`] | the simulated machine: plain data, its kernel, its programs, one step of it |
//! | 3 | [`scenario`] | the JSON of a scenario, its words and its loader |
//! | 3 | [`observe`] | what is so in a world, seen without permissions or time |
//! | 4 | [`invariants`] | what must hold (S1–S14, L1–L7), and when it is checked |
//! | 5 | [`execution`] | one execution of a scenario: steps, faults, expectations |
//! | 6 | [`check`] | searches, shrinking, reports, planted bugs |
//! | 7 | [`real`] | the same scenarios on real machines: namespaces, containers, the gate, conformance |
//! | 8 | `cli` | the command `hermes-sim`, one file a verb |
//! | 9 | `main.rs` | collects the arguments and returns a code |
//!
//! Laws: one source of choices; no real clock, no real randomness, no hash order. The same scenario and the same choices
//! give the same trace, byte for byte.

pub mod check;
pub mod execution;
pub mod hash;
pub mod invariants;
pub mod machine;
pub mod observe;
pub mod real;
pub mod replay;
pub mod scenario;
