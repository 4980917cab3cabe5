//! Answers that have won and still are not believed.
//!
//! The matcher takes the best of what there is, for a wrong name that is given
//! up later costs nothing. What is handed on as certain must be more: a place
//! against which little speaks, of about the size of the function, with no other
//! place that would do nearly as well, nor another function whose name could be
//! exchanged with its own.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::{
    graph::{Fact, Link, Named, Node, Place, SourceNode, linked},
    matcher::Matcher,
    tally::Tally,
    votes::Votes,
};
use crate::code::{CallKind, Function, Section};

/// Bits below which nothing is believed.
const LEAST: f32 = 12.0;
/// What speaks against an answer, as a share of what speaks for it, that is too
/// much for any, and too much for one of few bits.
const AGAINST: f32 = 0.25;
const AGAINST_FEW: f32 = 0.2;
/// The same for a variable, of which only its users are known, and below how many
/// bits.
const AGAINST_DATA: f32 = 0.1;
const FEW_FOR_DATA: f32 = 40.0;
const AGAINST_MANY_FOR_DATA: f32 = 0.2;
/// Bits by which a variable against which something speaks must be better than another:
/// compilers reach the variables of a file from one address among them, which then has
/// the users of all.
const ALIKE_DATA: f32 = 10.0;
/// Few bits, in regard to what speaks against them, and to the size.
const FEW: f32 = 24.0;
const FEW_FOR_SIZE: f32 = 24.0;
/// So many times fewer blocks than the source has make a part of a function, if
/// its own file calls it; and fewer than so many of a long function speak against few
/// bits.
const FRAGMENT: u32 = 8;
const SMALL: u32 = 3;
const LONG: u32 = 12;
/// Bits by which an answer must be better than any other way to give the names,
/// and by which one of few bits must be against which so large a share speaks.
const ALIKE: f32 = 4.0;
const ALIKE_FEW: f32 = 9.0;
const AGAINST_ALIKE: f32 = 0.12;
/// One fact and a place are too little for a function with so many more callers
/// than are known, none of its own file, below so many bits: functions of one
/// family have the same few callees, and callers of a macro may call any of them.
const STRANGERS: usize = 5;
const STRANGERS_EACH: usize = 3;
const FEW_FOR_STRANGERS: f32 = 17.0;
/// What speaks for a function through those that may have been put into it may as well
/// be another that they were put into: so much more than its own bits is too much,
/// where those are few.
const BORROWED: f32 = 3.0;
const FEW_OF_ITS_OWN: f32 = 6.0;
/// Names are only exchanged where the places alone do not already tell that the
/// one is better by so many bits.
const WORTH_EXCHANGING: f32 = 16.0;

/// A name and its place.
type Pair = (Named, Node);

/// By name: other places where it may be as well, none if it is just doubtful.
pub(super) type Doubts = HashMap<Named, Vec<Node>>;

