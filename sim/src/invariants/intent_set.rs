//! A set of operator's words: which may be in force on a profile.

use std::fmt;

use crate::observe::recorded_intent::ObservedIntent;

/// A set of words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IntentSet(u8);

impl IntentSet {
    /// Just this one.
    pub fn only(word: ObservedIntent) -> Self {
        Self(bit(word))
    }

    /// Is it in?
    pub fn has(self, word: ObservedIntent) -> bool {
        self.0 & bit(word) != 0
    }

    /// With this one, too.
    #[must_use]
    pub fn with(self, word: ObservedIntent) -> Self {
        Self(self.0 | bit(word))
    }

    /// Without this one.
    #[must_use]
    pub fn without(self, word: ObservedIntent) -> Self {
        Self(self.0 & !bit(word))
    }

    /// With all of these, too.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

fn bit(word: ObservedIntent) -> u8 {
    1 << (word as u8)
}

impl FromIterator<ObservedIntent> for IntentSet {
    fn from_iter<I: IntoIterator<Item = ObservedIntent>>(words: I) -> Self {
        words.into_iter().fold(Self::default(), Self::with)
    }
}

impl fmt::Display for IntentSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = ObservedIntent::ALL.into_iter().filter(|word| self.has(*word));
        let words: Vec<String> = words.map(|word| word.to_string()).collect();
        formatter.write_str(&words.join(" or "))
    }
}
