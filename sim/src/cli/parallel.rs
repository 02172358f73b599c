//! Runs units of work in parallel.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Runs each unit and returns the results in the order of the units. A unit whose function returns `None` has no result.
pub fn run_parallel<U: Sync, P: Send>(
    units: &[U],
    jobs: usize,
    run: impl Fn(&U) -> Option<P> + Sync,
) -> Vec<P> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(unit) = units.get(index) else { return };
                    let result = run(unit).map(|result| (index, result));
                    results.lock().unwrap_or_else(PoisonError::into_inner).extend(result);
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
