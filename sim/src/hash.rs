//! Stable 128-bit hashes: the same value has the same hash in every run of the same build.

use std::hash::Hash;
use std::sync::OnceLock;

use xxhash_rust::xxh3::Xxh3;

/// The hash of a value.
pub fn digest<T: Hash + ?Sized>(value: &T) -> u128 {
    let mut hasher = Xxh3::new();
    value.hash(&mut hasher);
    hasher.digest128()
}

/// A value and its hash, computed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed<T> {
    value: T,
    hash: u128,
}

impl<T: Hash> Hashed<T> {
    /// Computes the hash.
    pub fn new(value: T) -> Self {
        let hash = digest(&value);
        Self { value, hash }
    }
}

impl<T> std::ops::Deref for Hashed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Hash for Hashed<T> {
    fn hash<S: std::hash::Hasher>(&self, state: &mut S) {
        self.hash.hash(state);
    }
}

/// A value and its hash. The hash is computed at its first use and dropped when the value changes.
#[derive(Clone, Debug, Default)]
pub struct LazilyHashed<T> {
    value: T,
    hash: OnceLock<u128>,
}

impl<T> LazilyHashed<T> {
    /// Wraps a value; the hash is not computed yet.
    pub fn new(value: T) -> Self {
        Self { value, hash: OnceLock::new() }
    }
}

impl<T: PartialEq> PartialEq for LazilyHashed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for LazilyHashed<T> {}

impl<T> std::ops::Deref for LazilyHashed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> std::ops::DerefMut for LazilyHashed<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.hash = OnceLock::new();
        &mut self.value
    }
}

impl<T: Hash> Hash for LazilyHashed<T> {
    fn hash<S: std::hash::Hasher>(&self, state: &mut S) {
        self.hash.get_or_init(|| digest(&self.value)).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_hashes_and_others_do_not() {
        assert_eq!(digest("a"), digest("a"));
        assert_ne!(digest("a"), digest("b"));
        assert_eq!(digest(&Hashed::new(7)), digest(&Hashed::new(7)));
    }

    #[test]
    fn a_changed_value_has_another_hash() {
        let mut value = LazilyHashed::new(7);
        let before = digest(&value);
        *value = 8;
        assert_ne!(digest(&value), before);
        *value = 7;
        assert_eq!(digest(&value), before);
    }
}
