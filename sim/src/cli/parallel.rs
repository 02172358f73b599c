//! Several stories at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What came of each, in the order of the units, whoever is ready first; `None`: it was not played.
pub fn run_parallel<U: Sync, P: Send>(
    units: &[U],
    jobs: usize,
    play: impl Fn(&U) -> Option<P> + Sync,
) -> Vec<P> {
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(unit) = units.get(index) else { return };
                    let played = play(unit).map(|played| (index, played));
                    all.lock().unwrap_or_else(PoisonError::into_inner).extend(played);
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, played)| played).collect()
}
