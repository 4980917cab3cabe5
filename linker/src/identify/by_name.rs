//! Facts about a few names, looked up for every answer that is compared.

use super::graph::Named;

/// A map for so few names that looking at all of them is the fastest.
#[derive(Debug)]
pub(super) struct ByName<T>(Vec<(Named, T)>);

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ByName<T> {
    /// What is known of a name.
    pub(super) fn get(&self, named: &Named) -> Option<&T> {
        let found = self.0.iter().find(|it| it.0 == *named);
        found.map(|it| &it.1)
    }

    /// Everything that is known.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Named, T)> {
        self.0.iter()
    }

    /// Of several facts about one name the last counts.
    pub(super) fn insert(&mut self, named: Named, fact: T) {
        match self.0.iter_mut().find(|it| it.0 == named) {
            Some(old) => old.1 = fact,
            None => self.0.push((named, fact)),
        }
    }
}

impl<T> Extend<(Named, T)> for ByName<T> {
    fn extend<I: IntoIterator<Item = (Named, T)>>(&mut self, facts: I) {
        for (named, fact) in facts {
            self.insert(named, fact);
        }
    }
}

impl<T> FromIterator<(Named, T)> for ByName<T> {
    fn from_iter<I: IntoIterator<Item = (Named, T)>>(facts: I) -> Self {
        let mut map = Self::default();
        map.extend(facts);
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_fact_about_a_name_counts() {
        let map: ByName<&str> = [(Named(3), "old"), (Named(1), "one"), (Named(3), "new")]
            .into_iter()
            .collect();
        assert_eq!(map.get(&Named(3)), Some(&"new"));
        assert_eq!(map.get(&Named(1)), Some(&"one"));
        assert_eq!(map.get(&Named(2)), None);
    }
}
