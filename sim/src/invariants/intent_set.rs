//! A set of intents: those that may be in force on a profile.

use std::fmt;

use crate::observe::recorded_intent::ObservedIntent;

/// A set of intents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IntentSet(u8);

impl IntentSet {
    /// Only this one.
    pub fn only(intent: ObservedIntent) -> Self {
        Self(bit(intent))
    }

    /// Is it in the set?
    pub fn has(self, intent: ObservedIntent) -> bool {
        self.0 & bit(intent) != 0
    }

    /// With this one, too.
    #[must_use]
    pub fn with(self, intent: ObservedIntent) -> Self {
        Self(self.0 | bit(intent))
    }

    /// Without this one.
    #[must_use]
    pub fn without(self, intent: ObservedIntent) -> Self {
        Self(self.0 & !bit(intent))
    }

    /// With all of these, too.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

fn bit(intent: ObservedIntent) -> u8 {
    1 << (intent as u8)
}

impl FromIterator<ObservedIntent> for IntentSet {
    fn from_iter<I: IntoIterator<Item = ObservedIntent>>(intents: I) -> Self {
        intents.into_iter().fold(Self::default(), Self::with)
    }
}

impl fmt::Display for IntentSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let intents = ObservedIntent::ALL.into_iter().filter(|intent| self.has(*intent));
        let intents: Vec<String> = intents.map(|intent| intent.to_string()).collect();
        formatter.write_str(&intents.join(" or "))
    }
}
