//! The simulated machine, from plain data up to one step of it. Chooses nothing, injects nothing, judges nothing.
//!
//! A file names lower floors only (`tests/tidy/floors.rs` checks it):
//!
//! ```text
//!   9  step          which process can move, one step of it, and time
//!   8  runtime       containers: made, started, stopped, killed
//!   7  foreign       an image that is not ours: root's tree, and the hook that hands it over
//!   6  loader        what a file stands for when it is executed; knows all programs
//!   5  s6            s6-svscan, s6-supervise, loggers, the tools: small automata, by version
//!      hosts         systemd, launchd, Windows' tasks and their tools: small automata
//!      user_program  what programs other than ours and s6's do
//!   4  syscalls      what automata do to files, as their own user
//!   3  kernel        answers one effect: files, processes, signals, locks, pipes, clocks
//!   2  image         what a machine's disk holds before anything runs
//!      world         plain data: containers, processes, the disk. Cloned cheaply, compared by hash
//!   1  process       one process as plain data
//!      disk          nodes with owners, each in a volatile and a durable layer
//!      state         what each automaton is at, as plain data
//!   0  registry      the kind of a host, and what its supervisor keeps beside files
//!      command_line  which command of `hermes` a process is
//!      footprint     what a transition reads and writes
//!      ids           identifiers
//! ```

pub mod command_line;
pub mod disk;
pub mod footprint;
pub mod foreign;
pub mod hosts;
pub mod ids;
pub mod image;
pub mod kernel;
pub mod loader;
pub mod process;
pub mod registry;
pub mod runtime;
pub mod s6;
pub mod state;
mod step;
pub(crate) mod syscalls;
pub mod user_program;
pub mod world;

pub use step::{Machine, ProcessOutput, StepOutcome};
