//! s6 as small automata, in the versions that Debian ships.
//!
//! ```text
//!   tools                          bytes into FIFOs, status records read
//!   svscan ──► supervise ──► shell the one line of each script, which becomes a program
//!              logger
//!   act                            what all of these do to files, as their own user
//! ```

pub mod logger;
pub mod shell;
pub mod supervise;
pub mod svscan;
pub(crate) mod syscalls;
pub mod tools;
