//! Stable 128-bit hashes: the same value has the same hash in every run of the same build.

use std::hash::Hash;
use std::sync::OnceLock;

use xxhash_rust::xxh3::Xxh3;

/// The hash of a value.
pub fn of<T: Hash + ?Sized>(value: &T) -> u128 {
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
        let hash = of(&value);
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

/// A value and its hash, computed when it is first asked for and forgotten when the value is changed.
#[derive(Clone, Debug, Default)]
pub struct Kept<T> {
    value: T,
    hash: OnceLock<u128>,
}

impl<T> Kept<T> {
    /// Not hashed yet.
    pub fn new(value: T) -> Self {
        Self { value, hash: OnceLock::new() }
    }
}

impl<T: PartialEq> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Kept<T> {}

impl<T> std::ops::Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> std::ops::DerefMut for Kept<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.hash = OnceLock::new();
        &mut self.value
    }
}

impl<T: Hash> Hash for Kept<T> {
    fn hash<S: std::hash::Hasher>(&self, state: &mut S) {
        self.hash.get_or_init(|| of(&self.value)).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_hashes_and_others_do_not() {
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
        assert_eq!(of(&Hashed::new(7)), of(&Hashed::new(7)));
    }

    #[test]
    fn a_changed_value_has_another_hash() {
        let mut kept = Kept::new(7);
        let before = of(&kept);
        *kept = 8;
        assert_ne!(of(&kept), before);
        *kept = 7;
        assert_eq!(of(&kept), before);
    }
}
