//! What was found out once and holds for good, for several threads at a time.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

/// Answers to questions about the binary alone, by question.
#[derive(Debug)]
pub(super) struct Seen<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Seen<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Seen<K, V> {
    /// The answer; it must follow from the question alone. Two threads that ask at
    /// the same time may both find it out.
    pub(super) fn get_or(&self, key: K, answer: impl FnOnce() -> V) -> V {
        // A thread that panicked has inserted an answer or none.
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(&key) {
            return known.clone();
        }
        let found = answer();
        known().insert(key, found.clone());
        found
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
