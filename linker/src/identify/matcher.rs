//! Names spread over the binary, from what is certain to what follows from it.
//!
//! Every function of the source is compared with the functions of the binary
//! that anything points to. A pair is accepted when it has enough evidence,
//! when it is far better than the next for both its sides, and then it is
//! evidence for its neighbours. What is accepted first are the surest pairs; the
//! demands fall step by step. At the end every pair is compared again with all
//! that has become known, and one that no longer stands is given up.

mod about;
mod check;
mod ranked;
mod round;

use rayon::prelude::*;

use super::{
    StrategySet, arguments,
    assembly::{self, Assembly},
    cluster,
    doubt::Doubts,
    graph::{Binary, Named, Node, Source},
    lexical, locality,
    place::Files,
    presence, relation,
    shape::{self, Shapes},
    sights::{self, Sights},
    strategy::Strategy,
    structure,
    tally::Tally,
    votes::{Pool, Votes},
};
use crate::{code::Section, kernel::Kernel};

use about::About;
use ranked::Ranked;
use round::Refusal;

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
/// Fewer names are not worth another thread.
const TOGETHER: usize = 32;
/// No name, and no place.
const NONE: u32 = u32::MAX;
/// Rounds of one step, and of checks, whatever happens.
const MAX_ROUNDS: usize = 24;
const MAX_CHECKS: usize = 4;

/// What the whole binary shows before any name is known.
pub(super) struct Known {
    pub shapes: Shapes,
    pub sights: Sights,
    pub assembly: Assembly,
}

