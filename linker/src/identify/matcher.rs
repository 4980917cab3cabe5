//! Names spread over the binary, from what is certain to what follows from it.
//!
//! Every function of the source is compared with the functions of the binary
//! that anything points to. A pair is accepted when it has enough evidence,
//! when it is far better than the next for both its sides, and then it is
//! evidence for its neighbours. What is accepted first are the surest pairs; the
//! demands fall step by step. At the end every pair is compared again with all
//! that has become known, and one that no longer stands is given up.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    StrategySet, arguments, cluster,
    graph::{Binary, Fact, Named, Node, Source, linked},
    lexical, locality, relation,
    shape::{self, Shapes},
    strategy::Strategy,
    structure,
    tally::Tally,
};
use crate::{code::Section, kernel::Kernel};

/// Candidates that are compared for one function.
const MAX_CANDIDATES: usize = 64;
/// The same where some are pointed to more sharply than the rest.
const FEW_CANDIDATES: usize = 12;
/// From this demand on it counts where a function lies.
const BY_PLACE: f32 = 13.0;
/// Demands, falling: bits in all, and bits above the next.
const STEPS: [(f32, f32); 5] = [
    (22.0, 10.0),
    (17.0, 8.0),
    (13.0, 6.0),
    (10.0, 5.0),
    (8.0, 4.0),
];
/// Bits that must come from the function's own facts.
const SOLID: f32 = 6.0;
/// The same where the place is known to the file.
const SOLID_IN_FILE: f32 = 3.5;
/// Functions that one file has at most.
const MAX_SPAN: u32 = 400;
/// Functions without a name between two of one file at most.
const MAX_BESIDE: u32 = 40;
/// Bits for the right side of one neighbour, in a file in strict order.
const ORDER: f32 = 1.5;
/// More bits, and a wider margin, for a name of which only callers are known.
const UNKNOWN: f32 = 3.0;
/// Rounds of one step, and of checks, whatever happens.
const MAX_ROUNDS: usize = 24;
const MAX_CHECKS: usize = 4;

/// Candidates with a weight each: how sharply something points to them.
#[derive(Debug, Default)]
pub(super) struct Votes {
    /// By [`Node`].
    weights: Vec<f32>,
    touched: Vec<Node>,
}

impl Votes {
    fn of(nodes: usize) -> Self {
        Self {
            weights: vec![0.0; nodes],
            touched: Vec::new(),
        }
    }

    /// All of these, one out of so many.
    pub(super) fn extend(&mut self, nodes: &[Node], of: usize) {
        let weight = 1.0 / (of.max(1) as f32).sqrt();
        for &node in nodes {
            if let Some(sum) = self.weights.get_mut(node.0 as usize) {
                if *sum == 0.0 {
                    self.touched.push(node);
                }
                *sum += weight;
            }
        }
    }

    /// The best of them; nothing is left.
    fn take(&mut self) -> Vec<Node> {
        let mut all: Vec<(Node, f32)> = self
            .touched
            .drain(..)
            .map(|node| (node, std::mem::take(&mut self.weights[node.0 as usize])))
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let best = all.first().map_or(0.0, |it| it.1);
        let near = all.iter().take_while(|it| it.1 >= best / 2.0).count();
        all.truncate(near.clamp(FEW_CANDIDATES, MAX_CANDIDATES));
        all.into_iter().map(|it| it.0).collect()
    }
}

/// A place in regard to a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct InFile {
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

/// Bits for a place between the neighbours that the source suggests.
///
/// Compilers keep the order of the source or turn it round, each more or less
/// strictly; which, and how strictly, the named functions show.
fn order(all: &[(u32, u32)], own: u32, node: u32, without: Option<Node>) -> f32 {
    let strict = strictness(all);
    if strict == 0.0 {
        return 0.0;
    }
    let others = || all.iter().filter(|it| Some(Node(it.0)) != without);
    let before = others().filter(|it| it.1 < own).max_by_key(|it| it.1);
    let after = others().filter(|it| it.1 > own).min_by_key(|it| it.1);
    let side = |neighbour: Option<&(u32, u32)>, above: bool| match neighbour {
        Some(it) if (node > it.0) == (above == (strict > 0.0)) => 1.0,
        Some(_) => -1.0,
        None => 0.0,
    };
    ORDER * strict.abs() * (side(before, true) + side(after, false))
}

