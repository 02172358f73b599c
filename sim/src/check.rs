//! The model checker: searches through the executions of a scenario, and what is done with a failure.
//!
//! ```text
//!   search    which choices are tried
//!   planted   the bugs that a search must find, one for each protection
//!   trace     an execution in words, one line an event
//!   shrink    a failure made small, told by addresses · report: told to people
//! ```
//!
//! Runs nothing on a real machine, and prints nothing.

pub mod planted;
pub mod report;
pub mod retrace;
pub mod search;
pub mod shrink;
pub mod trace;
