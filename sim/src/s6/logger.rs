//! s6-log: lives until its pipe ends, or SIGTERM. What it would write is kept by whoever runs the machine.

/// s6-log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Logger;
