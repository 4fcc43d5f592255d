//! The same work for several things at once, with answers in the order of the things.
//!
//! What one piece of work is, and what its answer is, is left to the caller. An answer depends on
//! its thing alone, so that the number of threads changes nothing but the time.

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

/// Does `work` for each of `things` on at most `threads` threads (`None`: all cores), and returns
/// the answers in the order of `things`.
///
/// ```
/// let squares = papertape::study::each(&[1, 2, 3], Some(2), |x| x * x);
/// assert_eq!(squares, [1, 4, 9]);
/// ```
pub fn each<T: Sync, R: Send>(
    things: &[T],
    threads: Option<usize>,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    if things.len() < 2 || threads == Some(1) {
        return things.iter().map(work).collect();
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .build();
    match pool {
        Ok(pool) => pool.install(|| things.par_iter().map(&work).collect()),
        // No thread could be started: the answers are the same, only later.
        Err(_) => things.iter().map(work).collect(),
    }
}
