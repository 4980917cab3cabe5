//! The candidates of a name, the best first: few, and kept in place, for every round
//! looks through those of all names.

use std::ops::Deref;

use super::Node;

/// Candidates that are kept.
const MOST: usize = 6;

/// Candidates and their bits, the best first.
#[derive(Debug, Clone)]
pub(in crate::identify) struct Ranked {
    all: [(Node, f32); MOST],
    count: usize,
}

impl Default for Ranked {
    fn default() -> Self {
        Self {
            all: [(Node(0), 0.0); MOST],
            count: 0,
        }
    }
}

impl Ranked {
    /// The first of these.
    pub(super) fn of(sorted: &[(Node, f32)]) -> Self {
        let mut ranked = Self::default();
        for (kept, one) in ranked.all.iter_mut().zip(sorted) {
            *kept = *one;
            ranked.count += 1;
        }
        ranked
    }
}

impl Deref for Ranked {
    type Target = [(Node, f32)];

    fn deref(&self) -> &Self::Target {
        self.all.get(..self.count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_kept() {
        let sorted: Vec<(Node, f32)> = (0..9u8)
            .map(|it| (Node(it.into()), f32::from(9 - it)))
            .collect();
        assert_eq!(Ranked::of(&sorted)[..], sorted[..MOST]);
        assert_eq!(Ranked::of(&sorted[..2])[..], sorted[..2]);
        assert!(Ranked::default().is_empty());
    }
}
