//! The simulated s6 does what the real one was measured to do: the sequences of the conformance suite, by their numbers.

#[path = "s6/harness.rs"]
mod harness;
#[path = "s6/scan.rs"]
mod scan;
#[path = "s6/stop.rs"]
mod stop;
#[path = "s6/supervise.rs"]
mod supervise;
#[path = "s6/supervisor_ends.rs"]
mod supervisor_ends;
#[path = "s6/tools.rs"]
mod tools;
