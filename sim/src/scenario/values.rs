//! The small values of the format: durations, users, containers, profiles, signals. Each is parsed when it is read.
//!
//! Nothing here knows what a scenario is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hermes::name::Profile;
use serde::de::value::{SeqAccessDeserializer, StrDeserializer, U64Deserializer};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Is it the value of a key that is left out? Then the key is left out again.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A type that is one string in JSON.
macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    )*};
}
pub(super) use as_text;

as_text! { Span ClockShift ContainerName ProfileName Mode }

/// How long: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    /// Whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit_at = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let millis = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| millis);
        let total = match (number.parse::<u64>(), millis) {
            (Ok(number), Some(millis)) => number.checked_mul(*millis),
            _ => None,
        };
        total.map(|total| Self(Duration::from_millis(total))).ok_or_else(|| {
            format!(
                "{text:?} is not a duration: a whole number and ms, s, m, h or d, as in \"30s\""
            )
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        let fits = UNITS.iter().find(|(_, unit)| millis % unit == 0);
        let (name, unit) = fits.expect("every number is a whole number of milliseconds");
        write!(f, "{}{name}", millis / unit)
    }
}

/// A shift of the wall clock: a duration with `+` or `-` before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ClockShift {
    /// The clock is put forward.
    Forward(Span),
    /// The clock is put back.
    Back(Span),
}

impl FromStr for ClockShift {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(span), _) => span.parse().map(Self::Forward),
            (None, Some(span)) => span.parse().map(Self::Back),
            (None, None) => Err(format!("{text:?} is not a step of the clock: \"+3h\" or \"-3h\"")),
        }
    }
}

impl fmt::Display for ClockShift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forward(span) => write!(f, "+{span}"),
            Self::Back(span) => write!(f, "-{span}"),
        }
    }
}

/// One of the containers: `c1`, `c2`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerName(pub u8);

impl Default for ContainerName {
    fn default() -> Self {
        Self(1)
    }
}

impl FromStr for ContainerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix('c').and_then(|number| number.parse::<u8>().ok());
        match number {
            Some(number) if number > 0 && format!("c{number}") == text => Ok(Self(number)),
            _ => Err(format!("{text:?} is not a container: c1, c2, …")),
        }
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

/// A legal name of a profile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProfileName(pub Profile);

impl FromStr for ProfileName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Profile::parse(text).map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Permission bits: four octal digits, as in `"0640"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mode(pub u32);

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == 4 && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        match u32::from_str_radix(text, 8) {
            Ok(mode) if digits => Ok(Self(mode)),
            _ => Err(format!("{text:?} is not a mode: four octal digits, as in \"0640\"")),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// The user of a command, or the owner of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum User {
    /// 10000:10000, the owner of the home.
    #[default]
    Hermes,
    /// 0:0.
    Root,
    /// 65534:65534, a stranger.
    Nobody,
}

/// The intent that an operator recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntentSpec {
    /// It shall run.
    Running,
    /// It shall not.
    Stopped,
}

/// A signal by its name without `SIG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SignalName {
    /// A terminal went away.
    Hup,
    /// A person pressed Ctrl-C.
    Int,
    /// A person pressed Ctrl-\.
    Quit,
    /// An end that the process cannot delay.
    Kill,
    /// A program's own.
    Usr1,
    /// A program's own.
    Usr2,
    /// A request to end.
    Term,
    /// Continue.
    Cont,
    /// Pause.
    Stop,
}

/// One value, or a list of several: `0` or `[0, 1]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    /// Is nothing asked for?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for OneOrMany<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(std::marker::PhantomData))
    }
}

struct OneOrManyVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value or a list")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
        T::deserialize(StrDeserializer::new(text)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<OneOrMany<T>, E> {
        T::deserialize(U64Deserializer::new(number)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OneOrMany<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("500ms", 500)]
    #[case("30s", 30_000)]
    #[case("2m", 120_000)]
    #[case("3h", 10_800_000)]
    #[case("0s", 0)]
    fn a_duration_is_read_and_written(#[case] text: &str, #[case] millis: u64) {
        let span: Span = text.parse().expect("legal");
        assert_eq!(span.0, Duration::from_millis(millis));
        assert_eq!(span.to_string(), text);
    }

    #[rstest]
    #[case("")]
    #[case("30")]
    #[case("s")]
    #[case("-3s")]
    #[case("1.5s")]
    #[case("99999999999999999999s")]
    fn a_text_that_is_no_duration_is_refused(#[case] text: &str) {
        assert!(text.parse::<Span>().is_err());
    }
}
