//! A simulated machine, and the search through everything that can befall `hermes` on it.
//!
//! The production program runs here unmodified: [`hermes::cli`] asks its door for effects, and the door is ours.
//!
//! ```text
//!   main        cells · native · conformance · run · explore · replay · shrink · list · explain · planted
//!   conformance the fake s6 against real ones, in lockstep
//!   native      stories on real s6, for likeness's sake; each crash of a command there, by way of the gate
//!   gate        a real process asks before each effect: what it did, and what befalls it
//!   shrink      a failure made small, told by addresses · report · trace: told to people
//!   search      calm · matrix · surprises · closed · swarm          which choices are tried
//!   promise     S1–S14, L1–L7                                       what must hold, and when
//!   scenario    a story as JSON: the world, what is done, what is expected
//!   planted     the bugs that the search must find, one for each protection
//!   machine     tasks and automata take turns; a choice says who, and what befalls them
//!   task        one run of the production program: a future, rebuilt from its answers at will
//!   s6          s6-svscan, s6-supervise, loggers, the tools: small automata, by version
//!   foreign     somebody else's image: root's tree, and the hook that hands it over
//!   hosts       systemd, launchd, Windows' tasks and their tools: small automata
//!   kernel      answers one effect: files, processes, signals, locks, pipes, clocks
//!   world       plain data: containers, processes, the disk. Cloned cheaply, compared by hash
//!   disk        nodes with owners, each in a volatile and a durable layer
//!   touched     what a move looked at and changed
//! ```
//!
//! A file names its own module and those below it. Laws: one source of choices; no real clock, no real randomness, no
//! hash order. The same scenario and the same choices give the same trace, byte for byte.

pub mod conformance;
pub mod disk;
pub mod foreign;
pub mod gate;
pub mod hash;
pub mod hosts;
pub mod image;
pub mod kernel;
pub mod machine;
pub mod native;
pub mod observe;
pub mod planted;
pub mod play;
pub mod process;
pub mod promise;
pub mod report;
pub mod runtime;
pub mod s6;
pub mod scenario;
pub mod search;
pub mod shrink;
pub mod task;
pub mod touched;
pub mod trace;
pub mod user_program;
pub mod world;
