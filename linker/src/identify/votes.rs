//! Where a name may be, before anything is compared: each strategy points to
//! some places, and what is pointed to most sharply is compared first.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

use super::graph::Node;

/// Candidates that are compared for one function.
const MAX_CANDIDATES: usize = 64;
/// The same where some are pointed to more sharply than the rest.
const FEW_CANDIDATES: usize = 12;

/// Candidates with a weight each: how sharply something points to them.
#[derive(Debug, Default)]
pub(super) struct Votes {
    /// By [`Node`].
    weights: Vec<f32>,
    touched: Vec<Node>,
}

impl Votes {
    pub(super) fn of(nodes: usize) -> Self {
        Self {
            weights: vec![0.0; nodes],
            touched: Vec::new(),
        }
    }

    /// All of these, one out of so many.
    pub(super) fn extend(&mut self, nodes: &[Node], of: usize) {
        self.add(nodes.iter().copied(), of);
    }

    /// The same for those that are in no list.
    pub(super) fn add(&mut self, nodes: impl Iterator<Item = Node>, of: usize) {
        let weight = 1.0 / (of.max(1) as f32).sqrt();
        for node in nodes {
            if let Some(sum) = self.weights.get_mut(node.0 as usize) {
                if *sum == 0.0 {
                    self.touched.push(node);
                }
                *sum += weight;
            }
        }
    }

    /// The best of them; nothing is left.
    pub(super) fn take(&mut self) -> Vec<Node> {
        let mut all: Vec<(Node, f32)> = self
            .touched
            .drain(..)
            .map(|node| (node, std::mem::take(&mut self.weights[node.0 as usize])))
            .collect();
        let better = |a: &(Node, f32), b: &(Node, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if all.len() > MAX_CANDIDATES {
            all.select_nth_unstable_by(MAX_CANDIDATES, better);
            all.truncate(MAX_CANDIDATES);
        }
        all.sort_unstable_by(better);
        let best = all.first().map_or(0.0, |it| it.1);
        let near = all.iter().take_while(|it| it.1 >= best / 2.0).count();
        all.truncate(near.clamp(FEW_CANDIDATES, MAX_CANDIDATES));
        all.into_iter().map(|it| it.0).collect()
    }
}

/// Empty votes to use again: as long as the binary has nodes, they are worth keeping.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Votes>>);

impl Pool {
    /// Votes for so many nodes, the same number each time.
    pub(super) fn take(&self, nodes: usize) -> Lent<'_> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lent {
            pool: self,
            votes: kept.unwrap_or_else(|| Votes::of(nodes)),
        }
    }
}

/// Votes of a pool, to which they go back.
pub(super) struct Lent<'a> {
    pool: &'a Pool,
    votes: Votes,
}

impl Deref for Lent<'_> {
    type Target = Votes;

    fn deref(&self) -> &Votes {
        &self.votes
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Votes {
        &mut self.votes
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let votes = std::mem::take(&mut self.votes);
        let mut kept = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(votes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pointed_to_sharply_and_often_comes_first() {
        let mut votes = Votes::of(8);
        let all: Vec<Node> = (0..8).map(Node).collect();
        votes.extend(&all, all.len());
        votes.extend(&[Node(5)], 1);
        votes.extend(&[Node(5), Node(2)], 2);
        // A node that the binary has not is left out.
        votes.extend(&[Node(99)], 1);
        let taken = votes.take();
        assert_eq!(taken[..3], [Node(5), Node(2), Node(0)]);
        assert_eq!(taken.len(), 8);
        assert_eq!(votes.take(), []);
    }

    #[test]
    fn of_many_that_are_pointed_to_weakly_few_are_compared() {
        let mut votes = Votes::of(100);
        let all: Vec<Node> = (0..100).map(Node).collect();
        votes.extend(&all, all.len());
        assert_eq!(votes.take().len(), MAX_CANDIDATES);
        votes.extend(&all, all.len());
        votes.extend(&[Node(70)], 1);
        let taken = votes.take();
        assert_eq!((taken.len(), taken[0]), (FEW_CANDIDATES, Node(70)));
    }
}
