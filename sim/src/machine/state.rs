//! What each automaton is at, as plain data. Processes hold these; the behaviour is in the automata's own files, above the
//! kernel, so that a world can be built, hashed and compared without any of them.

pub mod logger;
pub mod manager;
pub mod shell;
pub mod supervise;
pub mod svscan;
pub mod user_program;
