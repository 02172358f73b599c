//! Why a gateway ends. That decides its final gateway state, its exit code, and whether it counts as a failure.
//!
//! Only data; `exit.rs` acts on it.

use super::state_file::GatewayState;
use super::stop::{self, SignalMeaning};
use crate::host::effect::Status;
use crate::supervisor::PERMANENT_FAILURE;

/// The exit code of a failure that may pass by itself.
pub(super) const FAILURE_CODE: u8 = 1;

/// Why the gateway ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ExitReason {
    /// A signal asked for it.
    Asked(SignalMeaning),
    /// It failed, or its command ended.
    Failed(ExitFailure),
}

/// An end that was not requested.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ExitFailure {
    pub(super) final_state: GatewayState,
    pub(super) code: u8,
    pub(super) reason: String,
}

impl ExitReason {
    pub(super) fn failed(final_state: GatewayState, code: u8, reason: String) -> Self {
        Self::Failed(ExitFailure { final_state, code, reason })
    }

    /// The configuration is wrong, or has failed too often: no further start can help.
    pub(super) fn permanent(reason: String) -> Self {
        Self::failed(GatewayState::StartupFailed, PERMANENT_FAILURE, reason)
    }

    /// The command ended by itself; `word` is the final gateway state unless the exit code says that the configuration
    /// is wrong.
    pub(super) fn from_command_status(status: Status, final_state: GatewayState) -> Self {
        match status {
            Status::Exited(PERMANENT_FAILURE) => Self::permanent(format!(
                "the command exited with code {PERMANENT_FAILURE}: its configuration is wrong"
            )),
            Status::Exited(code) => {
                Self::failed(final_state, code, format!("the command exited with code {code}"))
            }
            Status::Signalled(signal) => {
                let reason = format!("{} ended the command", stop::signal_name(signal));
                Self::failed(final_state, stop::signal_code(signal), reason)
            }
        }
    }

    /// May this end be a failure to stay up? A permanent failure is not counted: no further start will come.
    pub(super) fn counts(&self) -> bool {
        match self {
            Self::Asked(_) => false,
            Self::Failed(failure) => failure.code != PERMANENT_FAILURE,
        }
    }

    pub(super) fn reason(&self) -> String {
        match self {
            Self::Asked(stop) => stop.reason(),
            Self::Failed(failure) => failure.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::effect::Signal;
    use rstest::rstest;

    #[rstest]
    #[case(Status::Exited(0), "running", 0, "the command exited with code 0")]
    #[case(Status::Exited(3), "running", 3, "the command exited with code 3")]
    #[case(
        Status::Exited(78),
        "startup_failed",
        78,
        "the command exited with code 78: its configuration is wrong"
    )]
    #[case(Status::Signalled(Signal::KILL), "running", 137, "SIGKILL ended the command")]
    fn the_commands_end_is_ours(
        #[case] status: Status,
        #[case] final_state: &str,
        #[case] code: u8,
        #[case] reason: &str,
    ) {
        let ExitReason::Failed(failure) =
            ExitReason::from_command_status(status, GatewayState::Running)
        else {
            panic!("it was not requested")
        };
        assert_eq!((failure.final_state.as_str(), failure.code), (final_state, code));
        assert_eq!(failure.reason, reason);
    }
}