impl Matcher<'_> {
    /// Every name that has a place and is in doubt.
    pub(super) fn doubts(&mut self) -> Doubts {
        let mut doubts = Doubts::new();
        let named: Vec<(Named, Node)> = self
            .source
            .ids()
            .filter(|&it| !self.is_fixed(it))
            .filter_map(|it| Some((it, self.node_of(it)?)))
            .collect();
        let mut by_file: BTreeMap<u32, Vec<(Named, Node)>> = BTreeMap::new();
        for &(name, node) in &named {
            let source = self.source.node(name);
            if let (Some(file), true, true) =
                (source.file, source.known, self.binary.is_function(node))
            {
                by_file.entry(file).or_default().push((name, node));
            }
        }
        let alone = self.ask_each(&named, |&pair, votes| self.doubt_of(pair, votes));
        for (&(name, _), near) in named.iter().zip(alone) {
            if let Some(near) = near {
                doubts.insert(name, near);
            }
        }
        let files: Vec<Vec<(Named, Node)>> = by_file.into_values().collect();
        let pairs: Vec<_> = files
            .par_iter()
            .flat_map_iter(|all| self.exchangeable(all))
            .collect();
        for (one, other, now) in pairs {
            if now - self.exchanged(one, other) < ALIKE {
                doubts.entry(one.0).or_default().push(other.1);
                doubts.entry(other.0).or_default().push(one.1);
            }
        }
        for &one in &named {
            if let Some(other) = self.folded(one) {
                doubts.entry(one.0).or_default().push(other.1);
                doubts.entry(other.0).or_default().push(one.1);
            }
        }
        for name in self.resting_on(&named, &doubts) {
            doubts.entry(name).or_default();
        }
        doubts
    }

    /// Other places that would do nearly as well as the one that a name has; none of
    /// them when it is just doubtful.
    fn doubt_of(&self, (name, node): (Named, Node), votes: &mut Votes) -> Option<Vec<Node>> {
        let tally = self.score(name, node, Tally::default());
        let wanted = match self.source.node(name).data && tally.share_against() > 0.0 {
            true => ALIKE_DATA,
            false => margin(&tally),
        };
        let all = self.rank_placed(name, votes);
        let near: Vec<Node> = all
            .iter()
            .filter(|it| it.0 != node && tally.total() - it.1 < wanted)
            .map(|it| it.0)
            .collect();
        let doubtful = self.is_doubtful(name, node, &tally)
            || self.has_double(name, node, &tally)
            || self.may_be_anchor(name, node, &tally)
            || self.may_be_part(name, node, &tally)
            || self.may_be_successor(name, node, &tally);
        (!near.is_empty() || doubtful).then_some(near)
    }

    /// Whether another function of its file would do nearly as well: one that nothing
    /// calls is known by a pointer alone, and so are its like.
    fn has_double(&self, named: Named, node: Node, tally: &Tally) -> bool {
        let source = self.source.node(named);
        let bits = |other| self.score(other, node, Tally::default()).total();
        are_uncalled(source, source)
            && self.source.in_file(source.file).any(|other| {
                other != named
                    && self.node_of(other).is_none()
                    && are_uncalled(source, self.source.node(other))
                    && tally.total() - bits(other) < ALIKE
            })
    }

    /// Whether a variable may be the one by which a file reaches all its own: something
    /// speaks against it, and all that use it are of one file, though the source knows
    /// users elsewhere.
    fn may_be_anchor(&self, named: Named, node: Node, tally: &Tally) -> bool {
        let source = self.source.node(named);
        if source.known || !source.data || tally.against() == 0.0 {
            return false;
        }
        let referrers = self.binary.node(node).referrers.iter();
        let named_users = referrers.filter_map(|it| self.name_of(*it));
        let mut files = named_users.filter_map(|it| self.source.file_of(it));
        let Some(file) = files.next() else {
            return false;
        };
        let elsewhere = |link: &Link| {
            let of = self.source.file_of(link.to);
            of.is_some_and(|of| of != file)
        };
        files.all(|it| it == file) && source.referrers.iter().any(elsewhere)
    }

    /// Names of the same file without a place that call the same or are called by the
    /// same, and are no part of this one.
    pub(super) fn unnamed_siblings(&self, named: Named) -> impl Iterator<Item = Named> + '_ {
        let source = self.source.node(named);
        let all = self.source.in_file(source.file);
        all.filter(move |&other| {
            let rival = self.source.node(other);
            other != named
                && rival.known
                && self.node_of(other).is_none()
                && are_siblings(source, rival)
                && !self.may_contain(named, other)
                && !self.may_contain(other, named)
        })
    }

    /// Names for which nothing but one fact speaks, and that through one in doubt.
    fn resting_on(&mut self, named: &[(Named, Node)], doubts: &Doubts) -> Vec<Named> {
        let (doubted, sure): (Vec<_>, Vec<_>) =
            named.iter().partition(|it| doubts.contains_key(&it.0));
        let score = |matcher: &Self, it: &(Named, Node)| {
            let tally = matcher.score(it.0, it.1, Tally::default());
            (tally.facts(), tally.total())
        };
        let one_fact = |it: &(Named, Node)| self.source.node(it.0).known && score(self, it).0 <= 1;
        let few: Vec<(Named, Node)> = sure.into_par_iter().filter(one_fact).collect();
        self.hide(&doubted);
        let weak = |it: &&(Named, Node)| {
            let (facts, bits) = score(self, it);
            facts == 0 && bits < LEAST
        };
        let weak = few.par_iter().filter(weak).map(|it| it.0).collect();
        self.place_at(&doubted);
        weak
    }

    /// What a function that does nothing but call another may have changed names
    /// with: the compiler finds that the two are the same once the one is put into
    /// the other, and keeps the code of either.
    fn folded(&self, (name, node): (Named, Node)) -> Option<(Named, Node)> {
        let source = self.source.node(name);
        if !(source.known && source.global && source.blocks == 1) {
            return None;
        }
        source.order_of_calls.iter().find_map(|&(called, _)| {
            let other = self.source.node(called);
            let place = self.node_of(called)?;
            let (outer, inner) = (self.binary.node(node), self.binary.node(place));
            let same = other.known
                && other.global
                && other.file == source.file
                && other.parameters == source.parameters;
            let linked = outer.calls == [place] || inner.calls == [node];
            let told = self.is_told(name, node)
                || self.is_told(called, place)
                || self.callers_tell(source, other, node)
                || self.callers_tell(other, source, place);
            (same && linked && !told).then_some((called, place))
        })
    }

    /// Whether a rule about the whole binary leads to the place.
    fn is_told(&self, name: Named, node: Node) -> bool {
        self.sights.leads_to(name, node) || self.shapes.leads_to(name, node)
    }

    /// Whether a named function calls the place that calls the one in the source and
    /// not the other.
    fn callers_tell(&self, one: &SourceNode, other: &SourceNode, node: Node) -> bool {
        let callers = self.binary.node(node).callers.iter();
        let mut by = callers.filter_map(|it| self.name_of(*it));
        let direct = |links: &[Link], by: Named| {
            linked(links, by).is_some_and(|link| link.fact != Fact::Inherited)
        };
        by.any(|by| direct(&one.callers, by) && linked(&other.callers, by).is_none())
    }

    /// Whether what speaks for the pair is too little.
    fn is_doubtful(&self, named: Named, node: Node, tally: &Tally) -> bool {
        let source = self.source.node(named);
        let bits = tally.total();
        let function = match self.binary.node(node).place {
            Place::Function(id) => Some(self.binary.code.function(id)),
            Place::Data(_) => None,
        };
        // Assembly has entries within others, and the vector page, which lies in the
        // init section, is a part of nothing.
        let entered = function.is_some_and(|it| it.entered && it.section == Section::Text);
        if source.known && entered {
            return true;
        }
        if !source.known {
            let limit = match bits < FEW_FOR_DATA {
                true => AGAINST_DATA,
                false => AGAINST_MANY_FOR_DATA,
            };
            return source.data && tally.share_against() > limit;
        }
        let callers = &self.binary.node(node).callers;
        let known: Vec<Named> = callers.iter().filter_map(|&it| self.name_of(it)).collect();
        let file = |it: &Named| self.source.node(*it).file;
        let in_file = known.iter().any(|it| file(it) == source.file);
        let stranger = callers.len() >= STRANGERS_EACH * known.len() + STRANGERS;
        let fragment =
            function.is_some_and(|it| is_fragment(source.blocks, it.blocks, bits, in_file));
        // One fact is too little for a function that leaves arguments alone: all were
        // used, had the compiler not put this into another function.
        let fewer = |it: &Function| u32::from(it.arguments) < u32::from(source.parameters.min(4));
        let jumps = |it: &Function| it.calls.iter().any(|call| call.kind != CallKind::Direct);
        let less = function.is_some_and(|it| fewer(it) && !jumps(it));
        bits < LEAST
            || less && tally.facts() <= 1 && bits < FEW
            || is_borrowed(tally)
            || fragment
            || is_contradicted(tally)
            || stranger && !in_file && tally.facts() <= 1 && bits < FEW_FOR_STRANGERS
    }

    /// Names of one file that the places alone hardly tell apart, and the bits of both.
    fn exchangeable(&self, all: &[(Named, Node)]) -> Vec<(Pair, Pair, f32)> {
        let bits: Vec<f32> = all
            .iter()
            .map(|&(name, node)| self.score(name, node, Tally::default()).total())
            .collect();
        let mut pairs = Vec::new();
        for (index, &one) in all.iter().enumerate() {
            for (&other, theirs) in all.iter().zip(&bits).skip(index + 1) {
                let (left, right) = (self.source.node(one.0), self.source.node(other.0));
                if !are_siblings(left, right) && !are_uncalled(left, right) {
                    continue;
                }
                let now = bits[index] + theirs;
                let alone = self.score(one.0, other.1, Tally::default()).total()
                    + self.score(other.0, one.1, Tally::default()).total();
                if now - alone < WORTH_EXCHANGING {
                    pairs.push((one, other, now));
                }
            }
        }
        pairs
    }

    /// Bits of two pairs with their names exchanged.
    fn exchanged(&mut self, one: (Named, Node), other: (Named, Node)) -> f32 {
        let crossed = [(one.0, other.1), (other.0, one.1)];
        self.place_at(&crossed);
        let bits = crossed.map(|(name, node)| self.score(name, node, Tally::default()).total());
        self.place_at(&[one, other]);
        bits.iter().sum()
    }
}

