//! What a tool of a host prints and exits with.

use hermes::host::effect::{Finished, Status};

/// It did it, and said this.
pub(super) fn succeeded(text: impl Into<String>) -> Finished {
    let stdout = text.into().into_bytes();
    Finished { status: Status::Exited(0), stdout, stderr: Vec::new() }
}

/// It did not, and said why.
pub(super) fn failed(code: u8, why: &str) -> Finished {
    let stderr = format!("{why}\n").into_bytes();
    Finished { status: Status::Exited(code), stdout: Vec::new(), stderr }
}
