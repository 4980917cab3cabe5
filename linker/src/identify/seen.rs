//! What was found out once and holds for good.

use std::{cell::RefCell, collections::HashMap, hash::Hash};

/// Answers to questions about the binary alone, by question.
#[derive(Debug)]
pub(super) struct Seen<K, V>(RefCell<HashMap<K, V>>);

impl<K, V> Default for Seen<K, V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Eq + Hash, V: Clone> Seen<K, V> {
    /// The answer; it must follow from the question alone.
    pub(super) fn get_or(&self, key: K, answer: impl FnOnce() -> V) -> V {
        if let Some(known) = self.0.borrow().get(&key) {
            return known.clone();
        }
        let found = answer();
        self.0.borrow_mut().insert(key, found.clone());
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
