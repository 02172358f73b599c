//! s6 as small automata, in the versions that Debian ships.

pub mod logger;
pub mod shell;
pub mod supervise;
pub mod svscan;
pub mod tools;
