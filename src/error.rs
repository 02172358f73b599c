//! Floor 0: the kernel's error numbers, and a failure that names its act and its object.
//!
//! Nothing here decides what a failure means or how it is shown: hints and exit codes live in `cli`.

use std::fmt;
use std::path::PathBuf;

/// An error number as the kernel returns it (`errno(3)`), never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(pub i32);

impl Errno {
    /// Operation not permitted.
    pub const PERM: Self = Self(1);
    /// No such file or directory, or no such process for a pid.
    pub const NOENT: Self = Self(2);
    /// No such process.
    pub const SRCH: Self = Self(3);
    /// Input/output error.
    pub const IO: Self = Self(5);
    /// A FIFO opened for writing has no reader.
    pub const NXIO: Self = Self(6);
    /// The descriptor is not open.
    pub const BADF: Self = Self(9);
    /// The operation would block (also `EWOULDBLOCK`): a lock is held, a queue is empty or full.
    pub const AGAIN: Self = Self(11);
    /// Out of memory.
    pub const NOMEM: Self = Self(12);
    /// Permission denied.
    pub const ACCESS: Self = Self(13);
    /// The name is taken.
    pub const EXIST: Self = Self(17);
    /// Not a directory.
    pub const NOTDIR: Self = Self(20);
    /// Is a directory.
    pub const ISDIR: Self = Self(21);
    /// Invalid argument; for records of ours, contents that cannot be what they claim to be.
    pub const INVAL: Self = Self(22);
    /// File too large; for our records, longer than a record can be.
    pub const FBIG: Self = Self(27);
    /// No space left on device.
    pub const NOSPC: Self = Self(28);
    /// Read-only file system.
    pub const ROFS: Self = Self(30);
    /// The reader of a pipe is gone.
    pub const PIPE: Self = Self(32);
    /// File name too long.
    pub const NAMETOOLONG: Self = Self(36);
    /// Directory not empty.
    pub const NOTEMPTY: Self = Self(39);
    /// A symbolic link where none is allowed.
    pub const LOOP: Self = Self(40);
    /// The port is taken.
    pub const ADDRINUSE: Self = Self(98);
    /// The deadline passed.
    pub const TIMEDOUT: Self = Self(110);
    /// No process listens on the port.
    pub const CONNREFUSED: Self = Self(111);
}

impl fmt::Display for Errno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        let mut letters = text.chars();
        match letters.next() {
            Some(first) => write!(formatter, "{}{}", first.to_lowercase(), letters.as_str()),
            None => write!(formatter, "errno {}", self.0),
        }
    }
}

impl std::error::Error for Errno {}

/// One kernel act that failed: the act, its object, and the kernel's answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to {act} `{}`: {errno}", object.display())]
pub struct HostError {
    /// A verb: `open`, `rename`, `run`.
    pub act: &'static str,
    /// The path, program, port or pid it was done to.
    pub object: PathBuf,
    /// The kernel's answer.
    pub errno: Errno,
}

impl HostError {
    /// An act on an object that the kernel refused with `errno`.
    pub fn new(act: &'static str, object: impl Into<PathBuf>, errno: Errno) -> Self {
        Self { act, object: object.into(), errno }
    }

    /// True when the kernel said that the object does not exist.
    pub fn is_absent(&self) -> bool {
        self.errno == Errno::NOENT
    }
}

/// `Ok(None)` where the object does not exist; every other failure stays a failure.
pub fn if_present<T>(result: Result<T, HostError>) -> Result<Option<T>, HostError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_act_object_and_cause() {
        let error = HostError::new("open", "/run/x", Errno::ACCESS);
        assert_eq!(error.to_string(), "failed to open `/run/x`: permission denied");
    }

    #[test]
    fn absence_is_told_apart_from_other_failures() {
        let absent: Result<(), _> = Err(HostError::new("open", "x", Errno::NOENT));
        let refused: Result<(), _> = Err(HostError::new("open", "x", Errno::ACCESS));
        assert_eq!(if_present(absent), Ok(None));
        assert!(if_present(refused).is_err());
    }
}
