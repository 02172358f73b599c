//! Our children that are not yet reaped. Filled by `launch`, waited for by `wait`, emptied by `process`.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use crate::host::effect::Pid;

/// Each child with a process handle that becomes readable at its end.
pub(super) type Children = BTreeMap<Pid, OwnedFd>;