/// Whether so much speaks against an answer that it is not believed.
fn is_contradicted(tally: &Tally) -> bool {
    let limit = if tally.total() < FEW {
        AGAINST_FEW
    } else {
        AGAINST
    };
    tally.share_against() > limit
}

/// Whether it is mostly what others would show that speaks for an answer.
fn is_borrowed(tally: &Tally) -> bool {
    tally.own() < FEW_OF_ITS_OWN && tally.inherited() > BORROWED * tally.own()
}

/// Bits that the next answer must lack.
fn margin(tally: &Tally) -> f32 {
    match tally.total() < FEW && tally.share_against() > AGAINST_ALIKE {
        true => ALIKE_FEW,
        false => ALIKE,
    }
}

/// Whether a function of so many blocks in the source is more than what is there:
/// compilers split functions, and one of the pieces lies where it is called.
fn is_fragment(source: u32, binary: u32, bits: f32, called_in_file: bool) -> bool {
    let piece = called_in_file && binary.saturating_mul(FRAGMENT) <= source;
    let small = source >= LONG && binary.saturating_mul(SMALL) <= source;
    piece || small && bits < FEW_FOR_SIZE
}

/// Whether both call the same, or are called by the same.
pub(super) fn are_siblings(one: &SourceNode, other: &SourceNode) -> bool {
    common(&one.calls, &other.calls) || common(&one.callers, &other.callers)
}

