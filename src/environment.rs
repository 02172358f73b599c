//! Floor 1: the environment as hermes reads it. Pure: nothing here asks the machine.
//!
//! Every process of ours gets its variables through [`present`], and so do the files of a container's environment:
//! one place decides what counts as set, and boot, slots, commands and health check agree.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Variables by name.
pub type Environment = BTreeMap<OsString, OsString>;

/// Where programs are looked up if the environment does not say.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variables that count: one that is set and empty (`HERMES_HOME: ${UNSET}` of a compose file) is absent.
pub fn present(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
    variables.into_iter().filter(|(_, value)| is_present(value)).collect()
}

fn is_present(value: &OsStr) -> bool {
    if value.is_empty() {
        mark!("H88");
    }
    !value.is_empty() || planted!(EmptyVariableCounts)
}

/// The `PATH` that programs are looked up in.
pub fn search_path(env: &Environment) -> &OsStr {
    env.get(OsStr::new("PATH"))
        .filter(|path| is_present(path))
        .map_or(OsStr::new(PATH_DEFAULT), OsString::as_os_str)
}

/// A switch is on with `1`, `true` or `yes`, in any case of letters; every other word leaves it off.
pub fn is_on(word: &OsStr) -> bool {
    let is_word = |on: &str| word.eq_ignore_ascii_case(on);
    ["1", "true", "yes"].into_iter().any(is_word) || planted!(AnyWordIsOn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        present(pairs.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn a_variable_that_is_set_and_empty_is_absent() {
        assert_eq!(env(&[("A", ""), ("PATH", ""), ("B", " ")]), env(&[("B", " ")]));
    }

    #[rstest]
    #[case(&[("PATH", "/a:/b")], "/a:/b")]
    #[case(&[("PATH", "")], PATH_DEFAULT)]
    #[case(&[], PATH_DEFAULT)]
    fn programs_are_looked_up_somewhere(#[case] pairs: &[(&str, &str)], #[case] expected: &str) {
        assert_eq!(search_path(&env(pairs)), expected);
    }

    #[rstest]
    fn three_words_switch_on(
        #[values("1", "true", "TRUE", "True", "yes", "YES", "yEs")] word: &str,
    ) {
        assert!(is_on(OsStr::new(word)));
    }

    #[rstest]
    fn every_other_word_leaves_it_off(
        #[values("", "0", "false", "FALSE", "no", "No", "off", "on", "2", "y", " 1")] word: &str,
    ) {
        assert!(!is_on(OsStr::new(word)));
    }
}