/// What is known, and what follows.
pub(super) struct Matcher<'a> {
    pub kernel: &'a Kernel,
    pub shapes: Shapes,
    pub source: &'a Source,
    pub binary: &'a Binary<'a>,
    set: StrategySet,
    /// By [`Named`].
    nodes: Vec<Option<Node>>,
    /// By [`Node`].
    names: Vec<Option<Named>>,
    /// Names that were given, not found.
    fixed: Vec<bool>,
    /// Named functions by file and whether they are in the init section.
    by_file: BTreeMap<(u32, bool), Vec<(u32, u32)>>,
    /// The best candidates of each name at the last look.
    ranked: Vec<Vec<(Node, f32)>>,
    stale: Vec<bool>,
    /// Counts changes; and the count at the last look, by name.
    changes: u32,
    looked_at: Vec<u32>,
    /// Files that have got or lost a name since the last round.
    stale_files: Vec<bool>,
    /// Names whose neighbourhood has changed since the last check.
    unchecked: Vec<bool>,
    /// Pairs that were given up; they would only come back.
    refuted: HashSet<(Named, Node)>,
    pub has_init: bool,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(
        kernel: &'a Kernel,
        source: &'a Source,
        binary: &'a Binary<'a>,
        shapes: Shapes,
        set: StrategySet,
    ) -> Self {
        let count = source.names.len();
        Self {
            kernel,
            shapes,
            source,
            binary,
            set,
            nodes: vec![None; count],
            names: vec![None; binary.nodes.len()],
            fixed: vec![false; count],
            by_file: BTreeMap::new(),
            ranked: vec![Vec::new(); count],
            stale: vec![true; count],
            changes: 0,
            looked_at: vec![0; count],
            stale_files: vec![false; source.files.len()],
            unchecked: vec![true; count],
            refuted: HashSet::new(),
            has_init: binary
                .code
                .functions()
                .iter()
                .any(|function| function.section == Section::Init),
        }
    }

    /// A name that is known from elsewhere.
    pub(super) fn fix(&mut self, named: Named, node: Node) {
        if self.node_of(named).is_none() && self.name_of(node).is_none() {
            self.assign(named, node);
            self.fixed[named.0 as usize] = true;
        }
    }

    /// Whether the name was given, not found.
    pub(super) fn is_fixed(&self, named: Named) -> bool {
        self.fixed[named.0 as usize]
    }

    pub(super) fn node_of(&self, named: Named) -> Option<Node> {
        self.nodes[named.0 as usize]
    }

    pub(super) fn name_of(&self, node: Node) -> Option<Named> {
        self.names[node.0 as usize]
    }

    /// Whether the function that a fact is inherited from is one of its own, so
    /// that the fact shows there.
    pub(super) fn elsewhere(&self, via: Option<Named>) -> bool {
        via.is_some_and(|via| self.node_of(via).is_some())
    }

    /// Bits that speak for one out of `users` functions.
    pub(super) fn rarity(&self, users: usize) -> f32 {
        (self.binary.functions.max(1) as f32 / users.max(1) as f32)
            .log2()
            .max(0.0)
    }

    pub(super) fn rarity_of_constant(&self, value: u32) -> f32 {
        let users = self.binary.constant_users.get(&value);
        self.rarity(users.map_or(1, Vec::len))
    }

    /// First and last of the named functions of a file.
    pub(super) fn span(&self, file: Option<u32>, init: bool) -> Option<(u32, u32)> {
        let all = self.by_file.get(&(file?, init))?;
        Some((all.first()?.0, all.last()?.0))
    }

    /// The named functions of a file, by place, each with its order in the source.
    fn in_file(&self, file: Option<u32>, init: bool) -> &[(u32, u32)] {
        let all = file.and_then(|file| self.by_file.get(&(file, init)));
        all.map(Vec::as_slice).unwrap_or_default()
    }

    /// How strictly a file is in the order of its source: 1 strictly, -1 turned
    /// round, 0 not at all or not known.
    pub(super) fn strictness(&self, file: Option<u32>, init: bool) -> f32 {
        strictness(self.in_file(file, init))
    }

    /// Where the node lies in regard to the other named functions of the file.
    pub(super) fn place(&self, named: Named, node: Node) -> Option<InFile> {
        let source = self.source.node(named);
        let all = self.in_file(source.file, source.init);
        let own = self.node_of(named);
        let other = |it: &&(u32, u32)| Some(Node(it.0)) != own;
        let first = all.iter().find(other)?.0;
        let last = all.iter().rev().find(other)?.0;
        let span = last - first;
        let within = (first..last).contains(&node.0) && span < MAX_SPAN;
        let nearest = || {
            all.iter()
                .filter(other)
                .map(|it| it.0.abs_diff(node.0))
                .min()
        };
        let distance = if within { 0 } else { nearest()? };
        Some(InFile {
            distance,
            span,
            beside: !within && distance < MAX_BESIDE && self.beside(named, node),
            order: order(all, source.order, node.0, own),
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

    fn assign(&mut self, named: Named, node: Node) {
        self.nodes[named.0 as usize] = Some(node);
        self.names[node.0 as usize] = Some(named);
        let source = self.source.node(named);
        if let (Some(file), true) = (source.file, self.binary.is_function(node)) {
            let all = self.by_file.entry((file, source.init)).or_default();
            if let Err(at) = all.binary_search_by_key(&node.0, |it| it.0) {
                all.insert(at, (node.0, source.order));
            }
        }
        self.touch(named);
    }

    fn give_up(&mut self, named: Named) {
        let Some(node) = self.nodes[named.0 as usize].take() else {
            return;
        };
        self.names[node.0 as usize] = None;
        let source = self.source.node(named);
        if let Some(file) = source.file
            && let Some(all) = self.by_file.get_mut(&(file, source.init))
        {
            all.retain(|it| it.0 != node.0);
        }
        self.touch(named);
    }

    /// What is near this name has to be looked at again.
    fn touch(&mut self, named: Named) {
        self.changes += 1;
        let source = self.source;
        let node = source.node(named);
        if let Some(file) = node.file {
            self.stale_files[file as usize] = true;
        }
        self.stale[named.0 as usize] = true;
        self.unchecked[named.0 as usize] = true;
        for links in [&node.calls, &node.callers, &node.refers, &node.referrers] {
            for link in links {
                self.stale[link.to.0 as usize] = true;
                self.unchecked[link.to.0 as usize] = true;
            }
        }
    }

    /// All that speaks for and against the pair.
    pub(super) fn score(&self, named: Named, node: Node, mut tally: Tally) -> Tally {
        if self.set.has(Strategy::Lexical) {
            lexical::score(self, named, node, &mut tally);
        }
        if self.set.has(Strategy::Relation) {
            relation::score(self, named, node, &mut tally);
        }
        if self.set.has(Strategy::Structure) {
            structure::score(self, named, node, &mut tally);
        }
        if self.set.has(Strategy::Shape) {
            shape::score(self, named, node, &mut tally);
        }
        if self.set.has(Strategy::Arguments) {
            arguments::score(self, named, node, &mut tally);
        }
        if self.set.has(Strategy::Locality) {
            locality::score(self, named, node, &mut tally);
        }
        tally
    }

    /// The candidates of a name, the best first.
    pub(super) fn rank(&self, named: Named) -> Vec<(Node, f32)> {
        self.rank_with(named, &mut Votes::of(self.binary.nodes.len()))
    }

    fn rank_with(&self, named: Named, votes: &mut Votes) -> Vec<(Node, f32)> {
        if self.set.has(Strategy::Lexical) {
            lexical::candidates(self, named, votes);
        }
        if self.set.has(Strategy::Relation) {
            relation::candidates(self, named, votes);
        }
        if self.set.has(Strategy::Structure) {
            structure::candidates(self, named, votes);
        }
        if self.set.has(Strategy::Shape) {
            shape::candidates(self, named, votes);
        }
        if self.set.has(Strategy::Arguments) {
            arguments::candidates(self, named, votes);
        }
        if self.set.has(Strategy::Locality) {
            locality::candidates(self, named, votes);
        }
        let source = self.source.node(named);
        let mut ranked: Vec<(Node, f32)> = votes
            .take()
            .into_iter()
            .filter(|&node| self.binary.is_function(node) || !source.known)
            .filter(|&node| !(source.data && self.binary.is_function(node)))
            .filter(|&node| {
                let owner = self.name_of(node);
                owner == Some(named) || owner.is_none() && !self.refuted.contains(&(named, node))
            })
            .filter_map(|node| {
                let tally = self.score(named, node, Tally::default());
                (tally.own() > 0.0).then_some((node, tally.total()))
            })
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.truncate(6);
        ranked
    }

    /// Spreads names to the fixpoint.
    pub(super) fn run(&mut self) {
        for _ in 0..MAX_CHECKS {
            for step in STEPS {
                for _ in 0..MAX_ROUNDS {
                    if !self.round(step) && !self.together(step) {
                        break;
                    }
                }
            }
            if !self.check() {
                break;
            }
        }
    }

    /// Accepts what meets the demands; false when nothing does.
    fn round(&mut self, (need, margin): (f32, f32)) -> bool {
        let mut votes = Votes::of(self.binary.nodes.len());
        for named in self.source.ids() {
            let index = named.0 as usize;
            let file = self.source.node(named).file;
            let moved =
                need <= BY_PLACE && file.is_some_and(|file| self.stale_files[file as usize]);
            if self.nodes[index].is_none() && (self.stale[index] || moved) {
                self.ranked[index] = self.rank_with(named, &mut votes);
                self.stale[index] = false;
                self.looked_at[index] = self.changes;
            }
        }
        if need <= BY_PLACE {
            self.stale_files.fill(false);
        }
        // The names of each node.
        let mut best: HashMap<Node, Vec<(Named, f32)>> = HashMap::new();
        for named in self.source.ids() {
            if self.node_of(named).is_some() {
                continue;
            }
            for &(node, bits) in &self.ranked[named.0 as usize] {
                best.entry(node).or_default().push((named, bits));
            }
        }
        let mut accepted: Vec<(Named, Node, f32)> = Vec::new();
        let mut outdated: Vec<Named> = Vec::new();
        for named in self.source.ids() {
            if self.node_of(named).is_some() {
                continue;
            }
            let ranked = &self.ranked[named.0 as usize];
            let Some(&(node, bits)) = ranked.first() else {
                continue;
            };
            let next = ranked.get(1).map_or(0.0, |it| it.1);
            let (more, wider) = match self.source.node(named) {
                source if source.known => (0.0, 0.0),
                source if source.data => (UNKNOWN / 2.0, 0.0),
                _ => (UNKNOWN, UNKNOWN),
            };
            if self.name_of(node).is_some()
                || bits < need + more
                || bits - next < margin + wider
                || !self.stands_alone(named, node)
            {
                continue;
            }
            let rivals = best.get(&node).map(Vec::as_slice).unwrap_or_default();
            let beaten = rivals
                .iter()
                .filter(|it| it.0 != named)
                .all(|&(rival, theirs)| {
                    if self.may_contain(named, rival) {
                        // It explains a part of this one, unless it is there itself.
                        theirs <= bits || !self.stands_alone(rival, node)
                    } else if self.may_contain(rival, named) {
                        let own = self.score(rival, node, Tally::default()).own();
                        bits - own >= margin
                    } else {
                        bits - theirs >= margin + wider
                    }
                });
            if beaten {
                accepted.push((named, node, bits));
            } else {
                let old = |it: &&(Named, f32)| self.looked_at[it.0.0 as usize] < self.changes;
                outdated.extend(rivals.iter().filter(old).map(|it| it.0));
            }
        }
        for &(named, node, _) in &accepted {
            self.assign(named, node);
        }
        for rival in &outdated {
            self.stale[rival.0 as usize] = true;
        }
        !accepted.is_empty() || !outdated.is_empty()
    }

    /// Accepts names that are certain only together with others.
    fn together(&mut self, (need, margin): (f32, f32)) -> bool {
        let ranked: Vec<(Named, Vec<(Node, f32)>)> = self
            .source
            .ids()
            .filter(|it| self.node_of(*it).is_none() && self.source.node(*it).known)
            .filter_map(|named| {
                let ranked = &self.ranked[named.0 as usize];
                let first = ranked.first().filter(|it| it.1 >= need)?;
                let open = |it: &&(Node, f32)| self.name_of(it.0).is_none();
                let stands = self.stands_alone(named, first.0);
                stands.then(|| (named, ranked.iter().filter(open).copied().collect()))
            })
            .collect();
        let pairs = cluster::resolve(self, &ranked, margin);
        for &(named, node) in &pairs {
            self.assign(named, node);
        }
        !pairs.is_empty()
    }

    /// Whether the compiler may have put `inner` into `outer` and left nothing
    /// of it.
    fn may_contain(&self, outer: Named, inner: Named) -> bool {
        let within = self.source.node(inner);
        let same_file = within.file == self.source.node(outer).file;
        !within.global && same_file && linked(&self.source.node(outer).calls, inner).is_some()
    }

    /// Whether the function is one of its own in the binary: a static function
    /// may have been put into its callers, whose facts then look like its own.
    fn stands_alone(&self, named: Named, node: Node) -> bool {
        let source = self.source.node(named);
        let tally = self.score(named, node, Tally::default());
        let place = self.place(named, node);
        let in_file = place.is_some_and(|it| it.distance == 0 || it.beside);
        if tally.own() < if in_file { SOLID_IN_FILE } else { SOLID } {
            return false;
        }
        if source.global || !source.known {
            return true;
        }
        let by_name = |it: &Node| self.name_of(*it);
        let binary = self.binary.node(node);
        let called = binary
            .callers
            .iter()
            .filter_map(by_name)
            .any(|by| linked(&source.callers, by).is_some());
        let referred = binary
            .referrers
            .iter()
            .filter_map(by_name)
            .any(|by| linked(&source.referrers, by).is_some());
        // What was put into several functions would show in all of them, and
        // there is one only.
        let callers = source
            .callers
            .iter()
            .filter(|it| it.fact != Fact::Inherited && !self.source.node(it.to).conditional);
        let nothing_calls_it = source.callers.is_empty() && source.referrers.is_empty();
        let pointed = nothing_calls_it
            && binary.callers.is_empty()
            && !self.binary.code.pointers_to(binary.address).is_empty();
        called || referred || pointed || callers.count() >= 2
    }

    /// Looks at every pair again; gives up those that no longer stand.
    fn check(&mut self) -> bool {
        let mut given_up = Vec::new();
        let mut votes = Votes::of(self.binary.nodes.len());
        for named in self.source.ids() {
            let unchecked = std::mem::take(&mut self.unchecked[named.0 as usize]);
            let Some(node) = self.node_of(named) else {
                continue;
            };
            if self.fixed[named.0 as usize] || !unchecked {
                continue;
            }
            let ranked = self.rank_with(named, &mut votes);
            let own = ranked.iter().find(|it| it.0 == node).map_or(0.0, |it| it.1);
            let other = ranked
                .iter()
                .filter(|it| it.0 != node)
                .map(|it| it.1)
                .fold(0.0, f32::max);
            let (need, margin) = STEPS[STEPS.len() - 1];
            if own < need || own - other < margin || !self.stands_alone(named, node) {
                given_up.push((named, node));
            }
        }
        for &(named, node) in &given_up {
            self.give_up(named);
            self.refuted.insert((named, node));
        }
        !given_up.is_empty()
    }
}
