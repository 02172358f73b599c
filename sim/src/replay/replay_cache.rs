//! What tasks did after the same answers before. A task depends on nothing but its answers and the bug that is planted,
//! so this decides nothing: [`forget`] it when another bug is planted.

use std::cell::RefCell;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use hermes::cli::GatewayRun;
use hermes::probe::LoopEvent;

use super::Request;

/// So much is kept.
const ENTRIES_MAX: usize = 300_000;

/// Where a task was after an answer.
#[derive(Clone, Debug)]
pub(super) struct CachedReaction {
    /// What it wanted next.
    pub request: Arc<Request>,
    /// A turn ended, and its list began anew with this.
    pub turn_start: Option<Arc<GatewayRun>>,
    /// What it said of its waits, since the cut if there was one.
    pub rounds: Arc<[LoopEvent]>,
}

/// Its order is never looked at.
#[expect(
    clippy::disallowed_types,
    reason = "looked up by key alone, and half a million keys are a deep tree"
)]
type ReplayCache =
    std::collections::HashMap<u128, CachedReaction, BuildHasherDefault<DigestHasher>>;

/// The keys are digests: any part of one is a hash.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let part = bytes.first_chunk().map_or(0, |part| u64::from_le_bytes(*part));
        self.0 ^= part;
    }

    fn write_u128(&mut self, digest: u128) {
        self.0 = u64::try_from(digest & u128::from(u64::MAX)).expect("64 bits");
    }
}

thread_local! {
    static CACHE: RefCell<ReplayCache> = RefCell::default();
}

/// Forgets all.
pub fn clear_replay_cache() {
    CACHE.with_borrow_mut(ReplayCache::clear);
}

pub(super) fn lookup(key: u128) -> Option<CachedReaction> {
    CACHE.with_borrow(|known| known.get(&key).cloned())
}

pub(super) fn store(key: u128, what: CachedReaction) {
    CACHE.with_borrow_mut(|known| {
        if known.len() >= ENTRIES_MAX {
            known.clear();
        }
        known.insert(key, what);
    });
}
