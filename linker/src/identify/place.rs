//! Where functions lie in regard to the named functions of their source file.

use super::{
    graph::{Named, Node, SourceNode},
    matcher::Matcher,
};

/// Functions that one file has at most.
const MAX_SPAN: u32 = 400;
/// Functions without a name between two of one file at most.
const MAX_BESIDE: u32 = 40;
/// Bits for the right side of one neighbour, in a file in strict order.
const ORDER: f32 = 1.5;

/// Named functions by file and whether they are in the init section.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Two for each file.
    files: Vec<InFile>,
}

/// The named functions of a file that lie in one section.
#[derive(Debug, Default)]
struct InFile {
    /// Place and order in the source, sorted.
    by_place: Vec<(u32, u32)>,
    /// Order in the source and place, sorted.
    by_order: Vec<(u32, u32)>,
    /// How strictly they are in the order of the source.
    strictness: f32,
}

impl InFile {
    fn add(&mut self, place: u32, order: u32) {
        if let Err(at) = self.by_place.binary_search_by_key(&place, |it| it.0) {
            self.by_place.insert(at, (place, order));
            let at = self.by_order.partition_point(|it| *it < (order, place));
            self.by_order.insert(at, (order, place));
            self.strictness = strictness(&self.by_place);
        }
    }

    fn remove(&mut self, place: u32) {
        self.by_place.retain(|it| it.0 != place);
        self.by_order.retain(|it| it.1 != place);
        self.strictness = strictness(&self.by_place);
    }

    /// Functions from a place to the nearest other one.
    fn distance(&self, place: u32, without: Option<Node>) -> Option<u32> {
        let other = |it: &&(u32, u32)| Some(Node(it.0)) != without;
        let after = self.by_place.partition_point(|it| it.0 < place);
        let (below, above) = self.by_place.split_at(after);
        let below = below.iter().rev().find(other).map(|it| place - it.0);
        let above = above.iter().find(other).map(|it| it.0 - place);
        match (below, above) {
            (Some(below), Some(above)) => Some(below.min(above)),
            (one, other) => one.or(other),
        }
    }

    /// Bits for a place between the neighbours that the source suggests.
    ///
    /// Compilers keep the order of the source or turn it round, each more or less
    /// strictly; which, and how strictly, the named functions show.
    fn order(&self, own: u32, place: u32, without: Option<Node>) -> f32 {
        if self.strictness == 0.0 {
            return 0.0;
        }
        let other = |it: &&(u32, u32)| Some(Node(it.1)) != without;
        let before = self.by_order.partition_point(|it| it.0 < own);
        let after = self.by_order.partition_point(|it| it.0 <= own);
        let before = self.by_order[..before].iter().rev().find(other);
        let after = self.by_order[after..].iter().find(other);
        let side = |neighbour: Option<&(u32, u32)>, above: bool| match neighbour {
            Some(it) if (place > it.1) == (above == (self.strictness > 0.0)) => 1.0,
            Some(_) => -1.0,
            None => 0.0,
        };
        ORDER * self.strictness.abs() * (side(before, true) + side(after, false))
    }
}

impl Files {
    /// One more function of a file has a name.
    pub(super) fn add(&mut self, source: &SourceNode, node: Node) {
        let Some(file) = source.file else {
            return;
        };
        let index = index(file, source.init);
        if self.files.len() <= index {
            self.files.resize_with(index + 1, InFile::default);
        }
        self.files[index].add(node.0, source.order);
    }

    /// One has no longer.
    pub(super) fn remove(&mut self, source: &SourceNode, node: Node) {
        if let Some(file) = source.file
            && let Some(all) = self.files.get_mut(index(file, source.init))
        {
            all.remove(node.0);
        }
    }

    /// First and last of the named functions of a file.
    pub(super) fn span(&self, file: Option<u32>, init: bool) -> Option<(u32, u32)> {
        let all = &self.in_file(file, init)?.by_place;
        Some((all.first()?.0, all.last()?.0))
    }

    fn in_file(&self, file: Option<u32>, init: bool) -> Option<&InFile> {
        self.files.get(index(file?, init))
    }

    /// How strictly a file is in the order of its source: 1 strictly, -1 turned
    /// round, 0 not at all or not known.
    pub(super) fn strictness(&self, file: Option<u32>, init: bool) -> f32 {
        self.in_file(file, init).map_or(0.0, |it| it.strictness)
    }
}

fn index(file: u32, init: bool) -> usize {
    2 * file as usize + usize::from(init)
}

