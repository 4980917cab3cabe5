//! Functions that are alike (`handle_level_irq` and its kin, `..._set_data` and
//! `..._set_chip_data`): each taken alone has several candidates, but all taken
//! together they fit in one way only.
//!
//! Between two of them counts in which order common callers call them, and the
//! order of their file.

use rayon::prelude::*;

use super::{
    graph::{Named, Node},
    matcher::Matcher,
};

/// Names and nodes of one cluster at most.
const MAX_NAMES: usize = 6;
const MAX_NODES: usize = 7;
/// A candidate this much below the best is none.
const WITHIN: f32 = 9.0;
/// Bits for the order in one common caller, and at most for all of them.
const CALLED: f32 = 2.5;
const MAX_CALLED: f32 = 5.0;
/// Bits for the order in the file, if that is strict.
const IN_FILE: f32 = 2.5;

/// Names that share candidates.
struct Cluster {
    names: Vec<Named>,
    nodes: Vec<Node>,
    /// Bits, by name and node.
    bits: Vec<Vec<Option<f32>>>,
    /// Bits of two pairs together: by name, node, name, node.
    both: Vec<f32>,
}

/// Pairs that stand in every assignment that is nearly as good as the best.
pub(super) fn resolve(
    matcher: &Matcher,
    ranked: &[(Named, Vec<(Node, f32)>)],
    margin: f32,
) -> Vec<(Named, Node)> {
    let near: Vec<Vec<Node>> = ranked.iter().map(|it| near(&it.1)).collect();
    // Who has a node among the near ones, sorted by node.
    let mut users: Vec<(Node, usize)> = Vec::new();
    for (name, near) in near.iter().enumerate() {
        users.extend(near.iter().map(|&node| (node, name)));
    }
    users.sort_unstable();
    let mut left: Vec<usize> = (0..ranked.len()).collect();
    let mut clusters = Vec::new();
    // By node, whether it is in the cluster; by name, whether it has such a node.
    let mut within = vec![false; matcher.binary.nodes.len()];
    let mut shares = vec![false; ranked.len()];
    while let Some(first) = left.pop() {
        let mut names = vec![first];
        let mut nodes: Vec<Node> = Vec::new();
        let mut next = first;
        loop {
            for &node in &near[next] {
                if std::mem::replace(&mut within[node.0 as usize], true) {
                    continue;
                }
                nodes.push(node);
                let start = users.partition_point(|it| it.0 < node);
                for &(_, name) in users[start..].iter().take_while(|it| it.0 == node) {
                    shares[name] = true;
                }
            }
            let Some(at) = left.iter().position(|&it| shares[it]) else {
                break;
            };
            next = left.swap_remove(at);
            names.push(next);
        }
        for node in &nodes {
            within[node.0 as usize] = false;
        }
        for &name in &names {
            shares[name] = false;
        }
        if (2..=MAX_NAMES).contains(&names.len()) && nodes.len() <= MAX_NODES {
            nodes.sort_unstable();
            clusters.push((names, nodes));
        }
    }
    let certain = clusters.into_par_iter().flat_map_iter(|(names, nodes)| {
        let names: Vec<_> = names.into_iter().map(|it| &ranked[it]).collect();
        Cluster::new(matcher, &names, nodes).certain(margin)
    });
    certain.collect()
}

/// Candidates not far below the first.
fn near(ranked: &[(Node, f32)]) -> Vec<Node> {
    let best = ranked.first().map_or(0.0, |it| it.1);
    let near = ranked.iter().take_while(|it| best - it.1 <= WITHIN);
    near.map(|it| it.0).collect()
}

