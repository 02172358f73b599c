//! `hermes gateway finish CODE SIGNAL…` (hidden): a slot's `finish`, which tells s6-supervise whether to go on.

use crate::cli::args::FinishArgs;
use crate::cli::exit::Exit;
use crate::ops::init::command::PERMANENT;

/// A wrong configuration does not mend itself: s6-supervise is told not to try again. Every other end is followed by
/// another start, if one is wanted.
pub(in crate::cli) fn code(args: &FinishArgs) -> u8 {
    let is_permanent = args.code == u32::from(Exit::Misconfigured.code());
    if is_permanent && !planted!(PermanentFailureRetried) { PERMANENT } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::the_configuration_is_wrong(78, 125)]
    #[case::stopped(0, 0)]
    #[case::restarted(75, 0)]
    #[case::ended_by_a_signal(256, 0)]
    #[case::the_number_of_a_permanent_failure(125, 0)]
    fn only_a_wrong_configuration_is_for_good(#[case] code: u32, #[case] expected: u8) {
        assert_eq!(super::code(&FinishArgs { code, rest: Vec::new() }), expected);
    }
}
