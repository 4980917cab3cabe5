//! Names spread over the binary, from what is certain to what follows from it.
//!
//! Every function of the source is compared with the functions of the binary
//! that anything points to. A pair is accepted when it has enough evidence,
//! when it is far better than the next for both its sides, and then it is
//! evidence for its neighbours. What is accepted first are the surest pairs; the
//! demands fall step by step. At the end every pair is compared again with all
//! that has become known, and one that no longer stands is given up.

mod check;

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
    votes::Votes,
};
use crate::{code::Section, kernel::Kernel};

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
/// More bits, and a wider margin, for a name of which only callers are known.
const UNKNOWN: f32 = 3.0;
/// Fewer names are not worth another thread.
const TOGETHER: usize = 32;
/// Rounds of one step, and of checks, whatever happens.
const MAX_ROUNDS: usize = 24;
const MAX_CHECKS: usize = 4;

/// A name with its best place.
struct Winner {
    named: Named,
    node: Node,
    bits: f32,
    /// What its margin has to be wider.
    wider: f32,
}

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
    /// By [`Named`].
    nodes: Vec<Option<Node>>,
    /// By [`Node`].
    names: Vec<Option<Named>>,
    /// Names that were given, not found.
    fixed: Vec<bool>,
    /// Where the files lie, as far as their functions have names.
    pub files: Files,
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
    /// Places that were given up, by [`Named`]; they would only come back.
    refuted: Vec<Vec<Node>>,
    /// Names that have a place and are not believed.
    pub doubts: Doubts,
    /// Files of which the kernel has nothing.
    absent: Vec<bool>,
    pub has_init: bool,
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
            nodes: vec![None; count],
            names: vec![None; binary.nodes.len()],
            fixed: vec![false; count],
            files: Files::default(),
            ranked: vec![Vec::new(); count],
            stale: vec![true; count],
            changes: 0,
            looked_at: vec![0; count],
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
        self.nodes[named.0 as usize] = Some(node);
        self.names[node.0 as usize] = Some(named);
        let source = self.source.node(named);
        if self.binary.is_function(node) {
            self.files.add(source, node);
        }
        self.touch(named);
        self.recheck(node);
    }

    fn give_up(&mut self, named: Named) {
        let Some(node) = self.nodes[named.0 as usize].take() else {
            return;
        };
        self.names[node.0 as usize] = None;
        self.files.remove(self.source.node(named), node);
        self.touch(named);
        // Another of the file may have taken its place.
        let file = self.source.node(named).file;
        for other in self.source.ids().filter(|_| file.is_some()) {
            if self.source.node(other).file == file {
                self.unchecked[other.0 as usize] = true;
            }
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
            self.nodes[named.0 as usize] = Some(node);
            self.names[node.0 as usize] = Some(named);
            if self.binary.is_function(node) {
                self.files.add(self.source.node(named), node);
            }
        }
    }

    /// Takes their places from names for a while.
    pub(super) fn hide(&mut self, pairs: &[(Named, Node)]) {
        for &(named, node) in pairs {
            self.nodes[named.0 as usize] = None;
            self.names[node.0 as usize] = None;
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
            for named in near.iter().filter_map(|it| self.names[it.0 as usize]) {
                self.unchecked[named.0 as usize] = true;
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
            assembly::score(self, named, node, &mut tally);
        }
        if self.set.has(Strategy::Shape) {
            shape::score(self, named, node, &mut tally);
        }
        if self.set.has(Strategy::Arguments) {
            arguments::score(self, named, node, &mut tally);
            sights::score(self, named, node, &mut tally);
        }
        if self.set.has(Strategy::Locality) {
            locality::score(self, named, node, &mut tally);
        }
        tally
    }

    /// The candidates of a name, the best first.
    pub(super) fn rank(&self, named: Named) -> Vec<(Node, f32)> {
        self.rank_open(named, &mut Votes::of(self.binary.nodes.len()))
    }

    fn rank_open(&self, named: Named, votes: &mut Votes) -> Vec<(Node, f32)> {
        self.rank_with(named, votes, |node| {
            !self.refuted[named.0 as usize].contains(&node)
        })
    }

    /// The same with those that were given up.
    pub(super) fn rank_anew(&self, named: Named, votes: &mut Votes) -> Vec<(Node, f32)> {
        self.rank_with(named, votes, |_| true)
    }

    fn rank_with(
        &self,
        named: Named,
        votes: &mut Votes,
        open: impl Fn(Node) -> bool,
    ) -> Vec<(Node, f32)> {
        let file = self.source.node(named).file;
        if file.is_some_and(|file| self.absent[file as usize]) {
            return Vec::new();
        }
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
            arguments::candidates(self, named, votes);
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

    /// Accepts what meets the demands; false when nothing does.
    fn round(&mut self, (need, margin): (f32, f32)) -> bool {
        let due: Vec<Named> = self
            .source
            .ids()
            .filter(|&named| {
                let index = named.0 as usize;
                let file = self.source.node(named).file;
                let moved =
                    need <= BY_PLACE && file.is_some_and(|file| self.stale_files[file as usize]);
                self.nodes[index].is_none() && (self.stale[index] || moved)
            })
            .collect();
        let ranked = self.ask_each(&due, |&named, votes| self.rank_open(named, votes));
        for (named, ranked) in due.iter().zip(ranked) {
            let index = named.0 as usize;
            self.ranked[index] = ranked;
            self.stale[index] = false;
            self.looked_at[index] = self.changes;
        }
        if need <= BY_PLACE {
            self.stale_files.fill(false);
        }
        let open: Vec<Named> = self
            .source
            .ids()
            .filter(|it| !self.ranked[it.0 as usize].is_empty())
            .collect();
        let winners: Vec<Winner> = open
            .par_iter()
            .with_min_len(TOGETHER)
            .filter_map(|&named| self.winner(named, (need, margin)))
            .collect();
        let rivals = self.rivals(&winners);
        let mut accepted: Vec<(Named, Node)> = Vec::new();
        let mut outdated: Vec<Named> = Vec::new();
        for (winner, rivals) in winners.iter().zip(&rivals) {
            if self.beats(winner, rivals, margin) {
                accepted.push((winner.named, winner.node));
            } else {
                let old = |it: &&(Named, f32)| self.looked_at[it.0.0 as usize] < self.changes;
                outdated.extend(rivals.iter().filter(old).map(|it| it.0));
            }
        }
        for &(named, node) in &accepted {
            self.assign(named, node);
        }
        for rival in &outdated {
            self.stale[rival.0 as usize] = true;
        }
        !accepted.is_empty() || !outdated.is_empty()
    }

    /// The best place of a name, if it meets the demands.
    fn winner(&self, named: Named, (need, margin): (f32, f32)) -> Option<Winner> {
        if self.node_of(named).is_some() {
            return None;
        }
        let ranked = &self.ranked[named.0 as usize];
        let &(node, bits) = ranked.first()?;
        let next = ranked.get(1).map_or(0.0, |it| it.1);
        let (more, wider) = match self.source.node(named) {
            source if source.known => (0.0, 0.0),
            source if source.data => (UNKNOWN / 2.0, 0.0),
            _ => (UNKNOWN, UNKNOWN),
        };
        let meets = self.name_of(node).is_none()
            && bits >= need + more
            && bits - next >= margin + wider
            && self.stands_alone(named, node);
        meets.then_some(Winner {
            named,
            node,
            bits,
            wider,
        })
    }

    /// For each of these winners all names that have its place among their
    /// candidates, each with its bits.
    fn rivals(&self, winners: &[Winner]) -> Vec<Vec<(Named, f32)>> {
        let mut rivals = vec![Vec::new(); winners.len()];
        // By node, the last winner that has it, from 1; and the one before that.
        let mut last = vec![0; self.binary.nodes.len()];
        let mut before = Vec::with_capacity(winners.len());
        for (winner, index) in winners.iter().zip(1..) {
            before.push(std::mem::replace(&mut last[winner.node.0 as usize], index));
        }
        for named in self.source.ids().filter(|it| self.node_of(*it).is_none()) {
            for &(node, bits) in &self.ranked[named.0 as usize] {
                let mut winner = last[node.0 as usize];
                while winner != 0 {
                    rivals[winner - 1].push((named, bits));
                    winner = before[winner - 1];
                }
            }
        }
        rivals
    }

    /// Whether no other name has a claim to the place.
    fn beats(&self, winner: &Winner, rivals: &[(Named, f32)], margin: f32) -> bool {
        let &Winner {
            named,
            node,
            bits,
            wider,
        } = winner;
        let mut others = rivals.iter().filter(|it| it.0 != named);
        others.all(|&(rival, theirs)| {
            if self.may_contain(named, rival) {
                // It explains a part of this one, unless it is there itself.
                theirs <= bits || !self.stands_alone(rival, node)
            } else if self.may_contain(rival, named) {
                let own = self.score(rival, node, Tally::default()).own();
                bits - own >= margin
            } else {
                bits - theirs >= margin + wider
            }
        })
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

    /// The same question about each of many, on all processors; the answers in order.
    pub(super) fn ask_each<T: Sync, A: Send>(
        &self,
        all: &[T],
        answer: impl Fn(&T, &mut Votes) -> A + Sync,
    ) -> Vec<A> {
        all.par_iter()
            .with_min_len(TOGETHER)
            .map_init(
                || Votes::of(self.binary.nodes.len()),
                |votes, one| answer(one, votes),
            )
            .collect()
    }
}
