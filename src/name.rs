//! Floor 1: names of profiles and of their slots. Parsed once, on input; a value of these types is legal.
//!
//! Pure: nothing here looks at the machine.

use std::fmt;

/// The profile whose directory is the root home itself.
pub const DEFAULT: &str = "default";

/// `.gateway-<name>.<unique>` must fit a file name of 255 bytes.
pub const NAME_BYTES_MAX: usize = 242;

/// Reserved: names that commands and directories of the product already use.
pub const RESERVED: [&str; 6] = ["hermes", "root", "sudo", "test", "tmp", DEFAULT];

/// A legal profile name: `^[a-z0-9][a-z0-9_-]*$`, not reserved, or `default` itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Profile(String);

/// Why a name is not a legal profile name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No characters at all.
    #[error("a profile name cannot be empty")]
    Empty,
    /// Longer than a slot's file name can be.
    #[error("profile name of {0} bytes is too long: {NAME_BYTES_MAX} at most")]
    TooLong(usize),
    /// A character outside the set, with its place.
    #[error("profile name {name:?} has {found:?} at position {position}: {}", rule(*.position))]
    Character {
        /// The name as given.
        name: String,
        /// The first character that does not fit.
        found: char,
        /// Counted in characters from 1.
        position: usize,
    },
    /// A reserved name.
    #[error("profile name {0:?} is reserved")]
    Reserved(String),
}

fn rule(position: usize) -> &'static str {
    if position == 1 {
        "a name begins with a-z or 0-9"
    } else {
        "a name has only a-z, 0-9, `_` and `-`"
    }
}

impl Profile {
    /// Reads a name as a user types it; `default` is legal and means the root home.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        if name == DEFAULT {
            return Ok(Self(name.to_owned()));
        }
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong(name.len()));
        }
        let misfit = name.chars().enumerate().find(|&(index, found)| {
            !(found.is_ascii_lowercase()
                || found.is_ascii_digit()
                || (index > 0 && matches!(found, '-' | '_')))
        });
        if let Some((index, found)) = misfit {
            return Err(NameError::Character { name: name.to_owned(), found, position: index + 1 });
        }
        if RESERVED.contains(&name) {
            return Err(NameError::Reserved(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }

    /// The profile of the root home.
    pub fn default_profile() -> Self {
        Self(DEFAULT.to_owned())
    }

    /// True for the profile of the root home.
    pub fn is_default(&self) -> bool {
        self.0 == DEFAULT
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name of a profile's service directory: `gateway-<profile>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(String);

const SLOT_PREFIX: &str = "gateway-";

impl Slot {
    /// The slot of a profile.
    pub fn for_profile(profile: &Profile) -> Self {
        Self(format!("{SLOT_PREFIX}{profile}"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A hidden name beside the slot, for building it or taking it down; `unique` keeps two of them apart.
    pub fn hidden(&self, unique: &str) -> String {
        let dot = if planted!(StageWithoutDot) { "" } else { "." };
        format!("{dot}{}.{unique}", self.0)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The meaning of a name in a scan directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotName {
    /// A profile's slot.
    Slot(Profile),
    /// Named like a slot, but no legal profile could own it.
    Illegal(String),
    /// Hidden: under construction or being taken down, of the slot named here.
    Hidden(String),
    /// Not ours.
    Foreign,
}

impl SlotName {
    /// Parses one directory entry's name.
    pub fn parse_entry(entry: &str) -> Self {
        if let Some(name) = entry.strip_prefix(SLOT_PREFIX) {
            return match Profile::parse(name) {
                Ok(profile) => Self::Slot(profile),
                Err(_) => Self::Illegal(name.to_owned()),
            };
        }
        match entry.strip_prefix('.').and_then(|rest| rest.strip_prefix(SLOT_PREFIX)) {
            Some(rest) => Self::Hidden(rest.split('.').next().unwrap_or_default().to_owned()),
            None => Self::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("coder")]
    #[case("0")]
    #[case("a-b_c")]
    #[case("default")]
    fn legal_names_parse(#[case] name: &str) {
        assert_eq!(Profile::parse(name).map(|profile| profile.to_string()), Ok(name.to_owned()));
    }

    #[rstest]
    #[case("", "a profile name cannot be empty")]
    #[case("-a", "profile name \"-a\" has '-' at position 1: a name begins with a-z or 0-9")]
    #[case("Coder", "profile name \"Coder\" has 'C' at position 1: a name begins with a-z or 0-9")]
    #[case(
        "a b",
        "profile name \"a b\" has ' ' at position 2: a name has only a-z, 0-9, `_` and `-`"
    )]
    #[case("../x", "profile name \"../x\" has '.' at position 1: a name begins with a-z or 0-9")]
    #[case(
        "a\n",
        "profile name \"a\\n\" has '\\n' at position 2: a name has only a-z, 0-9, `_` and `-`"
    )]
    #[case("root", "profile name \"root\" is reserved")]
    fn illegal_names_are_refused_with_the_reason(#[case] name: &str, #[case] reason: &str) {
        assert_eq!(Profile::parse(name).unwrap_err().to_string(), reason);
    }

    #[test]
    fn the_longest_name_fits_a_hidden_slot_with_a_three_character_unique() {
        let longest = Profile::parse(&"a".repeat(NAME_BYTES_MAX)).expect("legal");
        assert!(Slot::for_profile(&longest).hidden("abc").len() <= 255);
        assert!(Profile::parse(&"a".repeat(NAME_BYTES_MAX + 1)).is_err());
    }

    #[rstest]
    #[case("gateway-coder", SlotName::Slot(Profile::parse("coder").expect("legal")))]
    #[case("gateway-ROOT", SlotName::Illegal("ROOT".into()))]
    #[case(".gateway-coder.1f", SlotName::Hidden("coder".into()))]
    #[case("sshd", SlotName::Foreign)]
    #[case(".s6-svscan", SlotName::Foreign)]
    fn scan_directory_entries_are_read(#[case] entry: &str, #[case] expected: SlotName) {
        assert_eq!(SlotName::parse_entry(entry), expected);
    }
}
