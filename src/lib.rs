//! `hermes` brings every profile's gateway back exactly as its operator left it.
//!
//! The floors, lowest first; a file names its own floor's folder and lower floors (`tests/tidy/floors.rs` checks it):
//!
//! | floor | modules | what |
//! |---|---|---|
//! | 0 | [`error`], [`probe`] | errno, and a failure that names its act and object; hooks of test builds |
//! | 1 | [`name`], [`layout`], [`port`], [`environment`] | pure: names, paths, port numbers, variables |
//! | 2 | [`host`] | the effect interface to the machine (the door): effects out, outcomes back |
//! | 3 | [`record`], [`supervisor`], [`detect`], [`role`] | our files; the interface of supervisors; which supervisor runs here; whether this container may use it |
//! | 4 | [`backend`] | s6, systemd, launchd, Windows' tasks |
//! | 5 | [`ops`], [`gateway`] | what operators do; the long-running process of one profile |
//! | 6 | [`cli`] | arguments → command → report → text or JSON |
//! | 7 | `main.rs` | collects argv, environment and streams once |
//!
//! # Glossary
//!
//! Our word, and the standard term where ours is another.
//!
//! | word | meaning |
//! |---|---|
//! | profile | a user's named set-up; `default` is the home itself |
//! | gateway | the long-running program of one profile; its *command*, if it has one, is its child |
//! | intent | desired state: what the operator asked for last, stored durably. *Inferred intent*: the intent as a boot reads it from all files of a profile, older installs' included |
//! | target state | what the supervisor was told (s6: wanted up or down; systemd: enabled, started) |
//! | process state | actual state: up, finishing, down |
//! | drift | a difference between intent and actual state |
//! | gateway state, state file | what the gateway itself last wrote to `gateway_state.json`; hearsay, never the intent |
//! | slot | s6 service directory. *Unit*, *agent*, *task*: the same under systemd, launchd, Windows |
//! | scan directory | where s6-svscan looks for slots |
//! | stage | a slot or profile under construction, with a hidden name; one rename publishes it |
//! | leftover | an entry that belongs to no profile: an interrupted construction or deletion |
//! | marker | the note, written before the signal, that the end of one process is planned |
//! | orphan | a live gateway outside its slot, because its supervisor was killed |
//! | drain | graceful shutdown: from SIGTERM to the end of the work, or to SIGKILL |
//! | home, role | the volume with all profiles; whether a container supervises it or is a guest |
//! | host, door | the effect interface (system-call seam): [`host::Host`]. *On a host* also means: on a machine that is no container |
//! | effect, outcome | one system call as data, and its result |
//! | reconcile | the pass at boot: observe, plan (pure), apply, sweep |
//! | record | a file of ours below the home. *Read warning*: a defect of one, as a value |
//! | turn | one step of the gateway's event loop |
//! | planted bug | a known mutation of our own logic, in test builds ([`probe`]) |
//! | mark | coverage mark: the protection against a hazard was reached |
//! | gate | test builds only: an external controller decides about each effect |
//!
//! # Absences
//!
//! Below `cli` nothing prints; below `main.rs` nothing reads the environment or knows a home directory; outside
//! `host/os` nothing touches the machine. No effect happens in a `Drop`. No threads.

// First: its macros are used in all other modules.
#[macro_use]
pub mod probe;

pub mod backend;
pub mod cli;
pub mod detect;
pub mod environment;
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

// Code shared by unit tests and `tests/` names this crate from outside.
#[cfg(test)]
extern crate self as hermes;