/// Whether nothing calls either of two functions of one section that other files do not
/// see: initcalls, and what structs point to.
fn are_uncalled(one: &SourceNode, other: &SourceNode) -> bool {
    let uncalled = |it: &SourceNode| {
        let unused = it.callers.is_empty() && it.referrers.is_empty();
        it.known && !it.data && !it.global && unused
    };
    one.init == other.init && uncalled(one) && uncalled(other)
}

/// Whether two sorted lists have something in common.
fn common(one: &[Link], other: &[Link]) -> bool {
    let (short, long) = match one.len() < other.len() {
        true => (one, other),
        false => (other, one),
    };
    let has = |link: &Link| long.binary_search_by_key(&link.to, |it| it.to).is_ok();
    short.iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::Strategy;

    fn tally(bits: &[f32]) -> Tally {
        let mut tally = Tally::default();
        for &bits in bits {
            tally.add(Strategy::Relation, bits, String::new);
        }
        tally
    }

    #[test]
    fn what_speaks_against_an_answer_is_weighed_against_what_speaks_for_it() {
        assert!(!is_contradicted(&tally(&[20.0, -3.0])));
        assert!(is_contradicted(&tally(&[20.0, -4.5])));
        // Of many bits a little more may speak against it.
        assert!(!is_contradicted(&tally(&[40.0, -9.0])));
        assert!(is_contradicted(&tally(&[40.0, -11.0])));
        assert_eq!(tally(&[20.0, 1.0, -3.0]).facts(), 1);
    }

    #[test]
    fn what_others_would_show_is_not_enough() {
        let mut answer = tally(&[5.0]);
        assert!(!is_borrowed(&answer));
        answer.fact(Strategy::Relation, Fact::Inherited, 20.0, String::new);
        assert!(is_borrowed(&answer));
        answer.add(Strategy::Structure, 2.0, String::new);
        assert!(!is_borrowed(&answer));
    }

    #[test]
    fn few_bits_and_a_contradiction_ask_for_a_wider_margin() {
        assert_eq!(margin(&tally(&[20.0])), ALIKE);
        assert_eq!(margin(&tally(&[20.0, -3.0])), ALIKE_FEW);
        assert_eq!(margin(&tally(&[40.0, -6.0])), ALIKE);
    }

    #[test]
    fn a_piece_of_a_function_is_much_smaller_and_called_by_its_own_file() {
        assert!(is_fragment(9, 1, 45.0, true));
        assert!(!is_fragment(9, 1, 45.0, false));
        assert!(!is_fragment(7, 1, 45.0, true));
        // A long function of a few blocks needs more than a few bits.
        assert!(is_fragment(20, 6, 23.0, false));
        assert!(!is_fragment(20, 6, 25.0, false));
        assert!(!is_fragment(3, 1, 13.0, false));
    }

    #[test]
    fn siblings_call_the_same_or_are_called_by_the_same() {
        let link = |to| Link {
            to: Named(to),
            fact: Fact::Must,
            via: None,
        };
        let calling = |names: &[u32]| SourceNode {
            calls: names.iter().copied().map(link).collect(),
            ..SourceNode::default()
        };
        assert!(are_siblings(&calling(&[1, 3, 5]), &calling(&[3])));
        assert!(!are_siblings(&calling(&[1, 3, 5]), &calling(&[2, 4])));
        let called = |by| SourceNode {
            callers: vec![link(by)],
            ..SourceNode::default()
        };
        assert!(are_siblings(&called(7), &called(7)));
        assert!(!are_siblings(&called(7), &calling(&[7])));
    }
}
