//! Exit codes: the whole list, and what each means.

/// How a command ends. `gateway run` ends with its gateway's own code instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The requested state is reached.
    Done,
    /// The requested state is not reached; stderr names the reason.
    Failed,
    /// Usage error.
    Usage,
    /// `status`: down, as intended.
    DownAsIntended,
    /// `status`: not as intended.
    NotAsIntended,
    /// The gateway ended because a restart was asked for.
    RestartAsked,
    /// The profile's configuration is wrong.
    Misconfigured,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::DownAsIntended => 3,
            Self::NotAsIntended => 4,
            Self::RestartAsked => 75,
            Self::Misconfigured => 78,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Exit::Done, 0)]
    #[case(Exit::Failed, 1)]
    #[case(Exit::Usage, 2)]
    #[case(Exit::DownAsIntended, 3)]
    #[case(Exit::NotAsIntended, 4)]
    #[case(Exit::RestartAsked, 75)]
    #[case(Exit::Misconfigured, 78)]
    fn exit_codes_are_a_contract(#[case] exit: Exit, #[case] code: u8) {
        assert_eq!(exit.code(), code);
    }
}
