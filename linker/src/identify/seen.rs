//! What was found out once and holds for good.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Answers to questions about the binary alone, by question; for several threads.
#[derive(Debug)]
pub(super) struct Seen<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Seen<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Seen<K, V> {
    /// The answer; it must follow from the question alone.
    pub(super) fn get_or(&self, key: K, answer: impl FnOnce() -> V) -> V {
        if let Some(known) = self.known().get(&key) {
            return known.clone();
        }
        // Not held while the answer is found: two threads may both find it.
        let found = answer();
        self.known().insert(key, found.clone());
        found
    }

    fn known(&self) -> MutexGuard<'_, HashMap<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_out_once() {
        let seen = Seen::default();
        assert_eq!(seen.get_or(1, || "one"), "one");
        assert_eq!(seen.get_or(1, || "another"), "one");
        assert_eq!(seen.get_or(2, || "two"), "two");
    }
}
