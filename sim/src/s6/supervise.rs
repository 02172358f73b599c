//! s6-supervise.

/// s6-supervise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Supervise;
