//! s6 as small automata, in the versions that Debian ships.
//!
//! ```text
//!   tools                          bytes into FIFOs, status records read
//!   svscan ──► supervise ──► shell the scripts of slots and of the image; they become programs
//!              logger
//!   act                            what all of these do to files, as their own user
//! ```

pub mod logger;
pub mod shell;
pub mod supervise;
pub mod svscan;
pub mod tools;
