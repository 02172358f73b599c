//! The simulated machine, from plain data up to one step of it. Chooses nothing, injects nothing, judges nothing.
//!
//! ```text
//!   step          whose turn it can be, one step, and time
//!   runtime       containers: made, started, stopped, killed
//!   foreign       somebody else's image: root's tree, and the hook that hands it over
//!   user_program  what programs other than ours and s6's do
//!   s6            s6-svscan, s6-supervise, loggers, the tools: small automata, by version
//!   hosts         systemd, launchd, Windows' tasks and their tools: small automata
//!   kernel        answers one effect: files, processes, signals, locks, pipes, clocks
//!   image         what a machine's disk holds before anything runs
//!   world         plain data: containers, processes, the disk. Cloned cheaply, compared by hash
//!   disk          nodes with owners, each in a volatile and a durable layer
//!   touched       what a transition reads and writes
//! ```

pub mod disk;
pub mod footprint;
pub mod foreign;
pub mod hosts;
pub mod image;
pub mod kernel;
pub mod process;
pub mod runtime;
pub mod s6;
mod step;
pub mod user_program;
pub mod world;

pub use step::{Machine, ProcessOutput, StepOutcome};
