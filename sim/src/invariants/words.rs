//! A set of operator's words: which may be in force on a profile.

use std::fmt;

use crate::observe::word::Word;

/// A set of words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Words(u8);

impl Words {
    /// Just this one.
    pub fn only(word: Word) -> Self {
        Self(bit(word))
    }

    /// Is it in?
    pub fn has(self, word: Word) -> bool {
        self.0 & bit(word) != 0
    }

    /// With this one, too.
    #[must_use]
    pub fn with(self, word: Word) -> Self {
        Self(self.0 | bit(word))
    }

    /// Without this one.
    #[must_use]
    pub fn without(self, word: Word) -> Self {
        Self(self.0 & !bit(word))
    }

    /// With all of these, too.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

fn bit(word: Word) -> u8 {
    1 << (word as u8)
}

impl FromIterator<Word> for Words {
    fn from_iter<I: IntoIterator<Item = Word>>(words: I) -> Self {
        words.into_iter().fold(Self::default(), Self::with)
    }
}

impl fmt::Display for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Word::ALL.into_iter().filter(|word| self.has(*word));
        let words: Vec<String> = words.map(|word| word.to_string()).collect();
        formatter.write_str(&words.join(" or "))
    }
}
