//! The identifiers of a machine: nodes, containers, processes, and the version of s6. Lowest of all, so that everything
//! can name them.

/// Which node of which device: the same object has the same pair, as in `stat(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// The device.
    pub device: u16,
    /// The inode's number on it.
    pub number: u64,
}

/// A container by its place in the scenario: 1, 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(pub u8);

/// A process: its container and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// Whose PID namespace.
    pub container: ContainerId,
    /// Its number in it.
    pub pid: i32,
}

/// Which s6 the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum S6Version {
    /// Debian bookworm's, 2.11.3.2: 35-byte status records, "not listening" is exit 100.
    V2_11,
    /// Debian trixie's, 2.13.1.0: 43-byte status records.
    V2_13,
    /// Debian sid's, 2.15.1.0: 35-byte status records, "not listening" is exit 102.
    V2_15,
}
