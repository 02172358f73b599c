//! The reactions of tasks to answers that they had before. A task depends only on its answers and on the planted bug, so the
//! cache changes no behaviour. It must be cleared ([`clear_replay_cache`]) when another bug is planted.

use std::cell::RefCell;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use hermes::cli::GatewayRun;
use hermes::probe::LoopEvent;

use super::Request;

/// The cache is cleared when it has this many entries.
const ENTRIES_MAX: usize = 300_000;

/// The reaction of a task to an answer.
#[derive(Clone, Debug)]
pub(super) struct CachedReaction {
    /// Its next request.
    pub request: Arc<Request>,
    /// The state of the gateway, if a turn ended: the list of answers starts empty from here.
    pub turn_start: Option<Arc<GatewayRun>>,
    /// The loop events on the way, or those since the end of the turn.
    pub loop_events: Arc<[LoopEvent]>,
}

/// Nothing depends on the order of this map.
#[expect(
    clippy::disallowed_types,
    reason = "looked up by key alone, and half a million keys are a deep tree"
)]
type ReplayCache =
    std::collections::HashMap<u128, CachedReaction, BuildHasherDefault<DigestHasher>>;

/// The keys are digests: any part of a digest is a good hash.
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

/// Removes all entries of this thread's cache.
pub fn clear_replay_cache() {
    CACHE.with_borrow_mut(ReplayCache::clear);
}

pub(super) fn lookup(key: u128) -> Option<CachedReaction> {
    CACHE.with_borrow(|cache| cache.get(&key).cloned())
}

pub(super) fn store(key: u128, reaction: CachedReaction) {
    CACHE.with_borrow_mut(|cache| {
        if cache.len() >= ENTRIES_MAX {
            cache.clear();
        }
        cache.insert(key, reaction);
    });
}