/// A place in regard to a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    /// Functions to the nearest named one of the file; 0 among them.
    pub distance: u32,
    /// Functions from the first to the last named one.
    pub span: u32,
    /// No function of another file is known between it and one of the file.
    pub beside: bool,
    /// Bits for lying in the order of the source, or against.
    pub order: f32,
}

/// 1 when all are in the order of the source, -1 when all are turned round.
fn strictness(others: &[(u32, u32)]) -> f32 {
    if others.len() < 4 {
        return 0.0;
    }
    let pairs = others.windows(2);
    let rising = pairs.filter(|pair| pair[0].1 < pair[1].1).count() as f32;
    let strict = 2.0 * rising / (others.len() - 1) as f32 - 1.0;
    if strict.abs() < 0.25 { 0.0 } else { strict }
}

impl Matcher<'_> {
    /// Where the node lies in regard to the other named functions of the file.
    pub(super) fn place(&self, named: Named, node: Node) -> Option<Placed> {
        let source = self.source.node(named);
        let all = self.files.in_file(source.file, source.init)?;
        let own = self.node_of(named);
        let other = |it: &&(u32, u32)| Some(Node(it.0)) != own;
        let first = all.by_place.iter().find(other)?.0;
        let last = all.by_place.iter().rev().find(other)?.0;
        let span = last - first;
        let within = (first..last).contains(&node.0) && span < MAX_SPAN;
        let distance = match within {
            true => 0,
            false => all.distance(node.0, own)?,
        };
        Some(Placed {
            distance,
            span,
            beside: !within && distance < MAX_BESIDE && self.beside(named, node),
            order: all.order(source.order, node.0, own),
        })
    }

    /// Whether the nearest named function on one side is of the same file.
    fn beside(&self, named: Named, node: Node) -> bool {
        let source = self.source.node(named);
        let is_of_file = |it: Node| {
            let name = self.name_of(it).filter(|it| *it != named)?;
            let other = self.source.node(name);
            // What has no file says nothing.
            other.file.map(|file| Some(file) == source.file)
        };
        let below = (node.0.saturating_sub(MAX_BESIDE)..node.0).rev();
        let functions = self.binary.functions as u32;
        let above = node.0 + 1..(node.0 + MAX_BESIDE).min(functions);
        below.map(Node).find_map(is_of_file) == Some(true)
            || above.map(Node).find_map(is_of_file) == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(order: u32) -> SourceNode {
        SourceNode {
            file: Some(3),
            order,
            ..SourceNode::default()
        }
    }

    #[test]
    fn a_file_lies_between_its_first_and_its_last_function() {
        let mut files = Files::default();
        for (node, order) in [(20, 2), (10, 1), (40, 4)] {
            files.add(&source(order), Node(node));
        }
        assert_eq!(files.span(Some(3), false), Some((10, 40)));
        assert_eq!(files.span(Some(3), true), None);
        assert_eq!(files.span(None, false), None);
        files.remove(&source(4), Node(40));
        assert_eq!(files.span(Some(3), false), Some((10, 20)));
    }

    #[test]
    fn the_order_of_a_file_is_kept_or_turned_round() {
        assert_eq!(strictness(&[(1, 1), (2, 2), (3, 3), (4, 9)]), 1.0);
        assert_eq!(strictness(&[(1, 9), (2, 3), (3, 2), (4, 1)]), -1.0);
        // Three show nothing.
        assert_eq!(strictness(&[(1, 1), (2, 2), (3, 3)]), 0.0);
    }

    #[test]
    fn a_place_between_its_neighbours_speaks_for_it() {
        let mut file = InFile::default();
        for (place, order) in [(10, 1), (20, 2), (30, 3), (40, 5), (50, 6)] {
            file.add(place, order);
        }
        assert_eq!(file.order(4, 35, None), 2.0 * ORDER);
        assert_eq!(file.order(4, 45, None), 0.0);
        assert_eq!(file.order(0, 60, None), -ORDER);
        // Itself is no neighbour.
        assert_eq!(file.order(5, 45, Some(Node(40))), 2.0 * ORDER);
        file.remove(40);
        assert_eq!(file.order(5, 45, None), 2.0 * ORDER);
    }

    #[test]
    fn the_nearest_of_a_file_is_on_either_side() {
        let mut file = InFile::default();
        assert_eq!(file.distance(7, None), None);
        file.add(10, 1);
        file.add(20, 2);
        assert_eq!(file.distance(7, None), Some(3));
        assert_eq!(file.distance(16, None), Some(4));
        assert_eq!(file.distance(16, Some(Node(20))), Some(6));
        assert_eq!(file.distance(20, None), Some(0));
        assert_eq!(file.distance(20, Some(Node(20))), Some(10));
    }
}