/// What is known, and what follows.
pub(super) struct Matcher<'a> {
    pub kernel: &'a Kernel,
    pub shapes: Shapes,
    pub sights: Sights,
    pub assembly: Assembly,
    pub source: &'a Source,
    pub binary: &'a Binary<'a>,
    set: StrategySet,
    /// By [`Named`]; [`NONE`] for a name without a place.
    nodes: Vec<u32>,
    /// By [`Node`]; [`NONE`] for a place without a name. Most of what is asked is
    /// which name a place has, all over the kernel: what is small stays in the cache.
    names: Vec<u32>,
    /// Names that were given, not found.
    fixed: Vec<bool>,
    /// Where the files lie, as far as their functions have names.
    pub files: Files,
    /// The best candidates of each name at the last look.
    ranked: Vec<Ranked>,
    stale: Vec<bool>,
    /// Counts changes; and the count at the last look, by name.
    changes: u32,
    looked_at: Vec<u32>,
    /// By name, when its best place was refused in this step.
    refused: Vec<Option<Refusal>>,
    /// By node, the winner of a round that has it, from 1; 0 between rounds.
    last_winner: Vec<u32>,
    /// Files that have got or lost a name since the last round.
    stale_files: Vec<bool>,
    /// Names whose neighbourhood has changed since the last check.
    unchecked: Vec<bool>,
    /// Places that were given up, by [`Named`]; they would only come back.
    refuted: Vec<Vec<Node>>,
    /// Names that have a place and are not believed.
    pub doubts: Doubts,
    /// Files of which the kernel has nothing.
    absent: Vec<bool>,
    pub has_init: bool,
    /// Votes that nobody uses at the moment.
    votes: Pool,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(
        kernel: &'a Kernel,
        source: &'a Source,
        binary: &'a Binary<'a>,
        known: Known,
        set: StrategySet,
    ) -> Self {
        let Known {
            shapes,
            sights,
            assembly,
        } = known;
        let count = source.names.len();
        Self {
            kernel,
            shapes,
            sights,
            assembly,
            source,
            binary,
            set,
            nodes: vec![NONE; count],
            names: vec![NONE; binary.nodes.len()],
            fixed: vec![false; count],
            files: Files::default(),
            ranked: vec![Ranked::default(); count],
            stale: vec![true; count],
            changes: 0,
            looked_at: vec![0; count],
            refused: vec![None; count],
            last_winner: vec![0; binary.nodes.len()],
            stale_files: vec![false; source.files.len()],
            unchecked: vec![true; count],
            refuted: vec![Vec::new(); count],
            doubts: Doubts::new(),
            absent: presence::absent(source, binary),
            has_init: binary
                .code
                .functions()
                .iter()
                .any(|function| function.section == Section::Init),
            votes: Pool::default(),
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
        let node = self.nodes[named.0 as usize];
        (node != NONE).then_some(Node(node))
    }

    pub(super) fn name_of(&self, node: Node) -> Option<Named> {
        let named = self.names[node.0 as usize];
        (named != NONE).then_some(Named(named))
    }

    /// Whether the function that a fact is inherited from is one of its own, so
    /// that the fact shows there: a global one is, and its code may stand in a place
    /// that does not call it as well.
    pub(super) fn elsewhere(&self, via: Option<Named>, node: Node) -> bool {
        via.is_some_and(|via| {
            let calls = |to: Node| self.binary.node(node).calls.binary_search(&to).is_ok();
            self.node_of(via)
                .is_some_and(|to| !self.source.node(via).global || calls(to))
        })
    }

    /// Bits that speak for one out of `users` functions.
    pub(super) fn rarity(&self, users: usize) -> f32 {
        self.binary.rarity(users)
    }

    pub(super) fn rarity_of_constant(&self, value: u32) -> f32 {
        let users = self.binary.constant_users.get(&value);
        self.rarity(users.map_or(1, Vec::len))
    }

    fn assign(&mut self, named: Named, node: Node) {
        self.nodes[named.0 as usize] = node.0;
        self.names[node.0 as usize] = named.0;
        let source = self.source.node(named);
        if self.binary.is_function(node) {
            self.files.add(source, node);
        }
        self.touch(named);
        self.recheck(node);
    }

    fn give_up(&mut self, named: Named) {
        let Some(node) = self.node_of(named) else {
            return;
        };
        self.nodes[named.0 as usize] = NONE;
        self.names[node.0 as usize] = NONE;
        self.files.remove(self.source.node(named), node);
        self.touch(named);
        // Another of the file may have taken its place.
        for other in self.source.in_file(self.source.file_of(named)) {
            self.unchecked[other.0 as usize] = true;
        }
    }

    /// Gives names other places.
    pub(super) fn place_at(&mut self, pairs: &[(Named, Node)]) {
        for &(named, _) in pairs {
            if let Some(old) = self.node_of(named) {
                self.files.remove(self.source.node(named), old);
            }
        }
        for &(named, node) in pairs {
            self.nodes[named.0 as usize] = node.0;
            self.names[node.0 as usize] = named.0;
            if self.binary.is_function(node) {
                self.files.add(self.source.node(named), node);
            }
        }
    }

    /// Takes their places from names for a while.
    pub(super) fn hide(&mut self, pairs: &[(Named, Node)]) {
        for &(named, node) in pairs {
            self.nodes[named.0 as usize] = NONE;
            self.names[node.0 as usize] = NONE;
            self.files.remove(self.source.node(named), node);
        }
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

    /// What is near this place in the binary alone has to be checked again: a
    /// neighbour with a name that the source does not have there is against one of
    /// the two.
    fn recheck(&mut self, node: Node) {
        let binary = self.binary.node(node);
        for near in [
            &binary.calls,
            &binary.callers,
            &binary.refers,
            &binary.referrers,
        ] {
            for &near in near {
                if let Some(named) = self.name_of(near) {
                    self.unchecked[named.0 as usize] = true;
                }
            }
        }
    }

    /// All that speaks for and against the pair.
    pub(super) fn score(&self, named: Named, node: Node, tally: Tally) -> Tally {
        self.score_by(&About::of(self, named), node, tally)
    }

    /// The same, with what is known about the name whatever the place.
    fn score_by(&self, about: &About, node: Node, tally: Tally) -> Tally {
        let Some((_, other)) = about.handed_on.filter(|it| it.0 == node) else {
            return self.score_with(about, node, node, tally);
        };
        let own = self.score_with(about, node, node, tally.clone());
        let handed_on = self.score_with(about, node, other, tally);
        match own.total() < handed_on.total() {
            true => handed_on,
            false => own,
        }
    }

    /// The same, with the code of another place, to which this one hands on.
    fn score_with(&self, about: &About, node: Node, code: Node, mut tally: Tally) -> Tally {
        let named = about.named;
        if self.set.has(Strategy::Lexical) {
            lexical::score(self, named, code, &mut tally);
        }
        if self.set.has(Strategy::Relation) {
            relation::score(self, &about.neighbours, code, &mut tally);
        }
        if self.set.has(Strategy::Structure) {
            structure::score(self, named, code, &mut tally);
            assembly::score(self, named, code, &mut tally);
        }
        if self.set.has(Strategy::Shape) {
            shape::score(self, named, node, &mut tally);
        }
        if self.set.has(Strategy::Arguments) {
            arguments::score(self, &about.passed, node, &mut tally);
            sights::score(self, named, node, &mut tally);
        }
        if self.set.has(Strategy::Locality) {
            locality::score(self, named, node, &mut tally);
        }
        tally
    }

    /// The candidates of a name, the best first.
    pub(super) fn rank(&self, named: Named) -> Ranked {
        self.rank_open(named, &mut self.votes.take(self.binary.nodes.len()))
    }

    fn rank_open(&self, named: Named, votes: &mut Votes) -> Ranked {
        self.rank_with(named, votes, |node| {
            !self.refuted[named.0 as usize].contains(&node)
        })
    }

    /// The candidates of a name that has a place, with those that were given up: as the
    /// last check found them, if nothing near has changed since.
    pub(super) fn rank_placed(&self, named: Named, votes: &mut Votes) -> Ranked {
        let index = named.0 as usize;
        match self.unchecked[index] || !self.refuted[index].is_empty() {
            true => self.rank_with(named, votes, |_| true),
            false => self.ranked[index].clone(),
        }
    }

    fn rank_with(&self, named: Named, votes: &mut Votes, open: impl Fn(Node) -> bool) -> Ranked {
        let file = self.source.file_of(named);
        if file.is_some_and(|file| self.absent[file as usize]) {
            return Ranked::default();
        }
        let about = About::of(self, named);
        if self.set.has(Strategy::Lexical) {
            lexical::candidates(self, named, votes);
        }
        if self.set.has(Strategy::Relation) {
            relation::candidates(self, named, votes);
        }
        if self.set.has(Strategy::Structure) {
            structure::candidates(self, named, votes);
            assembly::candidates(self, named, votes);
        }
        if self.set.has(Strategy::Shape) {
            shape::candidates(self, named, votes);
        }
        if self.set.has(Strategy::Arguments) {
            arguments::candidates(&about.passed, votes);
            sights::candidates(self, named, votes);
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
                owner == Some(named) || owner.is_none() && open(node)
            })
            .filter_map(|node| {
                let tally = self.score_by(&about, node, Tally::default());
                (tally.own() > 0.0).then_some((node, tally.total()))
            })
            .collect();
        ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Ranked::of(&ranked)
    }

    /// Spreads names to the fixpoint.
    pub(super) fn run(&mut self) {
        self.spread();
        // What was given up for want of what is known now.
        if self.reopen() {
            self.spread();
        }
        self.doubts = self.doubts();
    }

    fn spread(&mut self) {
        for _ in 0..MAX_CHECKS {
            for step in STEPS {
                self.refused.fill(None);
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

    /// Gives places that were given up another chance; false when there are none.
    fn reopen(&mut self) -> bool {
        let mut any = false;
        for named in self.source.ids() {
            let refuted = std::mem::take(&mut self.refuted[named.0 as usize]);
            if !refuted.is_empty() {
                self.stale[named.0 as usize] = true;
                any = true;
            }
        }
        any
    }

    /// The same question about each of many, on all processors; the answers in order.
    pub(super) fn ask_each<T: Sync, A: Send>(
        &self,
        all: &[T],
        answer: impl Fn(&T, &mut Votes) -> A + Sync,
    ) -> Vec<A> {
        all.par_iter()
            .with_min_len(TOGETHER)
            .map_init(
                || self.votes.take(self.binary.nodes.len()),
                |votes, one| answer(one, votes),
            )
            .collect()
    }
}
