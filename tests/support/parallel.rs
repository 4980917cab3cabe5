//! Work on many things at once.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What comes of each item, in their order, with as many at once as there are
/// processors.
///
/// # Panics
/// When the work on one does.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let share = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return done;
            };
            done.push((index, work(item)));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(share)).collect();
        let results = threads.into_iter();
        results
            .flat_map(|thread| thread.join().expect("the work on each item ends"))
            .collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once_and_keeps_its_place() {
        let items: Vec<u32> = (0..100).collect();
        let doubled: Vec<u32> = items.iter().map(|it| 2 * it).collect();
        assert_eq!(map(&items, |it| 2 * it), doubled);
        assert!(map(&[], |it: &u32| *it).is_empty());
    }
}
