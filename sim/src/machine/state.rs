//! The state of each automaton, as plain data. A process holds one of them. What the automata do is in their own files,
//! above the kernel: a world can be built, hashed and compared without them.

pub mod logger;
pub mod manager;
pub mod supervise;
pub mod svscan;
pub mod user_program;
