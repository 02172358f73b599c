//! s6-log as data: it has no state of its own.

/// s6-log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Logger;
