//! The simulated machine, from plain data up to one step of it. Chooses nothing, injects nothing, judges nothing.
//!
//! A file names its own module and lower floors only; on floors 0 and 8 neighbours do not know each other
//! (`tests/tidy/floors.rs` checks it):
//!
//! | floor | module | what |
//! |---|---|---|
//! | 0 | [`ids`] | identifiers: nodes, containers, processes |
//! | 0 | [`registry`] | the kind of a host, and what its supervisor keeps beside files |
//! | 0 | [`command_line`] | which command of `hermes` a process is |
//! | 1 | [`footprint`] | what a transition reads and writes |
//! | 1 | [`state`] | the state of each automaton, as plain data |
//! | 2 | [`disk`] | nodes with owners, each in a volatile and a durable layer |
//! | 3 | [`process`] | one process, as plain data |
//! | 4 | [`world`] | containers, processes, the disk, as plain data: cloned cheaply, compared by hash |
//! | 5 | [`image`] | what a machine's disk holds before anything runs |
//! | 5 | `process_footprint` | the footprint of what happens to processes |
//! | 6 | [`kernel`] | answers one effect: files, processes, signals, locks, pipes, clocks |
//! | 7 | `syscalls` | what automata do to files, as their own user |
//! | 8 | [`s6`] | s6-svscan, s6-supervise, loggers, the tools: small automata, by version |
//! | 8 | [`hosts`] | systemd, launchd, Windows' tasks and their tools: small automata |
//! | 8 | [`user_program`] | what programs other than ours and s6's do |
//! | 9 | [`loader`] | what a file stands for when it is executed; knows all programs |
//! | 10 | [`foreign`] | an image that is not ours: root's tree, and the hook that hands it over |
//! | 11 | [`runtime`] | containers: made, started, stopped, killed |
//! | 12 | `step` | which process can move, one step of it, and time |

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
mod process_footprint;
pub mod registry;
pub mod runtime;
pub mod s6;
pub mod state;
mod step;
pub(crate) mod syscalls;
pub mod user_program;
pub mod world;

pub use step::{Machine, ProcessOutput, StepOutcome};
