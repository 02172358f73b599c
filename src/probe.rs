//! Floor 0: planted bugs (faults in our own logic, switched on by a simulator), and coverage marks that say which
//! protections a run has reached. Test builds only.
//!
//! A third hook helps the search: a wait reports its loop heads (`loop_heads`), so that a task that has polled ten
//! times has the same state as one that has polled once.
//!
//! All exist with the cargo feature `planted` alone, which `hermes-sim` asks for. Without it `planted!(…)` is the
//! constant `false`, the others are nothing, and the shipped program holds no trace of any. A bug is switched on for one
//! thread at a time by `plant`. Nothing here touches the machine.

#[cfg(feature = "planted")]
mod bug;
#[cfg(feature = "planted")]
mod loop_heads;
#[cfg(feature = "planted")]
mod switch;

#[cfg(feature = "planted")]
pub use bug::Bug;
#[cfg(feature = "planted")]
pub use loop_heads::{LoopEvent, loop_head, take_loop_events, wait_begins, wait_ends};
#[cfg(feature = "planted")]
pub use switch::{clear_marks, is_planted, plant, reach_mark, reached_marks, without_planted_bug};

/// The hazards whose protection is a branch of ours: each has one `mark!` in that branch.
pub const MARKS: [&str; 51] = [
    "R1", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R12", "R13", "H2", "H4", "H5", "H7",
    "H11", "H12", "H14", "H15", "H16", "H17", "H18", "H19", "H20", "H21", "H22", "H23", "H24",
    "H25", "H27", "H28", "H29", "H30", "H32", "H33", "H34", "H35", "H36", "H37", "H38", "H40",
    "H41", "H42", "H45", "H47", "H48", "H49", "H50", "H63", "H66", "H88",
];

/// Is this bug planted? `false`, and gone with all that depends on it, in a build without the feature.
#[cfg(feature = "planted")]
macro_rules! planted {
    ($bug:ident) => {
        $crate::probe::is_planted($crate::probe::Bug::$bug)
    };
}

/// Is this bug planted? `false`, and gone with all that depends on it, in a build without the feature.
#[cfg(not(feature = "planted"))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

/// Records that the protection against this hazard was reached.
#[cfg(feature = "planted")]
macro_rules! mark {
    ($hazard:literal) => {
        $crate::probe::reach_mark($hazard)
    };
}

/// Records that the protection against this hazard was reached.
#[cfg(not(feature = "planted"))]
macro_rules! mark {
    ($hazard:literal) => {{}};
}

/// Reports that a wait begins, is at its loop head (and what it carries from the round before), or ends.
#[cfg(feature = "planted")]
macro_rules! wait {
    (begins) => {
        $crate::probe::wait_begins()
    };
    (round $carried:expr) => {
        $crate::probe::loop_head($carried)
    };
    (ends) => {
        $crate::probe::wait_ends()
    };
}

/// Reports that a wait begins, is at its loop head (and what it carries from the round before), or ends.
#[cfg(not(feature = "planted"))]
macro_rules! wait {
    (round $carried:expr) => {{
        let _ = $carried; // only test builds use it
    }};
    ($said:ident) => {{}};
}
