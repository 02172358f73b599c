//! Which command of `hermes` a process is, by its arguments.

use std::ffi::{OsStr, OsString};

use hermes::name::Profile;

/// The words after the program's name, if the process is `hermes`.
pub fn hermes_args(argv: &[OsString]) -> Option<Vec<&str>> {
    let (program, words) = argv.split_first()?;
    let is_hermes = std::path::Path::new(program).file_name() == Some(OsStr::new("hermes"));
    is_hermes.then(|| words.iter().filter_map(|word| word.to_str()).collect())
}

/// The profile whose gateway these arguments are: `hermes … gateway run …`.
pub fn gateway_of(argv: &[OsString]) -> Option<Profile> {
    let words = hermes_args(argv)?;
    // `boot` may name the container's command in its words.
    let boots = words.first() == Some(&"boot");
    let runs = words.windows(2).any(|pair| pair == ["gateway", "run"]);
    (runs && !boots).then(|| named_profile(&words))
}

/// The profile whose logger these arguments are about to be: `hermes … gateway log`.
pub fn logger_of(argv: &[OsString]) -> Option<Profile> {
    let words = hermes_args(argv)?;
    words.ends_with(&["gateway", "log"]).then(|| named_profile(&words))
}

/// The profile named with `-p`, else `default`.
fn named_profile(words: &[&str]) -> Profile {
    let named = words.iter().enumerate().find_map(|(at, word)| match *word {
        "-p" | "--profile" => words.get(at + 1).copied(),
        word => word
            .strip_prefix("--profile=")
            .or_else(|| word.strip_prefix("-p").filter(|rest| !rest.is_empty())),
    });
    named.and_then(|name| Profile::parse(name).ok()).unwrap_or_else(Profile::default_profile)
}
