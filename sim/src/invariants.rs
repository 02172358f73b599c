//! The invariants, each one named function, and the monitor that checks them after every step.
//!
//! ```text
//!   statements   S1–S14, S18, L1–L7 and their reasons
//!   violation    an invariant that does not hold, and how
//!   monitor      what must be remembered between two checks; which invariant is checked when
//!   command      which intents a command line may write
//!   intent       S1 S2 S3 S4 L6   intents in files
//!   slot         S6 S7            slots
//!   host         S7 L1 L2         services of hosts
//!   process      S5 S8 S14 L3 L5  gateways, signals and locks
//!   root         S10              what root touches
//!   read_only    S11 S12          read-only commands; what commands print
//!   bounds       S18              what a process holds open
//!   boot         S13              the boot log
//!   quiescence   L1 L2 L3 L4 L6   the world at rest
//!   compare      S9 S14 L5 L6     two executions, or several starts, compared
//!   status       L7               what `status` says
//! ```
//!
//! Nothing here changes a world.

pub mod boot;
pub mod bounds;
pub mod command;
pub mod compare;
mod file_effects;
pub mod host;
pub mod intent;
mod intent_set;
mod monitor;
pub mod process;
pub mod quiescence;
pub mod read_only;
pub mod root;
pub mod slot;
mod statements;
pub mod status;
mod violation;

pub use compare::{
    Fingerprint, check_backoff, check_commute, check_isolation, check_recovers,
    check_repeat_converges, check_serializable, fingerprint,
};
pub use intent_set::IntentSet;
pub use monitor::Monitor;
pub use status::check_status;
pub use violation::{UnknownInvariant, Violation};
