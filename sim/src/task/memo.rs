//! What tasks did after the same answers before. A task depends on nothing but its answers and the bug that is planted,
//! so this decides nothing: [`forget`] it when another bug is planted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use hermes::cli::Running;
use hermes::probe::Round;

use super::Wants;

/// So much is kept.
const KNOWN_MAX: usize = 300_000;

/// Where a task was after an answer.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// What it wanted next.
    pub wants: Arc<Wants>,
    /// A turn ended, and its list began anew with this.
    pub cut: Option<Arc<Running>>,
    /// What it said of its waits, since the cut if there was one.
    pub said: Arc<[Round]>,
}

thread_local! {
    static KNOWN: RefCell<BTreeMap<u128, Known>> = const { RefCell::new(BTreeMap::new()) };
}

/// Forgets all.
pub fn forget() {
    KNOWN.with_borrow_mut(BTreeMap::clear);
}

pub(super) fn recall(key: u128) -> Option<Known> {
    KNOWN.with_borrow(|known| known.get(&key).cloned())
}

pub(super) fn keep(key: u128, what: Known) {
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(key, what);
    });
}
