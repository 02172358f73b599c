//! What processes share: learned from what their moves touch.
//!
//! A move that touches nothing shared commutes with every move of every other process met so far. Once a whole search
//! has met nothing new, that is all of them: the first move in some other order that got in the way of one of these
//! would have had to touch what the search has seen nobody else touch, and up to there that order is one of those
//! searched, but for moves that commute.

use std::collections::{BTreeMap, BTreeSet};

use crate::touched::Touched;

/// Who has touched what, and what is therefore shared.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    users: BTreeMap<u128, Users>,
    shared: BTreeSet<u128>,
}

#[derive(Debug)]
struct Users {
    /// The first one, by its number in the run.
    first: u64,
    /// There are others.
    are_many: bool,
    /// Somebody has changed it.
    is_changed: bool,
}

impl Sharing {
    /// How much is shared, as far as is known.
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// A process touched this. Is that nobody else's business?
    pub fn learn(&mut self, serial: u64, touched: &Touched) -> bool {
        let mut is_private = !touched.everything;
        for (thing, is_change) in &touched.things {
            let users = self.users.entry(*thing).or_insert(Users {
                first: serial,
                are_many: false,
                is_changed: false,
            });
            users.are_many |= users.first != serial;
            users.is_changed |= is_change;
            if users.are_many && users.is_changed {
                self.shared.insert(*thing);
                is_private = false;
            }
        }
        is_private
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touches(things: &[(u128, bool)]) -> Touched {
        Touched { things: things.to_vec(), everything: false }
    }

    #[test]
    fn what_all_only_look_at_is_not_shared() {
        let mut sharing = Sharing::default();
        assert!(sharing.learn(1, &touches(&[(7, false)])));
        assert!(sharing.learn(2, &touches(&[(7, false)])));
        assert_eq!(sharing.len(), 0);
    }

    #[test]
    fn what_one_changes_and_another_looks_at_is_shared() {
        let mut sharing = Sharing::default();
        assert!(sharing.learn(1, &touches(&[(7, true), (8, true)])));
        assert!(!sharing.learn(2, &touches(&[(7, false)])));
        assert!(!sharing.learn(1, &touches(&[(7, false)])), "it is remembered");
        assert!(sharing.learn(1, &touches(&[(8, true)])));
        assert_eq!(sharing.len(), 1);
    }

    #[test]
    fn what_touches_everything_never_goes_alone() {
        let mut sharing = Sharing::default();
        assert!(!sharing.learn(1, &Touched { things: vec![], everything: true }));
    }
}
