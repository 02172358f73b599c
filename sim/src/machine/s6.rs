//! s6 as small automata, in the versions that Debian ships.
//!
//! ```text
//!   tools                    write bytes into FIFOs and read status records
//!   svscan ──► supervise     start programs with the loader that each step is handed
//!              logger
//!   shell                    reads the one line of a script, for the loader
//! ```
//!
//! Their states are in `machine/state`, so that worlds can be built without them.

pub mod logger;
pub mod shell;
pub mod supervise;
pub mod svscan;
pub mod tools;
