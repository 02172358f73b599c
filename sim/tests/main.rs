//! The one integration binary of the simulator, low first: the simulated machine, scenarios, invariants, searches, the gate,
//! the command line.
//!
//! All tests but those of `command_line` run in one process. Planted bugs, the replay cache and the coverage marks are kept
//! per thread; a test that plants a bug uses [`support::planted`], so that the next test of the same thread
//! (`--test-threads=1`) starts clean.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests arrange and observe the real machine directly"
)]

mod support {
    pub(crate) mod fixture;
    pub(crate) mod planted;
    pub(crate) mod replayed;
}

// The simulated disk against the real one.
mod disk;
// The simulated s6 does what the real one was measured to do: the sequences of the conformance suite, by their numbers.
mod s6 {
    mod harness;
    mod scan;
    mod stop;
    mod supervise;
    mod supervisor_ends;
    mod tools;
}
mod hosts;
mod independence;
mod scenario;
// A world made for each invariant violates it once, and a healthy world violates none.
mod invariants {
    mod instant;
    mod later;
    mod world_builder;
}
mod address;
mod command_line;
mod gate;
mod search;