impl Cluster {
    fn new(matcher: &Matcher, ranked: &[&(Named, Vec<(Node, f32)>)], nodes: Vec<Node>) -> Self {
        let names: Vec<Named> = ranked.iter().map(|it| it.0).collect();
        let of =
            |list: &[(Node, f32)], node: Node| list.iter().find(|it| it.0 == node).map(|it| it.1);
        let bits: Vec<Vec<Option<f32>>> = ranked
            .iter()
            .map(|it| nodes.iter().map(|&node| of(&it.1, node)).collect())
            .collect();
        // Only pairs of a name and a candidate of its own ever meet, the later name
        // with the earlier one.
        let mut both = Vec::new();
        for (late, &one) in names.iter().enumerate() {
            for (at, &node) in nodes.iter().enumerate() {
                for (early, &other) in names.iter().enumerate() {
                    for (there, &place) in nodes.iter().enumerate() {
                        let meet = early < late
                            && at != there
                            && bits[late][at].is_some()
                            && bits[early][there].is_some();
                        both.push(match meet {
                            true => order(matcher, (one, node), (other, place)),
                            false => 0.0,
                        });
                    }
                }
            }
        }
        Self {
            names,
            nodes,
            bits,
            both,
        }
    }

    fn both(&self, one: (usize, usize), other: (usize, usize)) -> f32 {
        let (names, nodes) = (self.names.len(), self.nodes.len());
        let at = ((one.0 * nodes + one.1) * names + other.0) * nodes + other.1;
        self.both.get(at).copied().unwrap_or(0.0)
    }

    /// For each name the node without which everything would be worse.
    fn certain(&self, margin: f32) -> Vec<(Named, Node)> {
        // Best total by name and node; the last column is for no node.
        let columns = self.nodes.len() + 1;
        let mut best = vec![vec![f32::MIN; columns]; self.names.len()];
        let mut chosen = vec![columns - 1; self.names.len()];
        self.descend(0, 0.0, &mut chosen, &mut best);
        let mut pairs = Vec::new();
        for (index, totals) in best.iter().enumerate() {
            let top = (0..columns).max_by(|a, b| totals[*a].total_cmp(&totals[*b]));
            let Some(top) = top.filter(|it| *it < self.nodes.len()) else {
                continue;
            };
            let next = (0..columns)
                .filter(|it| *it != top)
                .map(|it| totals[it])
                .fold(f32::MIN, f32::max);
            if totals[top] - next >= margin {
                pairs.push((self.names[index], self.nodes[top]));
            }
        }
        pairs
    }

    fn descend(&self, index: usize, total: f32, chosen: &mut [usize], best: &mut [Vec<f32>]) {
        if index == self.names.len() {
            for (totals, &column) in best.iter_mut().zip(chosen.iter()) {
                totals[column] = totals[column].max(total);
            }
            return;
        }
        let none = self.nodes.len();
        chosen[index] = none;
        self.descend(index + 1, total, chosen, best);
        for node in 0..none {
            if chosen[..index].contains(&node) {
                continue;
            }
            let Some(mut bits) = self.bits[index][node] else {
                continue;
            };
            for (other, &place) in chosen[..index].iter().enumerate() {
                if place < none {
                    bits += self.both((index, node), (other, place));
                }
            }
            chosen[index] = node;
            self.descend(index + 1, total + bits, chosen, best);
        }
        chosen[index] = none;
    }
}

/// Bits for two pairs, by what comes first.
fn order(matcher: &Matcher, one: (Named, Node), other: (Named, Node)) -> f32 {
    let (left, right) = (matcher.source.node(one.0), matcher.source.node(other.0));
    let mut bits = 0.0;
    if left.file.is_some() && left.file == right.file && left.init == right.init {
        let strict = matcher.files.strictness(left.file, left.init);
        let same = (left.order < right.order) == (one.1 < other.1);
        bits += IN_FILE * strict * if same { 1.0 } else { -1.0 };
    }
    let mut called = 0.0f32;
    for link in &left.callers {
        let Some(by) = matcher.node_of(link.to) else {
            continue;
        };
        let calls = &matcher.source.node(link.to).order_of_calls;
        let source = |named: Named| calls.iter().position(|it| it.0 == named);
        let calls = &matcher.binary.node(by).order_of_calls;
        let binary = |node: Node| calls.iter().position(|it| *it == node);
        if let (Some(a), Some(b), Some(x), Some(y)) = (
            source(one.0),
            source(other.0),
            binary(one.1),
            binary(other.1),
        ) {
            called += if (a < b) == (x < y) { CALLED } else { -CALLED };
        }
    }
    bits + called.clamp(-MAX_CALLED, MAX_CALLED)
}
