//! The model checker: searches through the executions of a scenario, and the treatment of a failure.
//!
//! ```text
//!   search    which executions are tried
//!   planted   the bugs that a search must find, one for each protection
//!   trace     an execution as text, one line an event
//!   shrink    a smaller scenario with the same failure
//!   report    a failure explained to people, with a scenario that shows it
//! ```
//!
//! Runs nothing on a real machine, and prints nothing.

pub mod planted;
pub mod report;
pub mod retrace;
pub mod search;
pub mod shrink;
pub mod trace;
