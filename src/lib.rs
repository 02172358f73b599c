//! `hermes` brings every profile's gateway back exactly as its operator left it.
//!
//! The floors, lowest first; a file names its own floor's folder and lower floors (`tests/tidy/floors.rs` checks it):
//!
//! | floor | modules | what |
//! |---|---|---|
//! | 0 | [`error`], [`probe`] | errno, and a failure that names its act and object; what test builds plant |
//! | 1 | [`name`], [`layout`], [`port`] | pure: names, paths, port numbers |
//! | 2 | [`host`] | the one door to the machine: effects out, outcomes back |
//! | 3 | [`record`], [`supervisor`], [`detect`], [`role`] | files of ours; the seam of operations; who supervises here; who may |
//! | 4 | [`backend`] | s6, systemd, launchd, Windows' tasks |
//! | 5 | [`ops`], [`gateway`] | what operators do; the long-running process of one profile |
//! | 6 | [`cli`] | arguments → command → report → text or JSON |
//! | 7 | `main.rs` | collects argv, environment and streams once |
//!
//! # Words
//!
//! *profile*: a user's named set-up · *gateway*: the long-running program of one profile · *slot*: its s6 service
//! directory · *unit*: its systemd service · *scan directory*: where s6 looks for slots · *intent*: what the operator
//! asked for last · *want*: what the supervisor was told · *marker*: a note that a stop is planned · *stage*: a slot under
//! construction · *host*: the machine as our code sees it; also a machine that is no container.
//!
//! # Absences
//!
//! Below `cli` nothing prints; below `main.rs` nothing reads the environment or knows a home directory; outside
//! `host/os` nothing touches the machine. No effect happens in a `Drop`. No threads.

// First: its macros are used in all the others.
#[macro_use]
pub mod probe;

pub mod backend;
pub mod cli;
pub mod detect;
pub mod error;
pub mod gateway;
pub mod host;
pub mod layout;
pub mod name;
pub mod ops;
pub mod port;
pub mod record;
pub mod role;
pub mod supervisor;

// What the tests of modules share with those of `tests/` names this crate from outside.
#[cfg(test)]
extern crate self as hermes;
