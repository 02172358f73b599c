//! What is promised, each promise one named function, and the watch that looks after every step.
//!
//! ```text
//!   name      S1–S18, L1–L7 and their reasons
//!   watch     what must be remembered between two looks; when which promise is looked at
//!   command   what a command line may do to an operator's word
//!   intent    S1 S2 S3 S4 L6        words in files
//!   slot      S6 S7                 slots
//!   host      S7 L1 L2              services of hosts
//!   process   S5 S8                 gateways and signals
//!   root      S10                   what root touches
//!   reader    S11 S12               commands that only look; what commands print
//!   bounds    S18                   what a process holds open
//!   boot      S13                   the boot log
//!   rest      L1 L2 L3 L4           when nobody moves
//!   compare   S9 S14 L5 L6          two runs, or several starts, beside each other
//!   status    L7                    what `status` says
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
pub mod status;
mod violation;

pub use compare::{
    Fingerprint, check_backoff, check_commute, check_isolation, check_recovers,
    check_repeat_converges, check_serializable, fingerprint,
};
pub use intent_set::IntentSet;
pub use monitor::Monitor;
pub use status::check_status;
pub use violation::{Name, UnknownInvariant, Violation};
